//! Every breaker: its state, its past, and what happens next.

use leptos::prelude::*;
use rad_model::{BreakerInfo, BreakerState, BreakerTick};

use crate::board::Board;
use crate::components::{Card, Pill, Strip};
use crate::format;
use crate::live::use_live;
use crate::look::use_look;
use crate::settled::settle;
use crate::signals::{flag, text};

/// The card of the breakers.
#[component]
pub fn Breakers() -> impl IntoView {
    let (live, look) = (use_live(), use_look());
    let count = move || live.topology.with(|topology| topology.breakers.len());
    let all = move || (0..count()).collect::<Vec<usize>>();
    let note = text(move || look.range.get().words().to_owned());
    settle(view! {
        <Card id="breakers" title="Breakers" note=note>{settle(view! {
            <p class="muted" hidden=flag(move || count() > 0)>
                "There is nothing to break yet: each target of an [upstreams.NAME] section gets a breaker."
            </p>
                <table class="rows" hidden=flag(move || count() == 0)>
                    <thead>
                        <tr>
                            <th>"Upstream"</th>
                            <th>"State"</th>
                            <th class="half">"History"</th>
                            <th class="num wide">"Failures in a row"</th>
                            <th class="wide next">"Next"</th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=all key=|at| *at let(at)>
                            <Row at/>
                        </For>
                    </tbody>
                </table>
        })}</Card>
    })
}

#[component]
fn Row(at: usize) -> impl IntoView {
    let live = use_live();
    // Only what the row shows: counts that change each second must not redraw it.
    let tick = Memo::new(move |_| {
        let of = |board: &Board| board.snapshot.now.as_ref()?.breakers.get(at).cloned();
        let tick = live.board.with(of).unwrap_or_default();
        BreakerTick { requests: 0, failed: 0, rejected: 0, ..tick }
    });
    let state = move || tick.with(|tick| tick.state);
    let of_info = move |read: fn(&BreakerInfo) -> String| {
        live.topology.with(|topology| topology.breakers.get(at).map(read).unwrap_or_default())
    };
    let limits = move || {
        let of = |info: &BreakerInfo| (info.consecutive_failures, info.successes_to_close);
        live.topology.with(|topology| topology.breakers.get(at).map(of).unwrap_or_default())
    };
    let failures = text(move || tick.with(|tick| failures(tick, limits().0)));
    let next = text(move || tick.with(|tick| next(tick, limits().1)));
    let word = text(move || state().word().to_owned());
    view! {
        <tr data-testid=text(move || format!("breaker-{}", of_info(|info| info.name.clone()))) data-state=word>
            <td class="name">{text(move || of_info(|info| info.name.clone()))}</td>
            <td>
                <Pill tone=text(move || tone(state()).to_owned()) word/>
            </td>
            <td class="whole"><Strip breaker=at/></td>
            <td class="num wide">{failures}</td>
            <td class="muted next">{next}</td>
        </tr>
    }
}

fn tone(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed => "ok",
        BreakerState::Open => "bad",
        BreakerState::HalfOpen => "warn",
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
    fn a_half_open_breaker_counts_its_probes() {
        let tick = BreakerTick { state: BreakerState::HalfOpen, successes: 1, ..BreakerTick::default() };
        assert_eq!(next(&tick, 2), "1 of 2 probes");
    }

    #[test]
    fn a_closed_breaker_counts_failures_towards_its_limit() {
        assert_eq!(failures(&BreakerTick { failures: 3, ..BreakerTick::default() }, 5), "3 of 5");
    }
}
