//! `GET /api/metrics`: the counters since the start or the last reset, and how things stand.

mod cache;
mod limits;
mod queues;

pub use cache::{CacheMetrics, CachedRoute};
pub use limits::{BlockedAddress, KeyUse, RejectedKey, RouteLimits};
pub use queues::{QueueMetrics, Rejected, Waiting};

use serde::{Deserialize, Serialize};

use crate::{BreakerTick, Hello, Quota, RolloutTick};

/// The answer of `GET /api/metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    pub epoch: String,
    /// Now, milliseconds since 1970.
    pub at_ms: u64,
    /// When the counters began: the start or the last reset, milliseconds since 1970.
    pub since_ms: u64,
    pub totals: Counts,
    pub routes: Vec<RouteMetrics>,
    pub breakers: Vec<BreakerMetrics>,
    pub rollouts: Vec<RolloutMetrics>,
    pub websocket: WebSocketMetrics,
    /// With `?epoch=E&seq=N`: what `/ws` would say first, so that a page can live by polling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Hello>,
}

/// Requests by how they ended, and their durations in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    pub requests: u64,
    pub answered: u64,
    pub limited: u64,
    pub short_circuited: u64,
    pub failed: u64,
    /// The client went away first.
    pub abandoned: u64,
    pub unmatched: u64,
    /// Found the queue full, or waited in it too long (503).
    #[serde(default)]
    pub shed: u64,
    /// Attempts after the first.
    #[serde(default)]
    pub retries: u64,
    /// Attempts made because the one before was slow, and those of them that answered first.
    #[serde(default)]
    pub hedges: u64,
    #[serde(default)]
    pub hedge_wins: u64,
    /// Answered by something else than the upstream that was asked: a stale answer, a fixed one, another
    /// upstream.
    #[serde(default)]
    pub fallbacks: u64,
    /// Answered out of all that the limits let in, 0 to 1; `None` before the first.
    pub success_rate: Option<f64>,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteMetrics {
    pub path: String,
    pub limits: Vec<Quota>,
    #[serde(flatten)]
    pub counts: Counts,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreakerMetrics {
    pub name: String,
    /// How often it has opened since the start.
    pub trips: u64,
    #[serde(flatten)]
    pub now: BreakerTick,
}

/// A figure that decides, and what it decides at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is, for people.
    pub name: String,
    pub value: f64,
    /// What is reached with this value.
    pub limit: f64,
    /// `%`, `s`, or nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// What happens at the limit: `opens`, `counts`, `closes`, `probes`.
    pub then: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolloutMetrics {
    pub name: String,
    #[serde(flatten)]
    pub now: RolloutTick,
}

/// What the dashboards' connections went through, as they report it themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WebSocketMetrics {
    /// Connected now.
    pub connected: u32,
    /// Accepted since the start.
    pub accepted: u64,
    /// Attempts that clients reported.
    pub attempts: u64,
    /// Sum of the reported lifetimes of connections, milliseconds, and their number.
    pub connected_ms_sum: u64,
    pub connected_ms_count: u64,
    /// Sum of the reported backoff delays, milliseconds, and their number.
    pub delay_ms_sum: u64,
    pub delay_ms_count: u64,
    /// Clients that were too slow and were given a fresh snapshot.
    pub lagged: u64,
    /// Connections closed because of a malformed message.
    pub malformed: u64,
}
