//! What became of the last press, and the way back.

use leptos::prelude::*;
use leptos::task::spawn_local;
use rad_model::{Call, Receipt};

use crate::live::{http, use_live};
use crate::signals::{effect, flag, text};

/// What became of the last press.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Outcome {
    #[default]
    Nothing,
    Under,
    /// As the server tells it.
    Done(Receipt),
    Failed(String),
}

/// Sends a change, unless one is under way, and shows what became of it; `done` reads the answer.
pub fn act(outcome: RwSignal<Outcome>, call: Call, done: Callback<String>) {
    if outcome.with_untracked(|outcome| *outcome == Outcome::Under) {
        return;
    }
    outcome.set(Outcome::Under);
    spawn_local(async move {
        let answer = http::ask(&call.method, &call.path, Some(call.body)).await;
        let became = answer.and_then(|text| {
            let receipt = http::understood(&text)?;
            // In a page that is gone there is nothing to show it.
            done.try_run(text);
            Ok(receipt)
        });
        let _ = outcome.try_set(became.map_or_else(Outcome::Failed, Outcome::Done));
    });
}

/// A change that is posted.
pub fn post(path: String, body: String) -> Call {
    Call { method: "POST".to_owned(), path, body }
}

/// A text as JSON has it.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

impl Outcome {
    fn is_unanswered(&self) -> bool {
        matches!(self, Self::Failed(why) if why == http::UNANSWERED)
    }
}

/// The line under the buttons.
#[component]
pub fn OutcomeLine(
    outcome: RwSignal<Outcome>,
    /// Names the error in tests.
    error: &'static str,
    /// Reads the answer, when what was done is undone.
    done: Callback<String>,
) -> impl IntoView {
    let live = use_live();
    // That nobody answered is no news once the connection is back; what the server itself said stays.
    let mut was_stale = false;
    effect(move || {
        let stale = live.stale.get();
        if was_stale && !stale && outcome.with_untracked(Outcome::is_unanswered) {
            outcome.set(Outcome::Nothing);
        }
        was_stale = stale;
    });
    let said = text(move || match outcome.get() {
        Outcome::Nothing | Outcome::Failed(_) => String::new(),
        Outcome::Under => "Changing…".to_owned(),
        Outcome::Done(receipt) => receipt.says,
    });
    let wrong = text(move || match outcome.get() {
        Outcome::Failed(why) => why,
        _ => String::new(),
    });
    let is = move |what: fn(&Outcome) -> bool| flag(move || outcome.with(what));
    view! {
        <div class="outcome" role="status" hidden=is(|outcome| *outcome == Outcome::Nothing)>
            <span>{said}</span>
            <span class="bad-text" data-testid=error>{wrong}</span>
            <button
                data-testid="undo"
                hidden=is(|outcome| !matches!(outcome, Outcome::Done(Receipt { undo: Some(_), .. })))
                on:click=move |_| {
                    if let Outcome::Done(Receipt { undo: Some(call), .. }) = outcome.get_untracked() {
                        act(outcome, call, done);
                    }
                }
            >
                "Undo"
            </button>
        </div>
    }
}
