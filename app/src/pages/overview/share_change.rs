//! The switch of a rollout: its stages, the way back, and an undo after every change.

use leptos::prelude::*;
use rad_model::{RolloutInfo, Share};
use serde::Deserialize;

use crate::components::{Choices, Outcome, OutcomeLine, Why, act, button, post};
use crate::live::{http, use_live};
use crate::settled::settle;
use crate::signals::{flag, text};

/// The body of a change; the reason is JSON. By hand: writing floats with serde is heavy in the bundle.
fn change(percent: Option<Share>, reason: &str) -> String {
    let percent = percent.map(|share| format!("\"percent\":{share},")).unwrap_or_default();
    format!("{{{percent}\"reason\":{reason}}}")
}

/// What the server did.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
struct Changed {
    to: Share,
}

/// The stages as buttons; the pressed one is what the server says is in force.
#[component]
pub fn ShareChange(share: Signal<Share>, info: RolloutInfo) -> impl IntoView {
    let live = use_live();
    let outcome = RwSignal::new(Outcome::default());
    let why = Why::new();
    let busy = move || outcome.with(|outcome| *outcome == Outcome::Under);
    let name = StoredValue::new(info.name);
    let done = Callback::new(move |text: String| {
        if let Ok(Changed { to }) = http::understood(&text) {
            name.with_value(|name| live.change_share(name, to));
        }
        why.clear();
    });
    // `None` takes the way back that needs no number.
    let set = move |percent: Option<Share>| {
        let Some(reason) = why.given(outcome) else { return };
        let back = if percent.is_some() { "" } else { "/rollback" };
        let url = name.with_value(|name| format!("/api/rollouts/{name}{back}"));
        act(outcome, post(url, change(percent, &reason)), done);
    };
    let mut stages = info.stages.clone();
    stages.insert(0, Share::NONE);
    stages.dedup();
    let choice = |stage: &Share| {
        let says = if *stage == Share::ALL { "100 %".to_owned() } else { stage.to_string() };
        (format!("share-{stage}"), says)
    };
    let each = stages.iter().map(choice).collect();
    let stages = StoredValue::new(stages);
    let in_force = Signal::derive(move || {
        stages.with_value(|stages| stages.iter().position(|stage| *stage == share.get()))
    });
    let press = Callback::new(move |at: usize| {
        if let Some(stage) = stages.with_value(|stages| stages.get(at).copied()) {
            set(Some(stage));
        }
    });
    let says = text(|| "Roll back now".to_owned());
    settle(view! {
        <Choices label="Candidate share in percent" each in_force busy=flag(busy) press/>
        <div class="actions">
            {why.field("Reason for the change")}
            {button(("danger", "rollback".to_owned()), says, says, flag(busy), Callback::new(move |()| set(None)))}
        </div>
        <OutcomeLine outcome error="rollout-error" done/>
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_carries_no_share() {
        let half = Share::from_percent(12.5);
        assert_eq!(change(half, "\"\""), r#"{"percent":12.5,"reason":""}"#);
        assert_eq!(change(None, "\"no\""), r#"{"reason":"no"}"#);
    }
}
