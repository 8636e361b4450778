//! One line of numbers that matter now.

use leptos::prelude::*;
use rad_model::history::BreakerCell;
use rad_model::{RolloutInfo, RolloutTick};

use crate::chart::past::{Past, entry};
use crate::chart::path::Trace;
use crate::chart::scale::Scale;
use crate::chart::spark::{POINTS, spark, up_from_zero};
use crate::components::{Figure, Tile};
use crate::format;
use crate::live::use_live;
use crate::settled::settle;
use crate::signals::{flag, text};

/// Over how long most tiles take their mean: as long as legends and rollouts do.
const OVER: &str = "10 s";

/// The tiles; the rollout's only where there is one.
#[component]
pub fn Tiles() -> impl IntoView {
    let live = use_live();
    let figure = move |of: fn(&Past<'_>) -> Figure| {
        Memo::new(move |_| live.board.with(|board| of(&Past::new(board, 60_000))))
    };
    let share = Memo::new(move |_| {
        let spark = live.board.with(|board| candidates(&Past::new(board, 60_000)));
        let (value, unit) = live.rollouts.with(|ticks| in_force(ticks));
        Figure { value, unit, spark }
    });
    let count = move || live.topology.with(|topology| topology.rollouts.len());
    let whose = text(move || match count() {
        0 | 1 => "Candidate".to_owned(),
        count => format!("Candidates of {count} rollouts"),
    });
    let each = text(move || {
        let infos = live.topology.get().rollouts;
        live.rollouts.with(|ticks| shares(&infos, ticks))
    });
    settle(view! {
        <section class="now" aria-label="Now">
            <Tile name="requests" label="Requests" over=OVER tone="accent" href="#traffic" figure=figure(requests)
                hint="All requests a second, mean of the last 10 seconds"/>
            <Tile name="success" label="Success" over=OVER tone="ok" href="#success" figure=figure(success)
                hint="Answered out of all that the limits let in, last 10 seconds"/>
            <Tile name="p99" label="p99" over=OVER tone="candidate" href="#latency" figure=figure(p99)
                hint="99 of 100 answers were at least this fast, mean of the last 10 seconds"/>
            <Tile name="limited" label="Limited" over=OVER tone="warn" href="#limits" figure=figure(limited)
                hint="Requests a second that limits rejected, mean of the last 10 seconds"/>
            <Tile name="breakers" label="Breakers open" tone="bad" href="#breakers" figure=figure(breakers)
                hint="Breakers that reject requests now; half-open ones count"/>
            <Tile name="candidate" label=whose tone="candidate" href="#rollouts" figure=share
                hint=each hidden=flag(move || count() == 0)/>
        </section>
    })
}

fn requests(past: &Past<'_>) -> Figure {
    let history = past.history;
    let columns = [
        &history.answered,
        &history.limited,
        &history.shed,
        &history.short_circuited,
        &history.failed,
        &history.unmatched,
    ];
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
    let now = past
        .snapshot
        .now
        .as_ref()
        .map_or(0, |tick| tick.breakers.iter().filter(|breaker| breaker.rejects()).count());
    let scale = Scale { low: 0.0, high: format::approximate(all.max(1) as u64), step: 1.0 };
    Figure { value: now.to_string(), unit: format!("of {all}"), spark: spark(&values, scale) }
}

/// The shares of all rollouts, one line each.
fn candidates(past: &Past<'_>) -> Trace {
    let scale = Scale { low: 0.0, high: 100.0, step: 100.0 };
    let mut all = Trace::default();
    for column in &past.history.rollouts {
        let values = last_minute(past, |at| column.get(at).map(|share| share.percent()));
        let trace = spark(&values, scale);
        all.line.push_str(&trace.line);
        all.dots.push_str(&trace.dots);
    }
    all
}

/// The share that is in force; of several the lowest and the highest.
fn in_force(ticks: &[RolloutTick]) -> (String, String) {
    let shares = ticks.iter().map(|tick| tick.candidate_share);
    let value = match (shares.clone().min(), shares.max()) {
        (Some(low), Some(high)) if low < high => format!("{low}–{high}"),
        (Some(share), _) => share.to_string(),
        _ => return ("–".to_owned(), String::new()),
    };
    (value, "%".to_owned())
}

/// Which rollout stands where: `search 10 %, mail 50 %`.
fn shares(infos: &[RolloutInfo], ticks: &[RolloutTick]) -> String {
    let each =
        infos.iter().zip(ticks).map(|(info, tick)| format!("{} {} %", info.name, tick.candidate_share));
    format!("Traffic that goes to the candidate: {}", each.collect::<Vec<_>>().join(", "))
}

fn last_minute(past: &Past<'_>, value: impl Fn(usize) -> Option<f64>) -> Vec<Option<f64>> {
    let all = past.history.len();
    (all.saturating_sub(POINTS)..all).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rad_model::Share;

    #[test]
    fn of_several_rollouts_the_lowest_and_the_highest_share_are_shown() {
        let tick = |percent| RolloutTick {
            candidate_share: Share::from_percent(percent).unwrap(),
            ..RolloutTick::default()
        };
        assert_eq!(in_force(&[tick(50.0), tick(10.0), tick(25.0)]).0, "10–50");
        assert_eq!(in_force(&[tick(10.0), tick(10.0)]).0, "10");
        assert_eq!(in_force(&[]).0, "–");
    }
}
