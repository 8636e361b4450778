//! A figure that matters now, with its last minute.

use leptos::prelude::*;

use crate::chart::path::Trace;
use crate::chart::plot::Lines;
use crate::chart::spark::HEIGHT;
use crate::format;
use crate::settled::settle;
use crate::signals::text;

/// What a tile shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    pub value: String,
    pub unit: String,
    /// Its last minute.
    pub spark: Trace,
}

/// A tile; it leads to the part of the page that explains it.
#[component]
pub fn Tile(
    /// Names it in tests: `tile-requests`.
    name: &'static str,
    #[prop(into)] label: Signal<String>,
    /// Over how long it is taken, where it is not that of the moment.
    #[prop(optional)]
    over: &'static str,
    /// What exactly it counts.
    #[prop(into)]
    hint: Signal<String>,
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
            <small class="ends"><span>{label}</span><span>{over}</span></small>
            <span class="big">
                <span data-testid=format!("tile-{name}")>{text(move || figure.with(|figure| figure.value.clone()))}</span>
                <small>{text(move || figure.with(|figure| figure.unit.clone()))}</small>
            </span>
            <svg class="spark" viewBox=format!("0 0 1000 {}", format::whole(HEIGHT)) preserveAspectRatio="none" aria-hidden="true">
                <Lines tone trace=Signal::derive(move || figure.with(|figure| figure.spark.clone()))/>
            </svg>
        </a>
    })
}
