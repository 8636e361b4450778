//! What is picked from a list is brought into view: on a small screen it stands far below the list.

use leptos::prelude::*;

use crate::signals::effect;

/// Brings the element with this id into view whenever something is picked; as far as needed, and at once.
pub fn reveal(id: &'static str, picked: Signal<String>) {
    effect(move || {
        if picked.with(|picked| !picked.is_empty()) {
            // Drawn by then.
            request_animation_frame(move || bring(id));
        }
    });
}

#[cfg(feature = "hydrate")]
fn bring(id: &str) {
    use web_sys::{ScrollIntoViewOptions, ScrollLogicalPosition};

    if let Some(element) = document().get_element_by_id(id) {
        let options = ScrollIntoViewOptions::new();
        options.set_block(ScrollLogicalPosition::Nearest);
        element.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

#[cfg(not(feature = "hydrate"))]
fn bring(_: &str) {}
