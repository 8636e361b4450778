//! What a page keeps for its next visit, as long as the tab is there. Read it in effects only: the server, which
//! draws the first picture, does not know it.

/// Keeps a text under a name; a browser that keeps nothing loses it.
#[cfg(feature = "hydrate")]
pub fn keep(name: &str, text: &str) {
    if let Ok(Some(storage)) = leptos::prelude::window().session_storage() {
        let _ = storage.set_item(name, text);
    }
}

/// What was kept under a name.
#[cfg(feature = "hydrate")]
#[must_use]
pub fn kept(name: &str) -> Option<String> {
    leptos::prelude::window().session_storage().ok()??.get_item(name).ok()?
}

#[cfg(not(feature = "hydrate"))]
pub fn keep(_name: &str, _text: &str) {}

#[cfg(not(feature = "hydrate"))]
#[must_use]
pub fn kept(_name: &str) -> Option<String> {
    None
}
