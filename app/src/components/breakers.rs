//! Every breaker: its state, its past, and what happens next.

use std::sync::Arc;

use leptos::prelude::*;
use rad_model::{BreakerInfo, BreakerMode, BreakerState, BreakerTick};

use super::table::link;
use super::{Card, Pill, Strip, Table, cell, holding, numbered};
use crate::board::Board;
use crate::format;
use crate::live::use_live;
use crate::look::{query, use_look};
use crate::settled::{Settled, settle};
use crate::signals::{flag, text};

/// The card of the breakers.
#[component]
pub fn Breakers(
    /// On the page that shows one of them in full: its name.
    #[prop(optional)]
    chosen: Option<Signal<String>>,
) -> impl IntoView {
    let (live, look) = (use_live(), use_look());
    let count = move || live.topology.with(|topology| topology.breakers.len());
    let all = move || numbered(0..count());
    let note = text(move || look.range.get().words().to_owned());
    settle(view! {
        <Card id="breakers" title="Breakers" note=note>{settle(view! {
            <p class="muted" hidden=flag(move || count() > 0)>
                "There is nothing to break yet: each target of an [upstreams.NAME] section gets a breaker."
            </p>
            <Table head=&HEAD hidden=flag(move || count() == 0) each=Arc::new(all) row=Arc::new(move |at| breaker(at, chosen))/>
        })}</Card>
    })
}

const HEAD: [(&str, &str); 5] = [
    ("", "Upstream"),
    ("", "State"),
    ("half", "History"),
    ("num wide", "Failures in a row"),
    ("wide next", "Next"),
];

fn breaker(at: usize, chosen: Option<Signal<String>>) -> Settled {
    let (live, look) = (use_live(), use_look());
    // Only what the row shows: counts that change each second must not redraw it.
    let tick = Memo::new(move |_| {
        let of = |board: &Board| board.snapshot.now.as_ref()?.breakers.get(at).cloned();
        let tick = live.board.with(of).unwrap_or_default();
        BreakerTick { requests: 0, failed: 0, rejected: 0, ..tick }
    });
    let state = move || tick.with(|tick| (tick.state, tick.mode));
    let of_info = move |read: fn(&BreakerInfo) -> String| {
        live.topology.with(|topology| topology.breakers.get(at).map(read).unwrap_or_default())
    };
    let limits = move || {
        let of = |info: &BreakerInfo| (info.consecutive_failures, info.successes_to_close);
        live.topology.with(|topology| topology.breakers.get(at).map(of).unwrap_or_default())
    };
    let failures = text(move || tick.with(|tick| failures(tick, limits().0)));
    let next = text(move || tick.with(|tick| next(tick, limits().1)));
    let name = text(move || of_info(|info| info.name.clone()));
    let href = text(move || format!("{}{}", address(&name.get()), query(look.range.get(), "")));
    let link = link(href, name, chosen);
    let pill = settle(view! {
        <Pill tone=text(move || tone(state()).to_owned()) word=text(move || word(state()))/>
    });
    let cells = vec![
        holding("name", link),
        holding("", pill),
        holding("whole", settle(view! { <Strip breaker=at/> })),
        cell("num wide", failures),
        cell("muted next", next),
    ];
    settle(view! {
        <tr data-testid=text(move || format!("breaker-{}", name.get())) data-state=text(move || state().0.word().to_owned())>
            {cells}
        </tr>
    })
}

/// The page of a breaker. Of what names may hold, only spaces must be written in another way there.
#[must_use]
pub fn address(name: &str) -> String {
    format!("/breakers/{}", name.replace(' ', "%20"))
}

/// How a breaker is to be seen.
#[must_use]
pub fn tone(standing: (BreakerState, BreakerMode)) -> &'static str {
    match standing {
        (_, BreakerMode::Disabled) => "off",
        (_, BreakerMode::ForcedOpen) | (BreakerState::Open, _) => "bad",
        (BreakerState::Closed, _) => "ok",
        (BreakerState::HalfOpen, _) => "warn",
    }
}

/// What it does, in a word or two.
#[must_use]
pub fn word((state, mode): (BreakerState, BreakerMode)) -> String {
    match mode {
        BreakerMode::Automatic => state.word().to_owned(),
        BreakerMode::MetricsOnly => format!("{}, {}", state.word(), mode.word()),
        BreakerMode::ForcedOpen | BreakerMode::Disabled => mode.word().to_owned(),
    }
}

fn failures(tick: &BreakerTick, limit: Option<u32>) -> String {
    match tick.state {
        BreakerState::Closed => match limit {
            Some(limit) => format!("{} of {limit}", tick.failures),
            None => tick.failures.to_string(),
        },
        BreakerState::Open | BreakerState::HalfOpen => "–".to_owned(),
    }
}

fn next(tick: &BreakerTick, probes: u32) -> String {
    if matches!(tick.mode, BreakerMode::ForcedOpen | BreakerMode::Disabled) {
        return "until changed".to_owned();
    }
    match (tick.state, tick.next_ms) {
        (BreakerState::Closed, _) | (BreakerState::Open, None) => String::new(),
        (BreakerState::Open, Some(0)) => "next request probes".to_owned(),
        (BreakerState::Open, Some(ms)) => format!("probe in {}", format::seconds(ms)),
        (BreakerState::HalfOpen, _) => format!("{} of {probes} probes", tick.successes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(next_ms: u64) -> BreakerTick {
        BreakerTick { state: BreakerState::Open, next_ms: Some(next_ms), ..BreakerTick::default() }
    }

    #[test]
    fn an_open_breaker_says_when_it_probes() {
        assert_eq!(next(&open(41_300), 2), "probe in 42 s");
        assert_eq!(next(&open(0), 2), "next request probes");
    }

    #[test]
    fn what_people_decided_shows_before_what_the_breaker_would() {
        let shown = |mode| (word((BreakerState::Closed, mode)), tone((BreakerState::Closed, mode)));
        assert_eq!(shown(BreakerMode::Automatic), ("closed".to_owned(), "ok"));
        assert_eq!(shown(BreakerMode::ForcedOpen), ("forced open".to_owned(), "bad"));
        assert_eq!(shown(BreakerMode::Disabled), ("disabled".to_owned(), "off"));
        assert_eq!(shown(BreakerMode::MetricsOnly), ("closed, metrics only".to_owned(), "ok"));
        let forced = BreakerTick { mode: BreakerMode::ForcedOpen, ..open(41_300) };
        assert_eq!(next(&forced, 2), "until changed");
    }

    #[test]
    fn the_address_of_a_breaker_holds_no_space() {
        assert_eq!(address("search 2"), "/breakers/search%202");
    }

    #[test]
    fn a_half_open_breaker_counts_its_probes() {
        let tick = BreakerTick { state: BreakerState::HalfOpen, successes: 1, ..BreakerTick::default() };
        assert_eq!(next(&tick, 2), "1 of 2 probes");
    }

    #[test]
    fn a_closed_breaker_counts_failures_towards_its_limit() {
        assert_eq!(failures(&BreakerTick { failures: 3, ..BreakerTick::default() }, Some(5)), "3 of 5");
    }
}
