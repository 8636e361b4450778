//! Lists that change.
//!
//! What keeps a list in order is heavy, and there once for each type of list: this is the only one.

use std::sync::Arc;

use leptos::prelude::*;

use crate::settled::Settled;

/// Draws each entry once, by its number, and keeps it for as long as its name is in the list.
#[component]
pub fn Rows(
    /// Names and numbers.
    each: Arc<dyn Fn() -> Vec<(String, usize)> + Send + Sync>,
    row: Arc<dyn Fn(usize) -> Settled + Send + Sync>,
) -> impl IntoView {
    view! { <For each=move || each() key=|(name, _)| name.clone() children=move |(_, at)| row(at)/> }
}

/// Entries that are named by their numbers.
#[must_use]
pub fn numbered(numbers: impl IntoIterator<Item = usize>) -> Vec<(String, usize)> {
    numbers.into_iter().map(|at| (at.to_string(), at)).collect()
}
