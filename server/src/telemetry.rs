//! What the gateway did, and who is told.
//!
//! ```text
//! workers ──counters──▶ Registry ──▶ Sampler ──tick──▶ Journal ──frames──▶ dashboards
//!    └────────────transitions, as events──────────────────┘
//! ```
//! One truth: frames, `/api/metrics` and Prometheus all read the same counters.

pub mod browsers;
mod gauge;
pub mod histogram;
pub mod journal;
pub mod log;
pub mod prometheus;
pub mod registry;
pub mod report;
pub mod sampler;

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970; 0 for a clock before that.
#[must_use]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
