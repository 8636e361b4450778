//! What is wrong with the connection, since when, and what happens next.

use leptos::prelude::*;

use super::connection::clock;
use crate::format;
use crate::live::machine::Phase;
use crate::live::{retry_now, use_live, words};
use crate::settled::settle;
use crate::signals::{flag, text};

/// Shown while figures are old.
#[component]
pub fn Banner() -> impl IntoView {
    let live = use_live();
    let fresh = flag(move || !live.stale.get());
    let lost = text(move || {
        let now_ms = live.now_ms.get().unwrap_or(0);
        let since = live.connection.with(|machine| machine.lost_ms).unwrap_or(now_ms);
        format!("Connection lost {} ago.", whole_seconds(now_ms.saturating_sub(since)))
    });
    let says = text(move || {
        let now_ms = live.now_ms.get().unwrap_or(0);
        let from = match live.board.with(|board| board.at_ms()) {
            0 => "There are no figures yet.".to_owned(),
            at_ms => format!("Figures below are from {}.", clock(at_ms, live.zone_min.get())),
        };
        format!("{from} {}", live.connection.with(|machine| words::outlook(machine, now_ms)))
    });
    let cannot_retry = flag(move || {
        live.connection.with(|machine| {
            !matches!(machine.phase, Phase::Waiting { .. } | Phase::Deferred(_) | Phase::Refused(_))
        })
    });
    settle(view! {
        <div class="banner" data-testid="banner" hidden=fresh>
            <b>{lost}</b>
            <span>{says}</span>
            <span class="grow"></span>
            <button data-testid="retry-now" disabled=cannot_retry on:click=|_| retry_now()>
                "Retry now"
            </button>
        </div>
    })
}

fn whole_seconds(ms: u64) -> String {
    if ms < 10_000 { format!("{} s", ms / 1_000) } else { format::age(ms) }
}
