//! How many may be in flight, how many may wait, and for how long.

use std::time::Duration;

use super::slots::{MAX_LIMIT, MAX_QUEUE};

/// The bounds of a [`Bulkhead`](super::Bulkhead).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadSettings {
    /// Requests in flight at once, 1 to 16,777,215.
    pub limit: u32,
    /// Requests that may wait, 0 (nobody waits) to 65,535.
    pub queue: u32,
    /// How long a request may wait, 1 ms to 1 h.
    pub max_wait: Duration,
    /// From this many waiting requests on, callers are asked to slow down; up to `queue`, and at least 1.
    /// 80 % of the queue if it is not given.
    pub high_water: Option<u32>,
    /// Down to this many, they need not any more; below `high_water`. Half of the queue if it is not given.
    pub low_water: Option<u32>,
}

impl Default for BulkheadSettings {
    fn default() -> Self {
        Self { limit: 100, queue: 100, max_wait: Duration::from_secs(5), high_water: None, low_water: None }
    }
}

/// Settings that no bulkhead can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBulkhead {
    #[error("limit is {0}; it must be 1 to {MAX_LIMIT} requests in flight")]
    Limit(u32),
    #[error("queue is {0}; it must be 0 to {MAX_QUEUE} waiting requests")]
    Queue(u32),
    #[error("max_wait is {0:?}; it must be 1 ms to 1 h (for no waiting at all set queue to 0)")]
    MaxWait(Duration),
    #[error("high_water is {high}; it must be 1 to {queue}, the length of the queue")]
    HighWater { high: u32, queue: u32 },
    #[error("low_water is {low}; it must be below high_water, 0 to {}", high.saturating_sub(1))]
    LowWater { low: u32, high: u32 },
}

/// Settings with every figure decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) high_water: u32,
    pub(super) low_water: u32,
}

impl BulkheadSettings {
    pub(super) fn bounds(&self) -> Result<Bounds, InvalidBulkhead> {
        if !(1..=MAX_LIMIT).contains(&self.limit) {
            return Err(InvalidBulkhead::Limit(self.limit));
        }
        if self.queue > MAX_QUEUE {
            return Err(InvalidBulkhead::Queue(self.queue));
        }
        if !(Duration::from_millis(1)..=Duration::from_secs(3_600)).contains(&self.max_wait) {
            return Err(InvalidBulkhead::MaxWait(self.max_wait));
        }
        let high_water = self.high_water.unwrap_or((self.queue * 4 / 5).max(1));
        if self.high_water.is_some() && !(1..=self.queue).contains(&high_water) {
            return Err(InvalidBulkhead::HighWater { high: high_water, queue: self.queue });
        }
        let low_water = self.low_water.unwrap_or((self.queue / 2).min(high_water - 1));
        if low_water >= high_water {
            return Err(InvalidBulkhead::LowWater { low: low_water, high: high_water });
        }
        Ok(Bounds { high_water, low_water })
    }
}
