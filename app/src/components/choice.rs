//! One of several: a button in a row of segments.

use leptos::prelude::*;

/// A segment; it is pressed while it is what is in force.
#[component]
pub fn Choice(
    /// Names it in tests.
    name: String,
    #[prop(into)] label: String,
    pressed: Signal<String>,
    /// Whether it takes no press just now.
    #[prop(default = Signal::stored("false".to_owned()))]
    busy: Signal<String>,
    press: Callback<()>,
) -> impl IntoView {
    view! {
        <button data-testid=name aria-pressed=pressed aria-disabled=busy on:click=move |_| press.run(())>
            {label}
        </button>
    }
}
