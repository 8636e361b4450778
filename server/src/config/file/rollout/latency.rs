//! `[rollouts.NAME.latency]`: how fast the candidate must be.

use std::time::Duration;

use super::super::super::read::{Table, duration, number};
use crate::rollout::LatencyGuard;

/// Longer ones are not told apart.
const LIMITS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(240));

pub fn read(table: &mut Table<'_>) -> LatencyGuard {
    let quantile = number("a share of requests", "write a number from 0.5 to 0.999, such as 0.99", |share| {
        (0.5..=0.999).contains(&share).then_some(share)
    });
    let times = number("a factor", "write a number from 1 to 10, such as 1.2", |times| {
        (1.0..=10.0).contains(&times).then_some(times)
    });
    LatencyGuard {
        quantile: table.value("quantile", &quantile).unwrap_or(0.99),
        at_most: table.value("at_most", &duration(LIMITS.0..=LIMITS.1)),
        no_slower_than: table.value("no_slower_than", &times),
    }
}
