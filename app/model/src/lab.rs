//! The knobs of the sample upstreams.

use serde::{Deserialize, Serialize};

/// How a sample upstream behaves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knobs {
    /// Share of requests answered with 500, 0 to 1.
    pub failure_share: f64,
    /// Median time to an answer, milliseconds, up to 60,000.
    pub latency_ms: u32,
}

impl Knobs {
    /// The longest latency that can be set, milliseconds.
    pub const MAX_LATENCY_MS: u32 = 60_000;
}

/// A change of some knobs; what is left out stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnobsPatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_share: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u32>,
}

/// The whole Lab: `GET /api/lab`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabState {
    pub legacy: Knobs,
    pub candidate: Knobs,
    /// Requests a second that the sample traffic sends, up to [`LabState::MAX_RATE`].
    pub requests_per_second: u32,
    /// Requests that each sample upstream has received since the start.
    pub legacy_received: u64,
    pub candidate_received: u64,
}

impl LabState {
    /// The most that the sample traffic sends in a second.
    pub const MAX_RATE: u32 = 1_000;
}
