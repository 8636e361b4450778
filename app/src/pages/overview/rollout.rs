//! The rollouts: what share the candidate has, how both sides do, and the switch that moves traffic.
//! It stays usable while the live connection is lost: it needs only that HTTP answers.

use std::sync::Arc;

use leptos::prelude::*;
use rad_model::{RolloutInfo, Share};

use super::share_change::ShareChange;
use super::sides::Sides;
use crate::components::{Bounds, Card, Rows};
use crate::live::use_live;
use crate::settled::settle;
use crate::signals::{flag, text};

/// One card for each rollout.
#[component]
pub fn Rollouts() -> impl IntoView {
    let live = use_live();
    let none = flag(move || live.topology.with(|topology| topology.rollouts.is_empty()));
    let each = move || {
        let name = |(at, info): (usize, &RolloutInfo)| {
            let stages: Vec<_> = info.stages.iter().map(ToString::to_string).collect();
            // Names hold no slash.
            let parts = [info.name.as_str(), &info.legacy, &info.candidate, &stages.join(" ")];
            (format!("{at}/{}", parts.join("/")), at)
        };
        live.topology.with(|topology| topology.rollouts.iter().enumerate().map(name).collect())
    };
    let row = move |at: usize| {
        let info = live.topology.with_untracked(|topology| topology.rollouts.get(at).cloned());
        info.map_or_else(|| settle(()), |info| settle(view! { <Rollout at info/> }))
    };
    settle(view! {
        <div id="rollouts" class="stack" hidden=none>
            <Rows each=Arc::new(each) row=Arc::new(row)/>
        </div>
    })
}

#[component]
fn Rollout(at: usize, info: RolloutInfo) -> impl IntoView {
    let live = use_live();
    let tick = live.rollout(at);
    let share = Signal::derive(move || tick.with(|tick| tick.candidate_share));
    let note = text(move || tick.with(|tick| tick.phase.clone()));
    let label = text(move || format!("legacy {} %, candidate {} %", share.get().rest(), share.get()));
    let part = move |class: &'static str, of: fn(Share) -> Share, label: fn(Share) -> String| {
        view! {
            <span
                class=class
                style:flex-grow=text(move || of(share.get()).to_string())
                hidden=flag(move || of(share.get()) == Share::NONE)
            >
                {text(move || label(of(share.get())))}
            </span>
        }
    };
    let details = settle(view! { <a href="/rollouts">"Details"</a> });
    view! {
        <Card
            id=format!("rollout-{}", info.name)
            title=format!("Rollout · {}", info.name)
            note=note
            aside=details
            class="acts"
        >{settle(view! {
            <div data-testid=format!("rollout-{}", info.name) data-percent=text(move || share.get().to_string())>
                <div class="share figures" role="img" aria-label=label>
                    {part("l", Share::rest, |share| format!("legacy {share} %"))}
                    {part("c", |share| share, candidate_label)}
                </div>
                <Sides tick info=info.clone()/>
                <Bounds tick target=info.target_success/>
                <p data-testid="verdict">{text(move || tick.with(|tick| tick.says.clone()))}</p>
                <ShareChange share info=info.clone()/>
            </div>
        })}</Card>
    }
}

/// The word fits only where there is room.
fn candidate_label(share: Share) -> String {
    if share.percent() >= 40.0 { format!("candidate {share} %") } else { format!("{share} %") }
}
