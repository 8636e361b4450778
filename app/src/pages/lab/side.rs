//! The knobs of one sample upstream.

use leptos::prelude::*;
use leptos::task::spawn_local;
use rad_model::{Knobs, LabState};

use super::Bench;
use crate::components::{Card, Choices, Knob};
use crate::format;
use crate::live::http;
use crate::settled::settle;
use crate::signals::text;

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
    let preset = |(key, label, ..): (&str, &str, u32, u32)| (format!("lab-{name}-{key}"), label.to_owned());
    let each = PRESETS.map(preset).to_vec();
    let in_force = Signal::derive(move || {
        let Knobs { failure_share, latency_ms } = knobs()?;
        let is = |percent: u32, ms| f64::from(percent) == failure_share * 100.0 && ms == latency_ms;
        PRESETS.iter().position(|(_, _, percent, ms)| is(*percent, *ms))
    });
    let press = Callback::new(move |at: usize| {
        let (_, _, percent, latency_ms) = PRESETS[at];
        turn(Some(percent), Some(latency_ms));
    });
    settle(view! {
        <Card id=format!("lab-{name}") title=name note=note class="acts">{settle(view! {
            <Choices label=format!("Presets of {name}") each in_force press/>
            <Knob
                word="Failures"
                unit="%"
                name=format!("lab-{name}-failure")
                label=format!("Failures of {name} in percent")
                max=100
                value=failure
                change=Callback::new(move |percent| turn(Some(percent), None))
                slider=true
            />
            <Knob
                word="Latency"
                unit="ms"
                name=format!("lab-{name}-latency")
                label=format!("Latency of {name} in milliseconds")
                max=Knobs::MAX_LATENCY_MS
                value=latency
                change=Callback::new(move |ms| turn(None, Some(ms)))
            />
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
