//! One type for everything that changes on the page.
//!
//! Views are generic code: each closure in one is a type of its own, and costs the browser's bundle a few
//! kilobytes of drawing code. Behind these, all changing texts share one type, and all switches another.

use leptos::prelude::Signal;

/// A text that changes.
pub fn text(of: impl Fn() -> String + Send + Sync + 'static) -> Signal<String> {
    Signal::derive(of)
}

/// Something that is so or not.
pub fn flag(of: impl Fn() -> bool + Send + Sync + 'static) -> Signal<bool> {
    Signal::derive(of)
}

/// `true` or `false`, as ARIA attributes want it.
pub fn aria(of: impl Fn() -> bool + Send + Sync + 'static) -> Signal<String> {
    text(move || of().to_string())
}
