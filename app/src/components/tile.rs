//! A figure that matters now, with its last minute.

use leptos::prelude::*;

use crate::chart::spark::HEIGHT;
use crate::settled::settle;
use crate::signals::text;

/// What a tile shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    pub value: String,
    pub unit: String,
    /// The path of its last minute.
    pub spark: String,
}

/// A tile; it leads to the part of the page that explains it.
#[component]
pub fn Tile(
    /// Names it in tests: `tile-requests`.
    name: &'static str,
    label: &'static str,
    /// What exactly it counts.
    hint: &'static str,
    /// The class that colours its line.
    tone: &'static str,
    /// Where it leads.
    href: &'static str,
    figure: Memo<Figure>,
    /// While there is nothing to show.
    #[prop(optional, into)]
    hidden: Signal<bool>,
) -> impl IntoView {
    settle(view! {
        <a href=href title=hint hidden=hidden>
            <small>{label}</small>
            <span class="big">
                <span data-testid=format!("tile-{name}")>{text(move || figure.with(|figure| figure.value.clone()))}</span>
                <small>{text(move || figure.with(|figure| figure.unit.clone()))}</small>
            </span>
            <svg class="spark" viewBox=format!("0 0 1000 {HEIGHT}") preserveAspectRatio="none" aria-hidden="true">
                <path class=format!("line {tone}") d=text(move || figure.with(|figure| figure.spark.clone()))></path>
            </svg>
        </a>
    })
}
