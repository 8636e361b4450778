//! The knobs of one sample upstream.

use leptos::prelude::*;
use leptos::task::spawn_local;
use rad_model::{Knobs, LabState};

use super::Bench;
use crate::components::{Card, Choice, Field};
use crate::format;
use crate::live::http;
use crate::settled::settle;
use crate::signals::{aria, text};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Legacy,
    Candidate,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Candidate => "candidate",
        }
    }

    fn knobs(self, state: &LabState) -> Knobs {
        match self {
            Self::Legacy => state.legacy,
            Self::Candidate => state.candidate,
        }
    }

    fn received(self, state: &LabState) -> u64 {
        match self {
            Self::Legacy => state.legacy_received,
            Self::Candidate => state.candidate_received,
        }
    }
}

/// Key, label, failures in percent, latency in milliseconds.
const PRESETS: [(&str, &str, u32, u32); 3] =
    [("healthy", "Healthy", 0, 20), ("slow", "Slow", 0, 2_000), ("broken", "Broken", 100, 20)];

/// Failure share, latency and presets of one side.
#[component]
pub fn SideKnobs(side: Side, bench: Bench) -> impl IntoView {
    let name = side.name();
    let knobs = move || bench.state.get().map(|state| side.knobs(&state));
    let failure =
        Memo::new(move |_| knobs().map_or(0, |knobs| format::whole(knobs.failure_share * 100.0)).to_string());
    let latency = Memo::new(move |_| knobs().map_or(0, |knobs| knobs.latency_ms).to_string());
    let note = text(move || {
        let received = bench.state.get().map_or(0, |state| side.received(&state));
        format!("{} received", format::count(received))
    });
    let turn = move |failure_percent: Option<u32>, latency_ms: Option<u32>| {
        let url = format!("/api/lab/{name}");
        let body = patch(failure_percent, latency_ms);
        spawn_local(async move { bench.take(http::send("PATCH", &url, body).await) });
    };
    let set_failure = Callback::new(move |percent| turn(Some(percent), None));
    let set_latency = Callback::new(move |ms| turn(None, Some(ms)));
    let preset = move |(key, label, percent, latency_ms): (&str, &'static str, u32, u32)| {
        let wanted = Knobs { failure_share: f64::from(percent) / 100.0, latency_ms };
        view! {
            <Choice
                name=format!("lab-{name}-{key}")
                label=label
                pressed=aria(move || knobs() == Some(wanted))
                press=Callback::new(move |()| turn(Some(percent), Some(latency_ms)))
            />
        }
    };
    settle(view! {
        <Card id=format!("lab-{name}") title=name note=note class="acts">{settle(view! {
            <div class="segments fill" role="group" aria-label=format!("Presets of {name}")>
                {PRESETS.map(preset).into_iter().collect_view()}
            </div>
            <label class="knob">
                <span>"Failures"</span>
                <Field
                    kind="range"
                    name=format!("lab-{name}-failure-slider")
                    label=format!("Failures of {name} in percent, slider")
                    max=100
                    value=failure
                    change=set_failure
                />
                <Field
                    kind="number"
                    name=format!("lab-{name}-failure")
                    label=format!("Failures of {name} in percent")
                    max=100
                    value=failure
                    change=set_failure
                />
                <span class="muted">"%"</span>
            </label>
            <label class="knob">
                <span>"Latency"</span>
                <span class="grow"></span>
                <Field
                    kind="number"
                    name=format!("lab-{name}-latency")
                    label=format!("Latency of {name} in milliseconds")
                    max=Knobs::MAX_LATENCY_MS
                    value=latency
                    change=set_latency
                />
                <span class="muted">"ms"</span>
            </label>
        })}</Card>
    })
}

/// The body of a change, a [`rad_model::KnobsPatch`]. By hand: writing floats with serde is heavy in the
/// bundle.
fn patch(failure_percent: Option<u32>, latency_ms: Option<u32>) -> String {
    let failure =
        failure_percent.map(|percent| format!("\"failure_share\":{}.{:02}", percent / 100, percent % 100));
    let latency = latency_ms.map(|ms| format!("\"latency_ms\":{ms}"));
    let members: Vec<_> = failure.into_iter().chain(latency).collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rad_model::KnobsPatch;

    #[test]
    fn a_patch_is_what_the_server_reads() {
        for (percent, share) in [(0, 0.0), (5, 0.05), (35, 0.35), (100, 1.0)] {
            let read: KnobsPatch = serde_json::from_str(&patch(Some(percent), Some(20))).unwrap();
            assert_eq!(read, KnobsPatch { failure_share: Some(share), latency_ms: Some(20) });
        }
        assert_eq!(patch(None, Some(7)), r#"{"latency_ms":7}"#);
    }
}
