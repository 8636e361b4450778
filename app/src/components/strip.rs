//! A breaker's state over the range, as a strip.

use leptos::prelude::*;

use crate::chart::past::Past;
use crate::chart::strip::{self, LAYERS, Layer};
use crate::live::use_live;
use crate::look::use_look;
use crate::settled::settle;
use crate::signals::text;

/// The strip of the breaker at a position of the topology.
#[component]
pub fn Strip(breaker: usize) -> impl IntoView {
    let (live, look) = (use_live(), use_look());
    let cells = Memo::new(move |_| {
        live.board.with(|board| {
            let past = Past::new(board, look.range.get().ms());
            let column = past.history.breakers.get(breaker).map(Vec::as_slice).unwrap_or_default();
            strip::cells(&past.history.at_ms, column, past.span)
        })
    });
    let label =
        text(move || format!("{}: {}", look.range.get().words(), cells.with(|cells| strip::summary(cells))));
    let path = move |layer: Layer| {
        settle(
            view! { <path class=layer.class d=text(move || cells.with(|cells| strip::path(cells, layer)))></path> },
        )
    };
    view! {
        <svg class="strip" viewBox="0 0 598 20" preserveAspectRatio="none" role="img" aria-label=label>
            {LAYERS.map(path).into_iter().collect::<Vec<_>>()}
        </svg>
    }
}
