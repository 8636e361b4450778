//! Limits that find themselves: as many in flight as the target can take without getting slower.
//!
//! Samples are gathered in windows of about one round trip of all that is in flight, as TCP does, and at
//! the end of each an algorithm moves the limit: [`Gradient`] by latency, [`Aimd`] by what was dropped.
//! Two rules keep healthy traffic whole while they look for the limit:
//!
//! - They never lower the limit to measure something. It falls only on evidence: latency well over its
//!   baseline, or drops.
//! - While the limit is what holds requests back, and latency says that the target does not mind, the limit
//!   doubles with each window (TCP's slow start), so that a cautious first value costs a few round trips in
//!   the queue and no rejection.

mod aimd;
mod gradient;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, TryLockError};
use std::time::Duration;

use super::slots::MAX_LIMIT;
use crate::Timestamp;
use crate::clock::nanos;
pub use aimd::Aimd;
pub use gradient::Gradient;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// From the moment it was sent to the target; its wait for a place is not part of it.
    pub latency: Duration,
    /// Whether the target could not cope: a timeout, a 429 or 503, a refused connection. Errors that have
    /// nothing to do with load do not belong here.
    pub dropped: bool,
}

/// Where the limit may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitBounds {
    min: u32,
    max: u32,
}

/// An adaptive limit that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidAdaptive {
    #[error(
        "min_limit is {min} and max_limit {max}; they must be 1 to {MAX_LIMIT}, and min no more than max"
    )]
    Bounds { min: u32, max: u32 },
    #[error("tolerance is {0}; it must be 1 to 10, times the usual latency")]
    Tolerance(f64),
    #[error("smoothing is {0}; it must be over 0 and at most 1")]
    Smoothing(f64),
    #[error("backoff is {0}; it must be 0.5 to 0.99, the part of the limit that is left after a drop")]
    Backoff(f64),
}

impl LimitBounds {
    /// From `min` to `max`, both included.
    ///
    /// # Errors
    /// [`InvalidAdaptive::Bounds`] unless 1 ≤ `min` ≤ `max` ≤ 16,777,215.
    pub fn new(min: u32, max: u32) -> Result<Self, InvalidAdaptive> {
        if (1..=max).contains(&min) && max <= MAX_LIMIT {
            Ok(Self { min, max })
        } else {
            Err(InvalidAdaptive::Bounds { min, max })
        }
    }

    fn clamp(self, limit: f64) -> f64 {
        limit.clamp(f64::from(self.min), f64::from(self.max))
    }

    fn is_min(self, limit: f64) -> bool {
        limit <= f64::from(self.min)
    }
}

impl Default for LimitBounds {
    /// 10 to 1,000.
    fn default() -> Self {
        Self { min: 10, max: 1_000 }
    }
}

/// What was seen during about one round trip.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Window {
    /// Mean latency of what was not dropped, in seconds; `None` if everything was.
    latency: Option<f64>,
    /// Part of the requests that were dropped, 0 to 1.
    drops: f64,
    /// The most that were in flight or wanted to be.
    wanted: f64,
    /// How long it took, in seconds.
    length: f64,
}

#[derive(Debug)]
enum Algorithm {
    Gradient(Gradient),
    Aimd(Aimd),
}

/// An algorithm with the samples of its present window.
#[derive(Debug)]
pub struct Adaptive {
    algorithm: Mutex<(Algorithm, f64)>,
    started: AtomicU64,
    samples: AtomicU32,
    dropped: AtomicU32,
    wanted: AtomicU32,
    latency: AtomicU64,
}

/// Fewer samples than this decide nothing.
const MIN_SAMPLES: u32 = 10;
/// A window with enough samples ends after this time, even if fewer came than may be in flight.
const MAX_WINDOW: Duration = Duration::from_secs(1);

impl From<Gradient> for Adaptive {
    fn from(gradient: Gradient) -> Self {
        Self::new(Algorithm::Gradient(gradient))
    }
}

impl From<Aimd> for Adaptive {
    fn from(aimd: Aimd) -> Self {
        Self::new(Algorithm::Aimd(aimd))
    }
}

impl Adaptive {
    fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm: Mutex::new((algorithm, 0.0)),
            started: AtomicU64::new(u64::MAX),
            samples: AtomicU32::new(0),
            dropped: AtomicU32::new(0),
            wanted: AtomicU32::new(0),
            latency: AtomicU64::new(0),
        }
    }

    /// Takes note of a request that ended while `wanted` were in flight or wanted to be, with `limit` in
    /// force. Returns the new limit at the end of a window.
    ///
    /// A few additions, but for the one caller in a window that ends it. Samples that arrive while it
    /// does may be counted in the next window.
    pub(super) fn observe(
        &self,
        completion: Completion,
        wanted: u32,
        limit: u32,
        now: Timestamp,
    ) -> Option<u32> {
        self.started.fetch_min(now.as_nanos(), Ordering::Relaxed);
        self.wanted.fetch_max(wanted, Ordering::Relaxed);
        if completion.dropped {
            // A refusal may be quick: its latency says nothing.
            self.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            // An hour is as good as for ever, and no sum of a window overflows.
            let latency = nanos(completion.latency.min(Duration::from_secs(3_600)));
            self.latency.fetch_add(latency, Ordering::Relaxed);
        }
        let samples = self.samples.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let length = now.since(Timestamp::from_nanos(self.started.load(Ordering::Relaxed)));
        if samples < MIN_SAMPLES || (samples < limit && length < MAX_WINDOW) {
            return None;
        }
        self.end_window(limit, now)
    }

    fn end_window(&self, limit: u32, now: Timestamp) -> Option<u32> {
        let mut algorithm = match self.algorithm.try_lock() {
            Ok(algorithm) => algorithm,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody else is at it.
            Err(TryLockError::WouldBlock) => return None,
        };
        let samples = self.samples.swap(0, Ordering::Relaxed);
        if samples < MIN_SAMPLES {
            return None;
        }
        let started = self.started.swap(now.as_nanos(), Ordering::Relaxed);
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        let latency = Duration::from_nanos(self.latency.swap(0, Ordering::Relaxed));
        let served = samples.saturating_sub(dropped);
        let window = Window {
            latency: (served > 0).then(|| latency.as_secs_f64() / f64::from(served)),
            drops: f64::from(dropped.min(samples)) / f64::from(samples),
            wanted: f64::from(self.wanted.swap(0, Ordering::Relaxed)),
            length: now.since(Timestamp::from_nanos(started)).as_secs_f64(),
        };
        // The limit with its fraction, unless somebody set it by hand.
        let (algorithm, exact) = &mut *algorithm;
        if whole(*exact) != limit {
            *exact = f64::from(limit);
        }
        *exact = match algorithm {
            Algorithm::Gradient(gradient) => gradient.next(*exact, &window),
            Algorithm::Aimd(aimd) => aimd.next(*exact, &window),
        };
        Some(whole(*exact))
    }
}

/// The whole part of a limit.
fn whole(limit: f64) -> u32 {
    // The clamp makes the cast exact; a NaN would become 1.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = limit.clamp(1.0, f64::from(MAX_LIMIT)) as u32;
    whole.max(1)
}

#[cfg(test)]
mod simulation;
