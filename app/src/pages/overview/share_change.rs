//! The switch of a rollout: its stages, the way back, and an undo after every change.

use leptos::prelude::*;
use leptos::task::spawn_local;
use rad_model::{RolloutInfo, Share};
use serde::Deserialize;

use crate::components::Choices;
use crate::live::{http, use_live};
use crate::settled::settle;
use crate::signals::{aria, flag, text};

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

/// What became of the last press.
#[derive(Clone, Debug, Default, PartialEq)]
enum Outcome {
    #[default]
    Nothing,
    Under,
    Done(Changed),
    Failed(String),
}

impl Outcome {
    fn is_unanswered(&self) -> bool {
        matches!(self, Self::Failed(why) if why == http::UNANSWERED)
    }
}

/// The stages as buttons; the pressed one is what the server says is in force.
#[component]
pub fn ShareChange(share: Signal<Share>, info: RolloutInfo) -> impl IntoView {
    let live = use_live();
    let outcome = RwSignal::new(Outcome::default());
    // That nobody answered is no news once the connection is back; what the server itself said stays.
    Effect::new(move |was_stale: Option<bool>| {
        let stale = live.stale.get();
        if was_stale == Some(true) && !stale && outcome.get_untracked().is_unanswered() {
            outcome.set(Outcome::Nothing);
        }
        stale
    });
    let why = RwSignal::new(String::new());
    let busy = move || outcome.with(|outcome| *outcome == Outcome::Under);
    let name = StoredValue::new(info.name);
    // `None` takes the way back that needs no number.
    let set = move |percent: Option<Share>, reason: Option<String>| {
        if outcome.get_untracked() == Outcome::Under {
            return;
        }
        outcome.set(Outcome::Under);
        let name = name.get_value();
        let url = format!("/api/rollouts/{name}{}", if percent.is_some() { "" } else { "/rollback" });
        spawn_local(async move {
            let answer = http::send::<Changed>("POST", &url, change(percent, reason.as_deref())).await;
            if let Ok(changed) = &answer {
                live.change_share(&name, changed.to);
            }
            outcome.set(answer.map_or_else(Outcome::Failed, Outcome::Done));
            why.set(String::new());
        });
    };
    let given = move || Some(why.get_untracked().trim().to_owned()).filter(|why| !why.is_empty());
    let said = text(move || match outcome.get() {
        Outcome::Nothing | Outcome::Failed(_) => String::new(),
        Outcome::Under => "Changing…".to_owned(),
        Outcome::Done(Changed { from, to }) if from == to => format!("It was at {to} % already."),
        Outcome::Done(Changed { from, to }) => format!("Changed {from} → {to} %."),
    });
    let error = text(move || match outcome.get() {
        Outcome::Failed(why) => why,
        _ => String::new(),
    });
    let undo = move || match outcome.get() {
        Outcome::Done(change) if change.from != change.to => Some(change),
        _ => None,
    };
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
        <div class="outcome" role="status" hidden=flag(move || outcome.with(|outcome| *outcome == Outcome::Nothing))>
            <span>{said}</span>
            <span class="bad-text" data-testid="rollout-error">{error}</span>
            <button
                data-testid="undo"
                hidden=flag(move || undo().is_none())
                on:click=move |_| {
                    if let Some(Changed { from, to }) = untrack(undo) {
                        set(Some(from), Some(format!("undo of {from} → {to} %")));
                    }
                }
            >
                "Undo"
            </button>
        </div>
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
