//! Both sides of a rollout since its share was last changed.

use leptos::prelude::*;
use rad_model::{RolloutInfo, RolloutTick, SideTick};

use crate::format;
use crate::signals::{flag, text};

/// Requests, success and p99 of each side.
#[component]
pub fn Sides(tick: Memo<RolloutTick>, info: RolloutInfo) -> impl IntoView {
    let target = info.target_success;
    view! {
        <table class="sides figures">
            <thead>
                <tr>
                    <th>"Since change"</th>
                    <th class="num">"Requests"</th>
                    <th class="num" title=format!("Target: {} %", format::target(target))>"Success"</th>
                    <th class="num" title="The mean of the last 10 seconds">"p99, 10 s"</th>
                </tr>
            </thead>
            <tbody>
                {side("legacy", info.legacy, target, tick, |tick| tick.legacy)}
                {side("candidate", info.candidate, target, tick, |tick| tick.candidate)}
            </tbody>
        </table>
    }
}

fn side(
    name: &'static str,
    upstream: String,
    target: f64,
    tick: Memo<RolloutTick>,
    of: fn(&RolloutTick) -> SideTick,
) -> impl IntoView {
    let side = move || tick.with(of);
    let requests = text(move || format::count(side().total_requests));
    let share = text(move || {
        success(&side()).map_or("–".to_owned(), |share| format!("{} %", format::percent(share)))
    });
    let misses = flag(move || success(&side()).is_some_and(|share| share < target));
    let p99 = text(move || match side().p99_us {
        0 => "–".to_owned(),
        us => {
            let (value, unit) = format::duration(f64::from(us));
            format!("{value} {unit}")
        }
    });
    view! {
        <tr data-testid=format!("side-{name}")>
            <td><i class=format!("key {name}")></i>{name}" "<small>{upstream}</small></td>
            <td class="num">{requests}</td>
            <td class="num" class:bad-text=misses>{share}</td>
            <td class="num">{p99}</td>
        </tr>
    }
}

fn success(tick: &SideTick) -> Option<f64> {
    let good = tick.total_requests.saturating_sub(tick.total_failed);
    (tick.total_requests > 0).then(|| format::approximate(good) / format::approximate(tick.total_requests))
}
