//! What is worth telling at once: transitions, and what people did.

use serde::{Deserialize, Serialize};

use crate::{Knobs, Quota, Share};

/// Something that happened at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the sequence of frames of this epoch.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. Names are those of the [`crate::Topology`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The share of a rollout was changed.
    RolloutChanged {
        rollout: String,
        from: Share,
        to: Share,
        /// Who did it: `console`, `api`.
        by: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenReason {
    /// This many failures in a row.
    ConsecutiveFailures(u32),
    /// A probe failed.
    ProbeFailed,
    /// The probes did not finish in time.
    HalfOpenTimeout,
}
