//! The rollouts: what share the candidate has, how both sides do, and the switch that moves traffic.
//! It stays usable while the live connection is lost: it needs only that HTTP answers.

use leptos::prelude::*;
use rad_model::{RolloutInfo, RolloutTick, Share};

use super::share_change::ShareChange;
use super::sides::Sides;
use crate::components::Card;
use crate::live::use_live;

/// One card for each rollout.
#[component]
pub fn Rollouts() -> impl IntoView {
    let live = use_live();
    let list = Memo::new(move |_| live.board.with(|board| board.snapshot.topology.rollouts.clone()));
    let key = |(at, info): &(usize, RolloutInfo)| {
        let stages: Vec<_> = info.stages.iter().map(|share| share.basis_points()).collect();
        (*at, info.name.clone(), info.legacy.clone(), info.candidate.clone(), stages)
    };
    view! {
        <div id="rollouts" class="stack" hidden=move || list.with(Vec::is_empty)>
            <For each=move || list.get().into_iter().enumerate() key=key let((at, info))>
                <Rollout at info/>
            </For>
        </div>
    }
    .into_any()
}

#[component]
fn Rollout(at: usize, info: RolloutInfo) -> impl IntoView {
    let live = use_live();
    let tick: Memo<RolloutTick> =
        Memo::new(move |_| live.rollouts.with(|all| all.get(at).cloned()).unwrap_or_default());
    let share = Memo::new(move |_| tick.with(|tick| tick.candidate_share));
    let stages = info.stages.clone();
    let note = Signal::derive(move || stage(&stages, share.get()));
    let label = move || format!("legacy {} %, candidate {} %", share.get().rest(), share.get());
    view! {
        <Card
            id=format!("rollout-{}", info.name)
            title=format!("Rollout · {}", info.name)
            note=note
            class="acts"
        >
            <div data-testid=format!("rollout-{}", info.name) data-percent=move || share.get().to_string()>
                <div class="share figures" role="img" aria-label=label>
                    <span class="l" style:flex-grow=move || share.get().rest().to_string() hidden=move || share.get() == Share::ALL>
                        {move || format!("legacy {} %", share.get().rest())}
                    </span>
                    <span class="c" style:flex-grow=move || share.get().to_string() hidden=move || share.get() == Share::NONE>
                        {move || candidate_label(share.get())}
                    </span>
                </div>
                <Sides tick info=info.clone()/>
                <ShareChange share info=info.clone()/>
            </div>
        </Card>
    }
}

/// The word fits only where there is room.
fn candidate_label(share: Share) -> String {
    if share.percent() >= 40.0 { format!("candidate {share} %") } else { format!("{share} %") }
}

fn stage(stages: &[Share], share: Share) -> String {
    if share == Share::NONE {
        return "all legacy".to_owned();
    }
    match stages.iter().position(|stage| *stage == share) {
        Some(at) => format!("stage {} of {}", at + 1, stages.len()),
        None => "between stages".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_is_counted_from_one_and_nothing_is_no_stage() {
        let share = |percent| Share::from_percent(percent).unwrap();
        let stages = [share(10.0), share(50.0)];
        assert_eq!(stage(&stages, share(50.0)), "stage 2 of 2");
        assert_eq!(stage(&stages, Share::NONE), "all legacy");
        assert_eq!(stage(&stages, share(33.0)), "between stages");
    }
}
