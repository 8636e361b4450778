//! The state of a breaker in 64 bits, so that it changes as a whole.
//!
//! ```text
//!  63 62  61     54 53                            14 13          0
//! ┌─────┬──────────┬────────────────────────────────┬─────────────┐
//! │state│generation│ when the state began, in ms    │ counts      │
//! └─────┴──────────┴────────────────────────────────┴─────────────┘
//! ```
//! Counts are failures in a row (closed), or probes under way and successes, seven bits each (half-open).
//! 40 bits of milliseconds last 34 years. The generation tells apart periods that begin in the same
//! millisecond.

use std::time::Duration;

use rad_model::BreakerState;

use crate::Timestamp;

const COUNT_BITS: u32 = 14;
const PROBE_BITS: u32 = 7;
const TIME_BITS: u32 = 40;
const GENERATION_SHIFT: u32 = COUNT_BITS + TIME_BITS;
const STATE_SHIFT: u32 = 62;

/// The largest number of failures in a row.
pub(super) const MAX_COUNT: u32 = (1 << COUNT_BITS) - 1;
/// The largest number of probes.
pub(super) const MAX_PROBES: u32 = (1 << PROBE_BITS) - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

impl Word {
    fn new(state: u64, generation: u64, began_ms: u64) -> Self {
        let time = began_ms.min((1 << TIME_BITS) - 1);
        Self(state << STATE_SHIFT | (generation & 0xff) << GENERATION_SHIFT | time << COUNT_BITS)
    }

    pub(super) fn closed(generation: u64, began_ms: u64) -> Self {
        Self::new(0, generation, began_ms)
    }

    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    pub(super) fn state(self) -> BreakerState {
        match self.0 >> STATE_SHIFT {
            0 => BreakerState::Closed,
            1 => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        }
    }

    fn generation(self) -> u64 {
        (self.0 >> GENERATION_SHIFT) & 0xff
    }

    /// Same state, same generation, same beginning; the counts may differ.
    pub(super) fn is_same_period(self, other: Self) -> bool {
        self.0 >> COUNT_BITS == other.0 >> COUNT_BITS
    }

    /// How long the state has lasted.
    pub(super) fn age(self, now: Timestamp) -> Duration {
        let began = (self.0 >> COUNT_BITS) & ((1 << TIME_BITS) - 1);
        Duration::from_millis((now.as_nanos() / 1_000_000).saturating_sub(began))
    }

    fn next(self, state: u64, now: Timestamp) -> Self {
        Self::new(state, self.generation() + 1, now.as_nanos() / 1_000_000)
    }

    pub(super) fn closed_again(self, now: Timestamp) -> Self {
        self.next(0, now)
    }

    pub(super) fn opened(self, now: Timestamp) -> Self {
        self.next(1, now)
    }

    pub(super) fn half_opened(self, now: Timestamp) -> Self {
        self.next(2, now)
    }

    fn counts(self) -> u32 {
        // Fourteen bits.
        u32::try_from(self.0 & u64::from(MAX_COUNT)).unwrap_or(MAX_COUNT)
    }

    fn with_counts(self, counts: u32) -> Self {
        Self(self.0 & !u64::from(MAX_COUNT) | u64::from(counts.min(MAX_COUNT)))
    }

    pub(super) fn failures(self) -> u32 {
        if self.state() == BreakerState::Closed { self.counts() } else { 0 }
    }

    pub(super) fn with_failures(self, failures: u32) -> Self {
        self.with_counts(failures)
    }

    pub(super) fn successes(self) -> u32 {
        if self.state() == BreakerState::HalfOpen { self.counts() & MAX_PROBES } else { 0 }
    }

    pub(super) fn with_successes(self, successes: u32) -> Self {
        self.with_counts(self.probes() << PROBE_BITS | successes.min(MAX_PROBES))
    }

    /// Probes under way.
    pub(super) fn probes(self) -> u32 {
        if self.state() == BreakerState::HalfOpen { self.counts() >> PROBE_BITS } else { 0 }
    }

    fn with_probes(self, probes: u32) -> Self {
        self.with_counts(probes.min(MAX_PROBES) << PROBE_BITS | self.successes())
    }

    pub(super) fn with_probe(self) -> Self {
        self.with_probes(self.probes() + 1)
    }

    pub(super) fn without_probe(self) -> Self {
        self.with_probes(self.probes().saturating_sub(1))
    }
}
