//! A state in a word, told by colour, shape and text.

use crate::signals::text;
use leptos::prelude::*;

/// A pill; its tone is `ok`, `warn`, `bad` or `off`.
#[component]
pub fn Pill(tone: Signal<String>, word: Signal<String>) -> impl IntoView {
    view! { <span class=text(move || format!("pill {}", tone.get()))>{word}</span> }
}
