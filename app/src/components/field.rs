//! A number to be typed or slid.

use std::time::Duration;

use leptos::prelude::*;

/// While it is being moved or typed into, it tells no more often than this.
const SETTLE: Duration = Duration::from_millis(150);

/// An input for whole numbers from 0; `kind` is `number` or `range`.
#[component]
pub fn Field(
    kind: &'static str,
    /// Names it in tests.
    name: String,
    label: String,
    max: u32,
    /// What is in force. A memo: what is being typed is only overwritten by a change.
    value: Memo<String>,
    /// Takes each number; what is none, or too large, is left to be typed on.
    change: Callback<u32>,
) -> impl IntoView {
    let mut typed = debounce(SETTLE, move |text: String| {
        if let Some(number) = text.trim().parse().ok().filter(|number| *number <= max) {
            change.run(number);
        }
    });
    view! {
        <input
            type=kind
            min="0"
            max=max.to_string()
            step="1"
            data-testid=name
            aria-label=label
            prop:value=value
            on:input=move |event| typed(event_target_value(&event))
        />
    }
}
