//! Who decides for a breaker, and the way back after every change.

use leptos::prelude::*;
use rad_model::BreakerMode;

use super::standing::Known;
use crate::components::{Choices, Outcome, OutcomeLine, Why, act, button, post};
use crate::settled::settle;
use crate::signals::{flag, text};

/// Name in the API, and what the button says.
const MODES: [(BreakerMode, &str, &str); 4] = [
    (BreakerMode::Automatic, "automatic", "Automatic"),
    (BreakerMode::ForcedOpen, "forced_open", "Force open"),
    (BreakerMode::Disabled, "disabled", "Disable"),
    (BreakerMode::MetricsOnly, "metrics_only", "Metrics only"),
];

/// The modes as buttons, and the reset; pressed is the mode that is in force.
#[component]
pub fn Switches(known: Known, mode: Signal<BreakerMode>) -> impl IntoView {
    let outcome = RwSignal::new(Outcome::default());
    let why = Why::new();
    let busy = flag(move || outcome.with(|outcome| *outcome == Outcome::Under));
    let done = Callback::new(move |_| {
        why.clear();
        known.changed();
    });
    let send = move |what: &str, mode: &str| {
        let Some(reason) = why.given(outcome) else { return };
        let body = format!("{{{mode}\"reason\":{reason}}}");
        act(outcome, post(known.url(what), body), done);
    };
    let each = MODES.map(|(_, name, says)| (format!("mode-{name}"), says.to_owned())).to_vec();
    let in_force = Signal::derive(move || MODES.iter().position(|(each, ..)| *each == mode.get()));
    let press = Callback::new(move |at: usize| {
        if let Some((_, name, _)) = MODES.get(at) {
            send("/mode", &format!("\"mode\":\"{name}\","));
        }
    });
    let says = text(|| "Reset to closed".to_owned());
    settle(view! {
        <Choices label="Who decides" each in_force busy=busy press/>
        <div class="actions">
            {why.field("Reason for the change")}
            {button(("", "breaker-reset".to_owned()), says, says, busy, Callback::new(move |()| send("/reset", "")))}
        </div>
        <OutcomeLine outcome error="breaker-error" done/>
    })
}
