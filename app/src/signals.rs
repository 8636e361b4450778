//! One type for everything that changes on the page.
//!
//! Views are generic code: each closure in one is a type of its own, and costs the browser's bundle a few
//! kilobytes of drawing code. Behind these, all changing texts share one type, and all switches another; and
//! each closure is boxed before it meets the signals' own generic code.

use leptos::prelude::{Effect, Signal};

/// A text that changes.
pub fn text(of: impl Fn() -> String + Send + Sync + 'static) -> Signal<String> {
    derive(Box::new(of))
}

/// Something that is so or not.
pub fn flag(of: impl Fn() -> bool + Send + Sync + 'static) -> Signal<bool> {
    derive(Box::new(of))
}

/// `true` or `false`, as ARIA attributes want it.
pub fn aria(of: impl Fn() -> bool + Send + Sync + 'static) -> Signal<String> {
    text(move || if of() { "true" } else { "false" }.to_owned())
}

/// Does something in the browser as soon as the page is there, and again whenever what it reads changes. What runs
/// an effect is heavy, and there once for each type of it: all of them are of one.
pub fn effect(of: impl FnMut() + 'static) {
    boxed(Box::new(of));
}

fn boxed(mut of: Box<dyn FnMut()>) {
    Effect::new(move |_: Option<()>| of());
}

fn derive<T: Send + Sync + 'static>(of: Box<dyn Fn() -> T + Send + Sync>) -> Signal<T> {
    Signal::derive(of)
}
