//! Line icons of 16 units.

use leptos::prelude::*;

/// An icon, drawn in the colour of the text around it; it says nothing to screen readers.
#[component]
pub fn Icon(path: &'static str) -> impl IntoView {
    view! { <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=path></path></svg> }
}
