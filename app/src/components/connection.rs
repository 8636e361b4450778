//! The state of the live connection, in the header.

use leptos::prelude::*;

use crate::format;
use crate::live::{use_live, words};
use crate::signals::{flag, text};

/// The pill, the age of the figures, and the badge of legacy mode.
#[component]
pub fn Connection() -> impl IntoView {
    let live = use_live();
    let stands = move || {
        let words = if live.is_paused() { words::held } else { words::state };
        live.connection.with(words)
    };
    let class = text(move || format!("pill {}", stands().0));
    let state = text(move || stands().1.to_owned());
    let next = text(move || {
        let now_ms = live.now_ms.get().unwrap_or(0);
        live.connection.with(|machine| words::next(machine, now_ms))
    });
    let is_live = flag(move || live.connection.with(|machine| !machine.is_disabled()));
    let age = text(move || {
        // Of a picture that is held still it says from when it is.
        let heard = if live.is_paused() { None } else { live.connection.with(|machine| machine.heard_ms) };
        match (heard, live.now_ms.get()) {
            (Some(heard), Some(now_ms)) => {
                format!("updated {} ago", format::age(now_ms.saturating_sub(heard)))
            }
            _ => match live.board.with(|board| board.at_ms()) {
                0 => "no figures yet".to_owned(),
                at_ms => format!("figures of {}", clock(at_ms, live.zone_min.get())),
            },
        }
    });
    let snapshot = match live.board.with_untracked(|board| board.at_ms()) {
        0 => "Snapshot".to_owned(),
        at_ms => format!("Snapshot of {}", clock(at_ms, None)),
    };
    // Without JavaScript there is no connection to speak of.
    let still = format!("<span class=\"pill off\" data-testid=\"snapshot\">{snapshot}</span>");
    view! {
        <noscript inner_html=still></noscript>
        <span class=class data-testid="connection">
            {state}
            <span class="detail" hidden=flag(move || next.with(String::is_empty))>{next}</span>
        </span>
        <span class="badge" data-testid="legacy-badge" hidden=is_live>"Legacy mode"</span>
        <span class="muted age">{age}</span>
        <span class="hidden" role="status">{state}</span>
    }
}

/// Before the browser's zone is known, the clock is UTC and says so.
pub fn clock(at_ms: u64, zone_min: Option<i32>) -> String {
    match zone_min {
        Some(zone_min) => format::clock(at_ms, zone_min),
        None => format!("{} UTC", format::clock(at_ms, 0)),
    }
}
