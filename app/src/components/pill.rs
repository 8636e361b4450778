//! A state in a word, told by colour, shape and text.

use leptos::prelude::*;

/// A pill; its tone is `ok`, `warn`, `bad` or `off`.
#[component]
pub fn Pill(#[prop(into)] tone: Signal<&'static str>, #[prop(into)] text: Signal<String>) -> impl IntoView {
    view! { <span class=move || format!("pill {}", tone.get())>{move || text.get()}</span> }
}
