//! One window of a policy, whatever its strategy.

use rad_model::Quota;

use super::aligned::Aligned;
use super::gcra::Bucket;
use super::policy::{interval_ns, window_ns};
use super::{Policy, Strategy};

/// The state of one window for one key. All zero is a window that is whole; strategies that need one word
/// leave the second zero, and the table does not store it.
pub(crate) type Words = [u64; 2];

/// The wait for what a window never allows.
pub(super) const NEVER: u64 = u64::MAX;

/// Where a key stands in a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauge {
    pub remaining: u32,
    /// Nanoseconds.
    pub whole_after: u64,
    /// How much would be forgotten with the key: nanoseconds of a steady stream at the limit. 0 if the
    /// window is whole.
    pub weight: u64,
}

#[derive(Debug)]
enum Kind {
    Bucket(Bucket),
    Aligned(Aligned),
}

#[derive(Debug)]
pub(super) struct Window {
    pub quota: Quota,
    pub capacity: u32,
    kind: Kind,
}

macro_rules! each {
    ($self:ident, $window:ident => $does:expr) => {
        match &$self.kind {
            Kind::Bucket($window) => $does,
            Kind::Aligned($window) => $does,
        }
    };
}

impl Window {
    pub(super) fn new(policy: &Policy, quota: Quota) -> Self {
        let capacity = policy.capacity(quota);
        let aligned = |sliding| {
            let origin = policy.alignment().as_nanos();
            Kind::Aligned(Aligned::new(window_ns(quota), quota.requests(), origin, sliding))
        };
        let kind = match policy.strategy() {
            Strategy::TokenBucket => Kind::Bucket(Bucket::new(interval_ns(quota), capacity, capacity)),
            Strategy::LeakyBucket => {
                Kind::Bucket(Bucket::new(interval_ns(quota), capacity, quota.requests()))
            }
            Strategy::SlidingWindow => aligned(true),
            Strategy::FixedWindow => aligned(false),
        };
        Self { quota, capacity, kind }
    }

    /// Brings the state to the moment: rolls windows on, and mends what a clock that went backwards left.
    #[inline]
    pub(super) fn settle(&self, words: &mut Words, now: u64) {
        each!(self, window => window.settle(words, now));
    }

    /// The state after `n` requests, or the nanoseconds until they would pass. The state must be settled.
    #[inline]
    pub(super) fn take(&self, words: Words, n: u32, now: u64) -> Result<Words, u64> {
        each!(self, window => window.take(words, n, now))
    }

    #[inline]
    pub(super) fn gauge(&self, words: Words, now: u64) -> Gauge {
        each!(self, window => window.gauge(words, now))
    }

    /// Nanoseconds until `remaining` grows; 0 if the window is whole. The state must be settled.
    pub(super) fn more_after(&self, words: Words, gauge: &Gauge, now: u64) -> u64 {
        if gauge.remaining == self.capacity {
            return 0;
        }
        match &self.kind {
            Kind::Bucket(bucket) => bucket.more_after(gauge),
            Kind::Aligned(aligned) => aligned.take(words, gauge.remaining + 1, now).err().unwrap_or(0),
        }
    }

    pub(super) fn give_back(&self, words: Words, n: u32, now: u64) -> Words {
        each!(self, window => window.give_back(words, n, now))
    }
}
