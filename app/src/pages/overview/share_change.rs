//! The switch of a rollout: its stages, the way back, and an undo after every change.

use leptos::prelude::*;
use rad_model::{RolloutInfo, Share};
use serde::Deserialize;

use crate::components::{Choices, Outcome, OutcomeLine, act};
use crate::live::{http, use_live};
use crate::settled::settle;
use crate::signals::{aria, flag};

/// The body of a change. By hand: writing floats with serde is heavy in the bundle.
fn change(percent: Option<Share>, reason: Option<&str>) -> String {
    let percent = percent.map(|share| format!("\"percent\":{share}"));
    let reason =
        reason.and_then(|reason| serde_json::to_string(reason).ok()).map(|r| format!("\"reason\":{r}"));
    let members: Vec<_> = percent.into_iter().chain(reason).collect();
    format!("{{{}}}", members.join(","))
}

/// What the server did.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
struct Changed {
    from: Share,
    to: Share,
}

/// The stages as buttons; the pressed one is what the server says is in force.
#[component]
pub fn ShareChange(share: Signal<Share>, info: RolloutInfo) -> impl IntoView {
    let live = use_live();
    let outcome = RwSignal::new(Outcome::default());
    let why = RwSignal::new(String::new());
    let busy = move || outcome.with(|outcome| *outcome == Outcome::Under);
    let name = StoredValue::new(info.name);
    // `None` takes the way back that needs no number.
    let set = move |percent: Option<Share>, reason: Option<String>| {
        let name = name.get_value();
        let url = format!("/api/rollouts/{name}{}", if percent.is_some() { "" } else { "/rollback" });
        let done = move |text: &str| match http::understood::<Changed>(text) {
            Ok(Changed { from, to }) => {
                live.change_share(&name, to);
                why.set(String::new());
                if from == to {
                    let said = format!("It was at {to} % already.");
                    return Outcome::Done { said, undo: String::new() };
                }
                Outcome::Done {
                    said: format!("Changed {from} → {to} %."),
                    undo: from.basis_points().to_string(),
                }
            }
            Err(why) => Outcome::Failed(why),
        };
        act(outcome, "POST", url, change(percent, reason.as_deref()), Box::new(done));
    };
    let given = move || Some(why.get_untracked().trim().to_owned()).filter(|why| !why.is_empty());
    let mut stages = info.stages.clone();
    stages.insert(0, Share::NONE);
    stages.dedup();
    let button = |stage: &Share| {
        let says = if *stage == Share::ALL { "100 %".to_owned() } else { stage.to_string() };
        (format!("share-{stage}"), says)
    };
    let each = stages.iter().map(button).collect();
    let stages = StoredValue::new(stages);
    let in_force = Signal::derive(move || {
        stages.with_value(|stages| stages.iter().position(|stage| *stage == share.get()))
    });
    let press = Callback::new(move |at: usize| {
        if let Some(stage) = stages.with_value(|stages| stages.get(at).copied()) {
            set(Some(stage), given());
        }
    });
    // In hundredths of a percent: what reads fractions from a text is heavy in the bundle.
    let undo = Callback::new(move |from: String| {
        if let Some(from) = from.parse().ok().and_then(Share::from_basis_points) {
            let reason = format!("undo of {from} → {} %", share.get_untracked());
            set(Some(from), Some(reason));
        }
    });
    settle(view! {
        <Choices label="Candidate share in percent" each in_force busy=flag(busy) press/>
        <div class="actions">
            <input
                type="text"
                maxlength="200"
                placeholder="Why (optional)"
                aria-label="Reason for the change"
                prop:value=why
                on:input=move |event| why.set(event_target_value(&event))
            />
            <button
                class="danger"
                data-testid="rollback"
                aria-disabled=aria(busy)
                on:click=move |_| set(None, given())
            >
                "Roll back now"
            </button>
        </div>
        <OutcomeLine outcome error="rollout-error" undo/>
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_carries_only_what_was_given() {
        let half = Share::from_percent(12.5);
        assert_eq!(change(half, None), r#"{"percent":12.5}"#);
        assert_eq!(change(None, Some("say \"no\"")), r#"{"reason":"say \"no\""}"#);
        assert_eq!(change(None, None), "{}");
    }
}
