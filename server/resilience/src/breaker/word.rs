//! The state of a breaker in 64 bits, so that it changes as a whole.
//!
//! ```text
//!  63 62 61 60 59    55 54   52 51                            14 13          0
//! ┌─────┬─────┬────────┬───────┬────────────────────────────────┬─────────────┐
//! │mode │state│ streak │ ahead │ generation, about ms           │ counts      │
//! └─────┴─────┴────────┴───────┴────────────────────────────────┴─────────────┘
//! ```
//! A period is the time between two changes of state. Its generation is the moment at which it began, in
//! milliseconds, but always one more than the generation before, even if the clock stood still or went
//! backwards: permits and windows carry it, and no two periods share it. By how much it runs ahead of the
//! clock for that is kept beside it, up to 7 ms, so that ages are true. 38 bits of milliseconds last eight
//! years.
//!
//! The streak counts the times that the breaker opened without having been closed for long since. Counts
//! are failures in a row (closed), or probes under way and successes, seven bits each (half-open).

use std::time::Duration;

use rad_model::BreakerState;

use super::Mode;
use crate::Timestamp;

const COUNT_BITS: u32 = 14;
const PROBE_BITS: u32 = 7;
const TIME_BITS: u32 = 38;
const AHEAD_SHIFT: u32 = COUNT_BITS + TIME_BITS;
const MAX_AHEAD: u64 = 7;
const STREAK_SHIFT: u32 = 55;
const MAX_STREAK: u64 = 31;
const STATE_SHIFT: u32 = 60;
const MODE_SHIFT: u32 = 62;
/// The state of a permit that belongs to no period's count.
const UNBOUND: u64 = 3;

/// The largest number of failures in a row.
pub(super) const MAX_COUNT: u32 = (1 << COUNT_BITS) - 1;
/// The largest number of probes.
pub(super) const MAX_PROBES: u32 = (1 << PROBE_BITS) - 1;
/// The latest moment that can be told apart, in ms.
const MAX_MS: u64 = (1 << TIME_BITS) - 1;

/// A moment as breakers see it: milliseconds, at most eight years.
pub(crate) fn millis(now: Timestamp) -> u64 {
    (now.as_nanos() / 1_000_000).min(MAX_MS)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

impl Word {
    /// Closed since the origin of the clock.
    pub(super) const NEW: Self = Self(0);

    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    /// The common case, in one comparison.
    pub(super) const fn is_plainly_closed(self) -> bool {
        self.0 >> STATE_SHIFT == 0
    }

    pub(super) fn mode(self) -> Mode {
        match self.0 >> MODE_SHIFT {
            0 => Mode::Automatic,
            1 => Mode::ForcedOpen,
            2 => Mode::Disabled,
            _ => Mode::MetricsOnly,
        }
    }

    pub(super) fn with_mode(self, mode: Mode) -> Self {
        let bits = match mode {
            Mode::Automatic => 0,
            Mode::ForcedOpen => 1,
            Mode::Disabled => 2,
            Mode::MetricsOnly => 3,
        };
        Self(self.0 & !(3 << MODE_SHIFT) | bits << MODE_SHIFT)
    }

    pub(super) fn state(self) -> BreakerState {
        match (self.0 >> STATE_SHIFT) & 3 {
            0 => BreakerState::Closed,
            1 => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        }
    }

    /// The same period with a state that no breaker has: for a permit whose result must not count.
    pub(super) fn unbound(self) -> Self {
        Self(self.0 | UNBOUND << STATE_SHIFT)
    }

    pub(super) fn is_unbound(self) -> bool {
        (self.0 >> STATE_SHIFT) & 3 == UNBOUND
    }

    /// Same state and same generation; mode and counts may differ.
    pub(super) fn is_same_period(self, other: Self) -> bool {
        const PERIOD: u64 = 3 << STATE_SHIFT | MAX_MS << COUNT_BITS;
        (self.0 ^ other.0) & PERIOD == 0
    }

    /// What tells the period apart from all others: about the ms at which it began.
    pub(super) fn generation(self) -> u64 {
        (self.0 >> COUNT_BITS) & MAX_MS
    }

    /// The period as windows know it. Only closed periods are judged by a window; those that are counted for
    /// people alone, while somebody disabled the breaker, are kept apart by the lowest bit: they may begin
    /// with a slice of the closed period before.
    pub(super) fn window_period(self) -> u64 {
        self.generation() << 1 | u64::from(self.state() != BreakerState::Closed)
    }

    /// How long the period has lasted; zero for a clock that went backwards.
    pub(super) fn age(self, now: Timestamp) -> Duration {
        let ahead = (self.0 >> AHEAD_SHIFT) & MAX_AHEAD;
        let began = self.generation().saturating_sub(ahead);
        Duration::from_millis(millis(now).saturating_sub(began))
    }

    /// Times that it opened without having been closed for long since, 31 at most; 0 if it never opened.
    pub(super) fn streak(self) -> u32 {
        u32::try_from((self.0 >> STREAK_SHIFT) & MAX_STREAK).unwrap_or(0)
    }

    /// A new period, with a generation over `floor`.
    fn next(self, state: u64, streak: u32, now: Timestamp, floor: u64) -> Self {
        let now = millis(now);
        let generation = now.max(self.generation().max(floor) + 1).min(MAX_MS);
        let ahead = generation.saturating_sub(now).min(MAX_AHEAD);
        let mode = self.0 & (3 << MODE_SHIFT);
        let streak = u64::from(streak).min(MAX_STREAK);
        Self(
            mode | state << STATE_SHIFT
                | streak << STREAK_SHIFT
                | ahead << AHEAD_SHIFT
                | generation << COUNT_BITS,
        )
    }

    /// Closed, after `latest_ms`: what was counted under a clock that then went backwards must not get into
    /// the window of the new period.
    pub(super) fn closed_again(self, now: Timestamp, latest_ms: u64) -> Self {
        self.next(0, self.streak(), now, latest_ms)
    }

    pub(super) fn opened(self, streak: u32, now: Timestamp) -> Self {
        self.next(1, streak, now, 0)
    }

    pub(super) fn half_opened(self, now: Timestamp) -> Self {
        self.next(2, self.streak(), now, 0)
    }

    /// Closed, with nothing remembered but the mode.
    pub(super) fn reset(self, now: Timestamp, latest_ms: u64) -> Self {
        self.next(0, 0, now, latest_ms)
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
