//! The switch of a rollout: its stages, the way back, and an undo after every change.

use leptos::prelude::*;
use leptos::task::spawn_local;
use rad_model::{RolloutInfo, Share};
use serde::Deserialize;

use crate::components::Choice;
use crate::live::http;
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

/// The stages as buttons; the pressed one is what the server says is in force.
#[component]
pub fn ShareChange(share: Signal<Share>, info: RolloutInfo) -> impl IntoView {
    let outcome = RwSignal::new(Outcome::default());
    let why = RwSignal::new(String::new());
    let busy = move || outcome.with(|outcome| *outcome == Outcome::Under);
    let url = StoredValue::new(format!("/api/rollouts/{}", info.name));
    // `None` takes the way back that needs no number.
    let set = move |percent: Option<Share>, reason: Option<String>| {
        if outcome.get_untracked() == Outcome::Under {
            return;
        }
        outcome.set(Outcome::Under);
        let url = if percent.is_some() { url.get_value() } else { format!("{}/rollback", url.get_value()) };
        spawn_local(async move {
            let answer = http::send::<Changed>("POST", &url, change(percent, reason.as_deref())).await;
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
    let button = move |stage: Share| {
        view! {
            <Choice
                name=format!("share-{stage}")
                label=if stage == Share::ALL { "100 %".to_owned() } else { stage.to_string() }
                pressed=aria(move || share.get() == stage)
                busy=aria(busy)
                press=Callback::new(move |()| set(Some(stage), given()))
            />
        }
    };
    settle(view! {
        <div class="segments fill" role="group" aria-label="Candidate share in percent">
            {stages.into_iter().map(button).collect_view()}
        </div>
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
