//! How sure it is that each side of a rollout succeeds.

use leptos::prelude::*;
use rad_model::RolloutTick;

use crate::chart::bounds::{self, HEIGHT};
use crate::format;
use crate::signals::text;

/// Both sides' ranges of success beside the target.
#[component]
pub fn Bounds(tick: Memo<RolloutTick>, target: f64) -> impl IntoView {
    let words = text(move || tick.with(|tick| bounds::words(tick, target)));
    let picture = text(move || tick.with(|tick| bounds::picture(tick, target)));
    let left = text(move || tick.with(|tick| bounds::target_left(tick, target)));
    view! {
        <div class="bounds" role="img" aria-label=words>
            <span>"legacy"</span>
            <span>"candidate"</span>
            <svg viewBox=format!("0 0 1000 {HEIGHT}") preserveAspectRatio="none" aria-hidden="true" inner_html=picture></svg>
            <div class="times"><span style:left=left>{format!("target {} %", format::target(target))}</span></div>
        </div>
    }
}
