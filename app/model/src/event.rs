//! What is worth telling at once: transitions, and what people did.

use serde::{Deserialize, Serialize};

use crate::{BreakerMode, BreakerState, Knobs, Quota, Share};

mod read;

/// Something that happened at a moment.
///
/// Its `kind` comes before what belongs to the kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Position in the sequence of frames of this epoch.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. Names are those of the [`crate::Topology`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    /// The gateway takes traffic.
    Started { version: String },
    /// A breaker opened.
    BreakerOpened { breaker: String, reason: OpenReason, open_for_ms: u64 },
    /// A breaker lets probes through.
    BreakerHalfOpen { breaker: String, after_ms: u64 },
    /// A breaker closed.
    BreakerClosed { breaker: String, successes: u32 },
    /// Somebody set a breaker back to closed.
    BreakerReset {
        breaker: String,
        from: BreakerState,
        by: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// Somebody took a breaker's decisions over, or gave them back.
    BreakerModeChanged {
        breaker: String,
        from: BreakerMode,
        to: BreakerMode,
        by: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// The share of a rollout was changed.
    RolloutChanged {
        rollout: String,
        from: Share,
        to: Share,
        /// Where it is in its plan from then on: `stage 2 of 4`, `rolled back`.
        #[serde(default)]
        phase: String,
        /// Who did it: `console`, `api`.
        by: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// Another share of the requests is copied to a rollout's candidate.
    ShadowChanged {
        rollout: String,
        from: Share,
        to: Share,
        by: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// What was found by copies was forgotten.
    ShadowReset {
        rollout: String,
        by: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// An address is not served: after too many rejections, or because somebody says so.
    AddressBlocked {
        address: String,
        /// For good if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
        /// Who did it: `limits`, `console`, `api`.
        by: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// Somebody took the block off an address.
    AddressUnblocked { address: String, by: String },
    /// A key ran into a limit; told once a minute for each route and key.
    LimitReached { route: String, key: String, limit: Quota },
    /// The knobs of a sample upstream were turned.
    KnobsTurned { upstream: String, knobs: Knobs },
    /// The sample traffic was changed.
    TrafficChanged { requests_per_second: u32 },
    /// The counters of `/api/metrics` were set to zero.
    MetricsReset,
}

/// Why a breaker opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenReason {
    /// This many failures in a row.
    ConsecutiveFailures(u32),
    /// So many calls of the window failed.
    FailureRate(Rate),
    /// So many calls of the window were slow.
    SlowCallRate(Rate),
    /// A probe failed.
    ProbeFailed,
    /// A probe was slow.
    ProbeSlow,
    /// The probes did not finish in time.
    HalfOpenTimeout,
}

/// A share of the calls in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Those that are counted.
    pub count: u32,
    /// All.
    pub calls: u32,
}

impl Rate {
    /// The share, rounded down to a hundredth of a percent; nothing of no calls.
    #[must_use]
    pub fn share(self) -> Share {
        let points = (u64::from(self.count) * 10_000).checked_div(u64::from(self.calls)).unwrap_or(0);
        u16::try_from(points).ok().and_then(Share::from_basis_points).unwrap_or(Share::ALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_reads_what_it_writes() {
        let name = || "mail".to_owned();
        let share = |percent| Share::from_percent(percent).unwrap();
        let opened = |reason| EventKind::BreakerOpened { breaker: name(), reason, open_for_ms: 60_000 };
        let changed = |reason: &str| EventKind::RolloutChanged {
            rollout: name(),
            phase: "stage 1 of 4".to_owned(),
            from: share(0.25),
            to: share(10.0),
            by: "api".to_owned(),
            reason: reason.to_owned(),
        };
        let knobs = Knobs { failure_share: 0.5, latency_ms: 20 };
        let kinds = [
            EventKind::Started { version: "1.0".to_owned() },
            opened(OpenReason::ConsecutiveFailures(5)),
            opened(OpenReason::ProbeFailed),
            opened(OpenReason::HalfOpenTimeout),
            EventKind::BreakerHalfOpen { breaker: name(), after_ms: 1 },
            EventKind::BreakerClosed { breaker: name(), successes: 2 },
            changed(""),
            changed("first"),
            EventKind::ShadowChanged {
                rollout: name(),
                from: share(0.0),
                to: share(5.0),
                by: name(),
                reason: String::new(),
            },
            EventKind::ShadowReset { rollout: name(), by: name(), reason: name() },
            EventKind::BreakerReset {
                breaker: name(),
                from: BreakerState::Open,
                by: name(),
                reason: String::new(),
            },
            EventKind::BreakerModeChanged {
                breaker: name(),
                from: BreakerMode::Automatic,
                to: BreakerMode::ForcedOpen,
                by: name(),
                reason: name(),
            },
            EventKind::AddressBlocked {
                address: name(),
                for_ms: Some(60_000),
                by: name(),
                reason: String::new(),
            },
            EventKind::AddressBlocked { address: name(), for_ms: None, by: name(), reason: name() },
            EventKind::AddressUnblocked { address: name(), by: name() },
            EventKind::LimitReached { route: name(), key: name(), limit: "5/10s".parse().unwrap() },
            EventKind::KnobsTurned { upstream: name(), knobs },
            EventKind::TrafficChanged { requests_per_second: 3 },
            EventKind::MetricsReset,
        ];
        for kind in kinds {
            let event = Event { seq: 1, at_ms: 2, kind };
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
        }
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for text in [
            r#"{"seq":1,"at_ms":2}"#,
            r#"{"seq":1,"at_ms":2,"kind":"nonsense"}"#,
            r#"{"seq":1,"kind":"metrics_reset"}"#,
            r#"{"seq":1,"at_ms":2,"kind":"breaker_closed","breaker":"mail"}"#,
        ] {
            assert!(serde_json::from_str::<Event>(text).is_err(), "{text}");
        }
    }
}
