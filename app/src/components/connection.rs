//! The state of the live connection, in the header.

use leptos::prelude::*;

use crate::format;
use crate::live::{use_live, words};

/// The pill, the age of the figures, and the badge of legacy mode.
#[component]
pub fn Connection() -> impl IntoView {
    let live = use_live();
    let state = Memo::new(move |_| live.connection.with(words::state));
    let next = Memo::new(move |_| {
        let now_ms = live.now_ms.get().unwrap_or(0);
        live.connection.with(|machine| words::next(machine, now_ms))
    });
    let disabled = Memo::new(move |_| live.connection.with(|machine| machine.is_disabled()));
    let age = Memo::new(move |_| {
        let heard = live.connection.with(|machine| machine.heard_ms);
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
    view! {
        <span class=move || format!("pill {}", state.get().0) data-testid="connection">
            {move || state.get().1}
            <span class="detail">{move || next.get()}</span>
        </span>
        <span class="badge" data-testid="legacy-badge" hidden=move || !disabled.get()>"Legacy mode"</span>
        <span class="muted age">{move || age.get()}</span>
        <span class="hidden" role="status">{move || state.get().1}</span>
    }
}

/// Before the browser's zone is known, the clock is UTC and says so.
pub fn clock(at_ms: u64, zone_min: Option<i32>) -> String {
    match zone_min {
        Some(zone_min) => format::clock(at_ms, zone_min),
        None => format!("{} UTC", format::clock(at_ms, 0)),
    }
}
