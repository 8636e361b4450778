//! What a bulkhead counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Priority;
use crate::clock::nanos;

/// Why a request got no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// As many wait already as may wait.
    Full,
    /// It waited for as long as it may.
    WaitedTooLong,
    /// It had to leave the full queue for a more urgent one.
    Shed,
}

impl RejectReason {
    /// All reasons, in the order of [`BulkheadFigures::rejected`].
    pub const ALL: [Self; 3] = [Self::Full, Self::WaitedTooLong, Self::Shed];
}

/// A request got no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}; try again in {retry_after:?}", match reason {
    RejectReason::Full => "the queue is full",
    RejectReason::WaitedTooLong => "waited for too long",
    RejectReason::Shed => "gave way to a more urgent request",
})]
pub struct BulkheadRejection {
    pub reason: RejectReason,
    /// When there will probably be room: the time that a place took lately, times the requests ahead.
    pub retry_after: Duration,
}

/// A bulkhead at a moment, and what it did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BulkheadFigures {
    pub in_flight: u32,
    pub limit: u32,
    /// Waiting requests by priority, in the order of [`Priority::ALL`].
    pub waiting: [usize; Priority::ALL.len()],
    /// Whether callers are asked to slow down.
    pub backpressure: bool,
    /// Rejected requests by reason, in the order of [`RejectReason::ALL`].
    pub rejected: [u64; RejectReason::ALL.len()],
    /// Requests that waited and got a place.
    pub waited: u64,
    /// How long all of them waited together.
    pub waited_total: Duration,
    /// How long the longest of them waited.
    pub waited_longest: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    rejected: [AtomicU64; RejectReason::ALL.len()],
    waited: AtomicU64,
    waited_total: AtomicU64,
    waited_longest: AtomicU64,
    /// Nanoseconds that the queue took to move on by one, smoothed; 0 while unknown.
    pace: AtomicU64,
}

/// How much a new observation of the pace counts: one part in this many.
const PACE_SMOOTHING: u64 = 8;

impl Counters {
    pub(super) fn rejected(&self, reason: RejectReason) {
        self.rejected[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A request got its place after it had waited behind `ahead` others.
    pub(super) fn served(&self, waited: Duration, ahead: usize) {
        let waited = nanos(waited);
        self.waited.fetch_add(1, Ordering::Relaxed);
        self.waited_total.fetch_add(waited, Ordering::Relaxed);
        self.waited_longest.fetch_max(waited, Ordering::Relaxed);
        let seen = waited / (ahead as u64 + 1);
        // An estimate: what another thread writes in between may be lost.
        let pace = match self.pace.load(Ordering::Relaxed) {
            0 => seen,
            pace => pace - pace / PACE_SMOOTHING + seen / PACE_SMOOTHING,
        };
        self.pace.store(pace.max(1), Ordering::Relaxed);
    }

    /// Nobody got a place for so long: it takes at least that long now.
    pub(super) fn gave_up(&self, waited: Duration, ahead: usize) {
        self.pace.fetch_max(nanos(waited) / (ahead as u64 + 1), Ordering::Relaxed);
    }

    /// When the queue will have moved on by `places`; `unknown` if nothing has been seen of it yet.
    pub(super) fn retry_after(&self, places: usize, unknown: Duration) -> Duration {
        match self.pace.load(Ordering::Relaxed) {
            0 => unknown,
            pace => Duration::from_nanos(pace.saturating_mul(places as u64 + 1)),
        }
    }

    pub(super) fn fill(&self, figures: &mut BulkheadFigures) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        figures.rejected = std::array::from_fn(|at| load(&self.rejected[at]));
        figures.waited = load(&self.waited);
        figures.waited_total = Duration::from_nanos(load(&self.waited_total));
        figures.waited_longest = Duration::from_nanos(load(&self.waited_longest));
    }
}
