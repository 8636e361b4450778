//! What `GET /api/queues` answers.

use serde::{Deserialize, Serialize};

/// The queue of a route at a moment, and what it did since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueMetrics {
    pub path: String,
    pub in_flight: u32,
    /// How many may be in flight.
    pub limit: u32,
    /// Whether that number follows the upstream's latency.
    pub is_adaptive: bool,
    /// How many may wait.
    pub capacity: u32,
    /// Requests that wait, by their priority.
    pub waiting: Waiting,
    /// More wait than is good: callers should slow down.
    pub backpressure: bool,
    pub rejected: Rejected,
    /// Requests that had to wait and got a place, how long all of them waited, and the longest.
    pub waited: u64,
    pub waited_ms_total: u64,
    pub waited_ms_longest: u64,
}

/// Waiting requests by priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub low: u32,
    pub normal: u32,
    pub high: u32,
    pub critical: u32,
}

impl Waiting {
    /// All of them.
    #[must_use]
    pub fn sum(&self) -> u32 {
        [self.normal, self.high, self.critical].into_iter().fold(self.low, u32::saturating_add)
    }
}

/// Requests that got no place, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// As many waited already as may wait.
    pub full: u64,
    pub waited_too_long: u64,
    /// Had to leave the full queue for a more urgent one.
    pub shed: u64,
}
