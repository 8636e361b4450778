//! How sure it is that each side of a rollout succeeds.

use leptos::prelude::*;
use rad_model::RolloutTick;

use crate::chart::bounds::{self, HEIGHT, Part, Which};
use crate::format;
use crate::signals::text;

/// Both sides' ranges of success beside the target.
#[component]
pub fn Bounds(tick: Memo<RolloutTick>, target: f64) -> impl IntoView {
    let words = text(move || tick.with(|tick| bounds::words(tick, target)));
    let part = move |class: &'static str, part: Part| {
        let d = text(move || tick.with(|tick| bounds::path(part, tick, target)));
        view! { <path class=class d=d></path> }
    };
    let left = text(move || tick.with(|tick| bounds::target_left(tick, target)));
    view! {
        <div class="bounds" role="img" aria-label=words>
            <span>"legacy"</span>
            <span>"candidate"</span>
            <svg viewBox=format!("0 0 1000 {HEIGHT}") preserveAspectRatio="none" aria-hidden="true">
                {part("target", Part::Target)}
                {part("range l", Part::Range(Which::Legacy))}
                {part("dot l", Part::Dot(Which::Legacy))}
                {part("range c", Part::Range(Which::Candidate))}
                {part("dot c", Part::Dot(Which::Candidate))}
            </svg>
            <div class="times"><span style:left=left>{format!("target {} %", format::target(target))}</span></div>
        </div>
    }
}
