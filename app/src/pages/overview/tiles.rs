//! One line of numbers that matter now.

use leptos::prelude::*;
use rad_model::BreakerState;
use rad_model::history::BreakerCell;

use crate::board::Board;
use crate::chart::past::{Past, entry};
use crate::chart::scale::Scale;
use crate::chart::spark::{POINTS, spark, up_from_zero};
use crate::components::{Figure, Tile};
use crate::format;
use crate::live::use_live;
use crate::settled::settle;
use crate::signals::flag;

/// The tiles; the rollout's only where there is one.
#[component]
pub fn Tiles() -> impl IntoView {
    let live = use_live();
    let figure = move |of: fn(&Past<'_>) -> Figure| {
        Memo::new(move |_| live.board.with(|board| of(&Past::new(board, 60_000))))
    };
    let no_rollout = flag(move || live.topology.with(|topology| topology.rollouts.is_empty()));
    let share = Memo::new(move |_| live.board.with(candidate));
    settle(view! {
        <section class="now" aria-label="Now">
            <Tile name="requests" label="Requests" tone="accent" href="#traffic" figure=figure(requests)
                hint="All requests a second, mean of the last 10 seconds"/>
            <Tile name="success" label="Success" tone="ok" href="#success" figure=figure(success)
                hint="Answered out of all that the limits let in, last 10 seconds"/>
            <Tile name="p99" label="p99" tone="candidate" href="#latency" figure=figure(p99)
                hint="99 of 100 answers were at least this fast, mean of the last 10 seconds"/>
            <Tile name="limited" label="Limited" tone="warn" href="#limits" figure=figure(limited)
                hint="Requests a second that limits rejected, mean of the last 10 seconds"/>
            <Tile name="breakers" label="Breakers open" tone="bad" href="#breakers" figure=figure(breakers)
                hint="Breakers that reject requests now; half-open ones count"/>
            <Tile name="candidate" label="Candidate" tone="candidate" href="#rollouts" figure=share
                hint="Share of the first rollout that goes to its candidate" hidden=no_rollout/>
        </section>
    })
}

fn requests(past: &Past<'_>) -> Figure {
    let history = past.history;
    let columns =
        [&history.answered, &history.limited, &history.short_circuited, &history.failed, &history.unmatched];
    let values =
        last_minute(past, |at| Some(columns.iter().map(|column| past.rate(entry(column, at).into())).sum()));
    let now: f64 = columns.iter().map(|column| past.mean_rate(column)).sum();
    Figure { value: format::rate(now), unit: "/s".to_owned(), spark: spark(&values, up_from_zero(&values)) }
}

fn success(past: &Past<'_>) -> Figure {
    let values = last_minute(past, |at| past.success(at));
    let lowest = values.iter().flatten().copied().fold(1.0, f64::min);
    let scale = Scale::near_one(lowest);
    match values.last().copied().flatten() {
        Some(now) => {
            Figure { value: format::percent(now), unit: "%".to_owned(), spark: spark(&values, scale) }
        }
        None => Figure { value: "–".to_owned(), unit: String::new(), spark: spark(&values, scale) },
    }
}

fn p99(past: &Past<'_>) -> Figure {
    let column = &past.history.p99_us;
    let values = last_minute(past, |at| Some(entry(column, at)).filter(|us| *us > 0).map(f64::from));
    let spark = spark(&values, up_from_zero(&values));
    match past.mean_duration(column, past.latest()) {
        Some(us) => {
            let (value, unit) = format::duration(us);
            Figure { value, unit: unit.to_owned(), spark }
        }
        None => Figure { value: "–".to_owned(), unit: String::new(), spark },
    }
}

fn limited(past: &Past<'_>) -> Figure {
    let column = &past.history.limited;
    let values = last_minute(past, |at| Some(past.rate(entry(column, at).into())));
    let value = format::rate(past.mean_rate(column));
    Figure { value, unit: "/s".to_owned(), spark: spark(&values, up_from_zero(&values)) }
}

fn breakers(past: &Past<'_>) -> Figure {
    let columns = &past.history.breakers;
    let values = last_minute(past, |at| {
        let open = columns
            .iter()
            .filter(|column| matches!(column.get(at), Some(BreakerCell::Open | BreakerCell::HalfOpen)));
        Some(format::approximate(open.count() as u64))
    });
    let all = past.snapshot.topology.breakers.len();
    let now = past.snapshot.now.as_ref().map_or(0, |tick| {
        tick.breakers.iter().filter(|breaker| breaker.state != BreakerState::Closed).count()
    });
    let scale = Scale { low: 0.0, high: format::approximate(all.max(1) as u64), step: 1.0 };
    Figure { value: now.to_string(), unit: format!("of {all}"), spark: spark(&values, scale) }
}

fn candidate(board: &Board) -> Figure {
    let past = Past::new(board, 60_000);
    let column = past.history.rollouts.first();
    let values =
        last_minute(&past, |at| column.and_then(|column| column.get(at)).map(|share| share.percent()));
    let now = past.snapshot.now.as_ref().and_then(|tick| tick.rollouts.first());
    let value = now.map_or("–".to_owned(), |rollout| rollout.candidate_share.to_string());
    let scale = Scale { low: 0.0, high: 100.0, step: 100.0 };
    Figure { value, unit: "%".to_owned(), spark: spark(&values, scale) }
}

fn last_minute(past: &Past<'_>, value: impl Fn(usize) -> Option<f64>) -> Vec<Option<f64>> {
    let all = past.history.len();
    (all.saturating_sub(POINTS)..all).map(value).collect()
}
