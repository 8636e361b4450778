//! What is written into and pressed on several pages: of one type, so that it is in the bundle once.

use leptos::prelude::*;

use crate::settled::{Settled, settle};
use crate::signals::aria;

/// A line to be written into; at most `most` letters.
pub fn line(
    value: RwSignal<String>,
    placeholder: &'static str,
    label: &'static str,
    most: &'static str,
) -> Settled {
    settle(view! {
        <input
            type="text"
            maxlength=most
            placeholder=placeholder
            aria-label=label
            prop:value=value
            on:input=move |event| value.set(event_target_value(&event))
        />
    })
}

/// Why something is changed.
pub fn reason(value: RwSignal<String>, label: &'static str) -> Settled {
    line(value, "Why (optional)", label, "200")
}

/// A button; `name` names it in tests, `label` is what it says to those who do not see where it stands.
pub fn button(
    (class, name): (&'static str, String),
    says: Signal<String>,
    label: Signal<String>,
    busy: Signal<bool>,
    press: Callback<()>,
) -> Settled {
    settle(view! {
        <button class=class data-testid=name aria-label=label aria-disabled=aria(move || busy.get()) on:click=move |_| press.run(())>
            {says}
        </button>
    })
}
