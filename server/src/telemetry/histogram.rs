//! Durations in buckets of constant relative width.
//!
//! Sixteen buckets an octave, as HdrHistogram lays them out with four bits of precision: a percentile is
//! off by 3 % at most. Recording is one addition without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

const SUB_BITS: u32 = 4;
const SUB: u64 = 1 << SUB_BITS;
/// The longest duration told apart: 2^28 µs, four and a half minutes.
const MAX_EXPONENT: u32 = 28;
pub const BUCKETS: usize = ((MAX_EXPONENT - SUB_BITS + 1) as usize) << SUB_BITS;

/// The bucket of a duration in microseconds.
#[must_use]
pub fn bucket(us: u64) -> usize {
    let us = us.min((1 << MAX_EXPONENT) - 1);
    if us < SUB {
        return usize::try_from(us).unwrap_or(0);
    }
    let exponent = us.ilog2() - SUB_BITS;
    let index = (u64::from(exponent) << SUB_BITS) + (us >> exponent);
    usize::try_from(index).unwrap_or(BUCKETS - 1).min(BUCKETS - 1)
}

/// The smallest duration above a bucket, microseconds.
#[must_use]
pub fn upper_us(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < SUB {
        return bucket + 1;
    }
    let exponent = (bucket >> SUB_BITS) - 1;
    ((bucket & (SUB - 1)) + SUB + 1) << exponent
}

/// Counts by bucket, written by one thread and read by others.
#[derive(Debug)]
pub struct Histogram {
    counts: Box<[AtomicU64]>,
    sum_us: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), sum_us: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts a duration. Only the shard's own worker may call this: the addition is a load and a store.
    pub fn record(&self, us: u64) {
        let count = &self.counts[bucket(us)];
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.sum_us.store(self.sum_us.load(Ordering::Relaxed).wrapping_add(us), Ordering::Relaxed);
    }

    /// Adds what has been counted to `into`.
    pub fn add_to(&self, into: &mut Counts) {
        for (sum, count) in into.counts.iter_mut().zip(&self.counts) {
            *sum += count.load(Ordering::Relaxed);
        }
        into.sum_us = into.sum_us.wrapping_add(self.sum_us.load(Ordering::Relaxed));
    }
}

/// Counts at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    counts: Vec<u64>,
    sum_us: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], sum_us: 0 }
    }
}

impl Counts {
    /// What was counted since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let counts =
            self.counts.iter().zip(&earlier.counts).map(|(now, then)| now.saturating_sub(*then)).collect();
        Self { counts, sum_us: self.sum_us.wrapping_sub(earlier.sum_us) }
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum += count;
        }
        self.sum_us = self.sum_us.wrapping_add(other.sum_us);
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Sum of all durations, microseconds.
    #[must_use]
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// How many durations were at most `us`, to the precision of the buckets.
    #[must_use]
    pub fn at_most(&self, us: u64) -> u64 {
        self.counts[..bucket(us).min(BUCKETS)].iter().sum()
    }

    /// How many durations are in the bucket of `us`, of which nothing else is known.
    #[must_use]
    pub fn around(&self, us: u64) -> u64 {
        self.counts.get(bucket(us)).copied().unwrap_or_default()
    }

    /// The duration that a share `q` (0 to 1) of all stayed below, microseconds; 0 if there was none.
    #[must_use]
    pub fn quantile_us(&self, q: f64) -> u32 {
        let total = self.total();
        if total == 0 {
            return 0;
        }
        // Counts are far below 2^52.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rank = ((total as f64 * q).ceil() as u64).clamp(1, total);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        let bucket = found.unwrap_or(BUCKETS - 1);
        // The middle of the bucket is nearest to all that fell into it.
        let lower = if bucket == 0 { 0 } else { upper_us(bucket - 1) };
        u32::try_from(lower.midpoint(upper_us(bucket) - 1)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_falls_into_the_bucket_whose_bounds_hold_it() {
        for us in (0..5_000).chain([65_535, 65_536, 1_000_000, 59_999_999, (1 << 28) - 1]) {
            let bucket = bucket(us);
            assert!(us < upper_us(bucket), "{us}");
            assert!(bucket == 0 || us >= upper_us(bucket - 1), "{us}");
        }
    }

    #[test]
    fn a_duration_beyond_the_last_bucket_is_counted_in_it() {
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_within_four_percent() {
        let histogram = Histogram::default();
        (1..=10_000).for_each(|us| histogram.record(us));
        let mut counts = Counts::default();
        histogram.add_to(&mut counts);
        for (q, exact) in [(0.5, 5_000.0), (0.9, 9_000.0), (0.99, 9_900.0)] {
            let error = f64::from(counts.quantile_us(q)) / exact - 1.0;
            assert!(error.abs() < 0.04, "{q}: {error}");
        }
        assert_eq!(counts.since(&counts).quantile_us(0.5), 0);
    }
}
