//! Who decides for a breaker, and the way back after every change.

use leptos::prelude::*;
use rad_model::BreakerMode;
use serde::Deserialize;

use super::standing::Known;
use crate::components::{Choices, Outcome, OutcomeLine, act};
use crate::live::http;
use crate::settled::settle;
use crate::signals::{aria, flag};

/// Name in the API, and what the button says.
const MODES: [(BreakerMode, &str, &str); 4] = [
    (BreakerMode::Automatic, "automatic", "Automatic"),
    (BreakerMode::ForcedOpen, "forced_open", "Force open"),
    (BreakerMode::Disabled, "disabled", "Disable"),
    (BreakerMode::MetricsOnly, "metrics_only", "Metrics only"),
];

/// What the server did.
#[derive(Deserialize)]
struct Changed {
    from: BreakerMode,
}

/// The modes as buttons, and the reset; pressed is the mode that is in force.
#[component]
pub fn Switches(known: Known, mode: Signal<BreakerMode>) -> impl IntoView {
    let Known { outcome, .. } = known;
    let why = RwSignal::new(String::new());
    let busy = flag(move || outcome.with(|outcome| *outcome == Outcome::Under));
    let set = move |name: &str, reason: &str| {
        let body = format!("{{\"mode\":\"{name}\",{}}}", member(reason));
        let Some(to) = MODES.into_iter().find(|mode| mode.1 == name) else { return };
        let done = move |text: &str| match http::understood::<Changed>(text) {
            Ok(Changed { from }) => {
                why.set(String::new());
                known.changed(Some(to.0));
                let undo = MODES.into_iter().find(|mode| mode.0 == from && from != to.0);
                let undo = undo.map(|mode| mode.1.to_owned()).unwrap_or_default();
                Outcome::Done { said: format!("Changed {} → {}.", from.word(), to.0.word()), undo }
            }
            Err(why) => Outcome::Failed(why),
        };
        act(outcome, "POST", known.url("/mode"), body, Box::new(done));
    };
    let given = move || why.get_untracked().trim().to_owned();
    let reset = move |_| {
        let done = move |_: &str| {
            why.set(String::new());
            known.changed(None);
            let said = "Closed, and what it counted is forgotten.".to_owned();
            Outcome::Done { said, undo: String::new() }
        };
        act(outcome, "POST", known.url("/reset"), format!("{{{}}}", member(&given())), Box::new(done));
    };
    let each = MODES.map(|(_, name, says)| (format!("mode-{name}"), says.to_owned())).to_vec();
    let in_force = Signal::derive(move || MODES.iter().position(|(each, ..)| *each == mode.get()));
    let press = Callback::new(move |at: usize| set(MODES[at].1, &given()));
    let undo = Callback::new(move |from: String| set(&from, "undo"));
    settle(view! {
        <Choices label="Who decides" each in_force busy=busy press/>
        <div class="actions">
            <input
                type="text"
                maxlength="200"
                placeholder="Why (optional)"
                aria-label="Reason for the change"
                prop:value=why
                on:input=move |event| why.set(event_target_value(&event))
            />
            <button data-testid="breaker-reset" aria-disabled=aria(move || busy.get()) on:click=reset>
                "Reset to closed"
            </button>
        </div>
        <OutcomeLine outcome error="breaker-error" undo/>
    })
}

/// The member of a body that says why.
fn member(reason: &str) -> String {
    format!("\"reason\":{}", serde_json::to_string(reason).unwrap_or_else(|_| "\"\"".to_owned()))
}
