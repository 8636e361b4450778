//! Both sides of a rollout since its share was last changed.

use leptos::prelude::*;
use rad_model::{RolloutInfo, RolloutTick, SideTick};

use crate::format;

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
                    <th class="num" title=format!("Target: {} %", format::percent(target))>"Success"</th>
                    <th class="num">"p99"</th>
                </tr>
            </thead>
            <tbody>
                {side("legacy", info.legacy, target, Memo::new(move |_| tick.with(|tick| tick.legacy)))}
                {side("candidate", info.candidate, target, Memo::new(move |_| tick.with(|tick| tick.candidate)))}
            </tbody>
        </table>
    }
}

fn side(name: &'static str, upstream: String, target: f64, tick: Memo<SideTick>) -> impl IntoView {
    let success = Memo::new(move |_| tick.with(success));
    let p99 = move || match tick.get().p99_us {
        0 => "–".to_owned(),
        us => {
            let (value, unit) = format::duration(f64::from(us));
            format!("{value} {unit}")
        }
    };
    view! {
        <tr data-testid=format!("side-{name}")>
            <td><i class=format!("key {name}")></i>{name}" "<small>{upstream}</small></td>
            <td class="num">{move || format::count(tick.get().total_requests)}</td>
            <td class="num" class:bad-text=move || success.get().is_some_and(|success| success < target)>
                {move || success.get().map_or("–".to_owned(), |success| format!("{} %", format::percent(success)))}
            </td>
            <td class="num">{p99}</td>
        </tr>
    }
}

fn success(tick: &SideTick) -> Option<f64> {
    let good = tick.total_requests.saturating_sub(tick.total_failed);
    (tick.total_requests > 0).then(|| format::approximate(good) / format::approximate(tick.total_requests))
}
