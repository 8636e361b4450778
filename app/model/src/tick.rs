//! What happened in one interval (a second), and how things stand at its end.
//!
//! Counts are of the interval alone; durations are microseconds. Success percentages and rates are
//! derived where they are shown.

use serde::{Deserialize, Serialize};

use crate::{Quota, Share};

/// One interval. Its lists have the order of the [`crate::Topology`]; quiet routes are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// Position in the sequence of frames of this epoch.
    pub seq: u64,
    /// The end of the interval, milliseconds since 1970.
    pub at_ms: u64,
    pub totals: Totals,
    /// Only routes that saw a request in this interval or whose limit is in use.
    pub routes: Vec<RouteTick>,
    /// All breakers.
    pub breakers: Vec<BreakerTick>,
    /// All rollouts.
    pub rollouts: Vec<RolloutTick>,
}

/// The whole gateway in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Answered by an upstream with a status below 500, or by a fixed answer.
    pub answered: u32,
    /// Rejected by a limit (429).
    pub limited: u32,
    /// Turned away by a queue (503).
    pub shed: u32,
    /// Rejected by an open breaker (503).
    pub short_circuited: u32,
    /// Answered by an upstream with 5xx, or not at all (502, 504).
    pub failed: u32,
    /// The client went away first: neither a success nor a failure.
    #[serde(default)]
    pub abandoned: u32,
    /// No route (404).
    pub unmatched: u32,
    /// Requests under way at the end of the interval.
    pub in_flight: u32,
    /// Durations of the answered and failed requests; 0 where there was none.
    pub p50_us: u32,
    pub p90_us: u32,
    pub p99_us: u32,
    /// Dashboards connected at the end of the interval.
    pub dashboards: u32,
    /// Lookups that the cache answered, and those that had to be loaded from an upstream.
    pub cached: u32,
    pub loaded: u32,
    /// Requests that hold a place of a queue at the end of the interval, and those that wait for one.
    pub running: u32,
    pub waiting: u32,
}

impl Totals {
    /// All requests of the interval.
    #[must_use]
    pub fn requests(&self) -> u32 {
        let refused = [self.limited, self.shed, self.short_circuited];
        let rest = [self.answered, self.failed, self.abandoned, self.unmatched];
        refused.into_iter().chain(rest).fold(0, u32::saturating_add)
    }

    /// Share of the requests let in by the limits that were answered, 0 to 1; `None` if there was none.
    #[must_use]
    pub fn success(&self) -> Option<f64> {
        let lost = u64::from(self.failed) + u64::from(self.short_circuited);
        let all = lost + u64::from(self.answered);
        // Counts of one interval are far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        (all > 0).then(|| f64::from(self.answered) / all as f64)
    }
}

/// One route in one interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteTick {
    /// Position in [`crate::Topology::routes`].
    pub route: u32,
    pub requests: u32,
    pub limited: u32,
    pub failed: u32,
    pub p99_us: u32,
    /// The fullest limit seen in this interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fullest: Option<LimitUse>,
}

/// How full the limit of the busiest key was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitUse {
    /// Who: a client address, an organisation, a header's value, or `global`.
    pub key: String,
    /// Which of the route's limits.
    pub limit: Quota,
    /// Requests that the limit counts at the moment, up to the capacity.
    pub used: u32,
    /// What the limit allows at once.
    pub capacity: u32,
}

impl LimitUse {
    /// Share of the limit in use, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        f64::from(self.used) / f64::from(self.capacity.max(1))
    }
}

/// The state of a circuit breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Requests pass.
    #[default]
    Closed,
    /// Requests are rejected at once.
    Open,
    /// A few requests pass as probes.
    HalfOpen,
}

impl BreakerState {
    /// `closed`, `open` or `half-open`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// Who decides for a breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerMode {
    /// The breaker.
    #[default]
    Automatic,
    /// Every call is rejected. The state underneath stands still.
    ForcedOpen,
    /// Every call is allowed and still counted (forced closed). The state underneath stands still.
    Disabled,
    /// No call is rejected, but the state changes, and is told, as if the breaker decided: for trying out
    /// thresholds on real traffic.
    MetricsOnly,
}

impl BreakerMode {
    pub const ALL: [Self; 4] = [Self::Automatic, Self::ForcedOpen, Self::Disabled, Self::MetricsOnly];

    /// `automatic`, `forced open`, `disabled` or `metrics only`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::ForcedOpen => "forced open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics only",
        }
    }

    #[must_use]
    pub fn is_automatic(&self) -> bool {
        *self == Self::Automatic
    }
}

/// One breaker at the end of an interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerTick {
    pub state: BreakerState,
    #[serde(default, skip_serializing_if = "BreakerMode::is_automatic")]
    pub mode: BreakerMode,
    /// Failures in a row (closed).
    pub failures: u32,
    /// Successful probes so far (half-open).
    pub successes: u32,
    /// When it lets a probe through (open), or gives up probing (half-open): milliseconds from `at_ms`.
    /// 0 while open: the next request is the probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_ms: Option<u64>,
    /// When this state began, milliseconds since 1970.
    pub since_ms: u64,
    /// Requests that reached the target in this interval, and how many of them failed.
    pub requests: u32,
    pub failed: u32,
    /// Requests rejected in this interval because it was open.
    pub rejected: u32,
}

impl BreakerTick {
    /// Whether it rejects requests, all or those that are no probes.
    #[must_use]
    pub fn rejects(&self) -> bool {
        match self.mode {
            BreakerMode::Automatic => self.state != BreakerState::Closed,
            BreakerMode::ForcedOpen => true,
            BreakerMode::Disabled | BreakerMode::MetricsOnly => false,
        }
    }
}

/// One rollout at the end of an interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RolloutTick {
    /// Share of traffic that goes to the candidate.
    pub candidate_share: Share,
    /// Where it is in its plan: `stage 2 of 4`, `rolled back`.
    #[serde(default)]
    pub phase: String,
    /// The verdict, and what is missing for the next step.
    #[serde(default)]
    pub says: String,
    pub legacy: SideTick,
    pub candidate: SideTick,
}

/// One side of a rollout: what reached it in this interval, and since the rollout was last moved.
///
/// What the gateway itself rejected (limits, open breakers) is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideTick {
    pub requests: u32,
    pub failed: u32,
    pub p99_us: u32,
    /// What the verdict has seen.
    pub total_requests: u64,
    pub total_failed: u64,
    /// Between these bounds its true share of successes lies in 95 % of all cases, in millionths.
    #[serde(default)]
    pub success_from: u32,
    #[serde(default)]
    pub success_to: u32,
}
