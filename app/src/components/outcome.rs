//! What became of the last press, and the way back.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::live::{http, use_live};
use crate::signals::{flag, text};

/// What became of the last press.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Outcome {
    #[default]
    Nothing,
    Under,
    /// What was done, and what `undo` takes to undo it; empty where nothing does.
    Done {
        said: String,
        undo: String,
    },
    Failed(String),
}

/// Sends a change, unless one is under way, and shows what became of it; `done` reads the answer.
pub fn act(
    outcome: RwSignal<Outcome>,
    method: &'static str,
    url: String,
    body: String,
    done: Box<dyn FnOnce(&str) -> Outcome>,
) {
    if outcome.with_untracked(|outcome| *outcome == Outcome::Under) {
        return;
    }
    outcome.set(Outcome::Under);
    spawn_local(async move {
        let became = match http::ask(method, &url, Some(body)).await {
            Ok(text) => done(&text),
            Err(why) => Outcome::Failed(why),
        };
        outcome.set(became);
    });
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
    undo: Callback<String>,
) -> impl IntoView {
    let live = use_live();
    // That nobody answered is no news once the connection is back; what the server itself said stays.
    Effect::new(move |was_stale: Option<bool>| {
        let stale = live.stale.get();
        if was_stale == Some(true) && !stale && outcome.with_untracked(Outcome::is_unanswered) {
            outcome.set(Outcome::Nothing);
        }
        stale
    });
    let said = text(move || match outcome.get() {
        Outcome::Nothing | Outcome::Failed(_) => String::new(),
        Outcome::Under => "Changing…".to_owned(),
        Outcome::Done { said, .. } => said,
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
                hidden=is(|outcome| !matches!(outcome, Outcome::Done { undo, .. } if !undo.is_empty()))
                on:click=move |_| {
                    if let Outcome::Done { undo: to, .. } = outcome.get_untracked() {
                        undo.run(to);
                    }
                }
            >
                "Undo"
            </button>
        </div>
    }
}
