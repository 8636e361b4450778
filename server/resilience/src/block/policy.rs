//! When a key is blocked, and for how long.

use std::time::Duration;

use crate::clock::nanos;

const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);

/// When a key is blocked, and for how long. The default: 100 rejections in a minute; a minute, twice as
/// long each time, at most a day; forgotten after a quiet day.
///
/// ```
/// use std::time::Duration;
/// use rad_resilience::BlockPolicy;
///
/// let minute = Duration::from_mins(1);
/// let policy = BlockPolicy::new(50, minute, 10 * minute)?.growing(3, 120 * minute)?;
/// assert_eq!([1, 2, 3, 4].map(|n| policy.block_for(n) / 60).map(|minutes| minutes.as_secs()), [10, 30, 90, 120]);
/// # Ok::<(), rad_resilience::InvalidBlockPolicy>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPolicy {
    rejections: u32,
    window: Duration,
    block_for: Duration,
    factor: u32,
    at_most: Duration,
    forget_after: Duration,
}

impl Default for BlockPolicy {
    fn default() -> Self {
        Self {
            rejections: 100,
            window: Duration::from_mins(1),
            block_for: Duration::from_mins(1),
            factor: 2,
            at_most: DAY,
            forget_after: DAY,
        }
    }
}

/// Why a policy of blocking is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBlockPolicy {
    #[error("rejections: 0 would block everybody; allowed is 1 or more")]
    NoRejections,
    #[error("factor: {given} is outside 1 to 100")]
    Factor { given: u32 },
    #[error("{name}: {given:?} is outside {least:?} to {most:?}")]
    OutOfRange { name: &'static str, given: Duration, least: Duration, most: Duration },
}

fn within(
    name: &'static str,
    given: Duration,
    least: Duration,
    most: Duration,
) -> Result<Duration, InvalidBlockPolicy> {
    if (least..=most).contains(&given) {
        Ok(given)
    } else {
        Err(InvalidBlockPolicy::OutOfRange { name, given, least, most })
    }
}

impl BlockPolicy {
    /// Blocks a key for `block_for` (1 s to a year) when it is rejected `rejections` times (1 or more)
    /// within `window` (1 s to a day; a sliding window, as [`Strategy::SlidingWindow`](crate::Strategy)
    /// counts it).
    ///
    /// # Errors
    /// Anything outside these bounds.
    pub fn new(rejections: u32, window: Duration, block_for: Duration) -> Result<Self, InvalidBlockPolicy> {
        if rejections == 0 {
            return Err(InvalidBlockPolicy::NoRejections);
        }
        let second = Duration::from_secs(1);
        let window = within("window", window, second, DAY)?;
        let block_for = within("block_for", block_for, second, YEAR)?;
        Ok(Self { rejections, window, block_for, at_most: block_for.max(DAY), ..Self::default() })
    }

    /// Each repetition takes `factor` times as long (1 to 100) as the one before, and none longer than
    /// `at_most` (from the first time to a year).
    ///
    /// # Errors
    /// Anything outside these bounds.
    pub fn growing(mut self, factor: u32, at_most: Duration) -> Result<Self, InvalidBlockPolicy> {
        if !(1..=100).contains(&factor) {
            return Err(InvalidBlockPolicy::Factor { given: factor });
        }
        self.factor = factor;
        self.at_most = within("at_most", at_most, self.block_for, YEAR)?;
        Ok(self)
    }

    /// Repetitions are forgotten when a key was neither blocked nor blocked anew for `quiet` (1 s to a
    /// year).
    ///
    /// # Errors
    /// Anything outside these bounds.
    pub fn forgetting_after(mut self, quiet: Duration) -> Result<Self, InvalidBlockPolicy> {
        self.forget_after = within("forget_after", quiet, Duration::from_secs(1), YEAR)?;
        Ok(self)
    }

    /// How long the `repetition`th block takes, counted from 1.
    #[must_use]
    pub fn block_for(&self, repetition: u32) -> Duration {
        let factor = self.factor.saturating_pow(repetition.saturating_sub(1));
        self.block_for.saturating_mul(factor).min(self.at_most)
    }

    /// Rejections that block.
    #[must_use]
    pub fn rejections(&self) -> u32 {
        self.rejections
    }

    /// The time in which they count.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    pub(super) fn window_ns(&self) -> u64 {
        nanos(self.window)
    }

    pub(super) fn forget_after(&self) -> Duration {
        self.forget_after
    }

    pub(super) fn at_most(&self) -> Duration {
        self.at_most
    }
}
