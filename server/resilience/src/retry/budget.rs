//! How much of the traffic may be retries.

use std::time::Duration;

use rad_model::Share;

use super::policy::{InvalidRetry, invalid};
use crate::Timestamp;
use crate::breaker::atomic::{AtomicU64, Ordering};
use crate::breaker::tally::{SLICES, Slice, TallyRing};

/// How much of the traffic may be retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudgetSettings {
    /// Retries as a share of the requests in the window.
    pub share: Share,
    /// Retries a second that are allowed beyond that, 0 to 100,000: without them a service that is asked
    /// seldom would never retry.
    pub minimum_per_second: u32,
    /// The time that requests are remembered for, 1 s to 1 h.
    pub window: Duration,
}

impl Default for RetryBudgetSettings {
    /// A fifth of the requests of the last 10 s, and ten retries a second, as in Finagle and Linkerd.
    fn default() -> Self {
        Self {
            share: Share::from_basis_points(2_000).unwrap_or(Share::NONE),
            minimum_per_second: 10,
            window: Duration::from_secs(10),
        }
    }
}

/// A bound for retries that many callers share, so that retries cannot multiply an outage.
///
/// Each request deposits a share of a token, each retry withdraws a whole one; tokens are good for the
/// window. This is Finagle's `RetryBudget`, on atomics: a withdrawal that races with another for the last
/// token may be refused, but never are more granted than there are.
///
/// ```
/// use rad_resilience::Timestamp;
/// use rad_resilience::retry::{RetryBudget, RetryBudgetSettings};
///
/// let settings = RetryBudgetSettings { minimum_per_second: 0, ..RetryBudgetSettings::default() };
/// let (budget, now) = (RetryBudget::new(settings)?, Timestamp::default());
/// (0..5).for_each(|_| budget.deposit(now));
/// assert!(budget.withdraw(now));
/// assert!(!budget.withdraw(now));
/// assert_eq!(budget.refused(), 1);
/// # Ok::<(), rad_resilience::retry::InvalidRetry>(())
/// ```
#[derive(Debug)]
pub struct RetryBudget {
    settings: RetryBudgetSettings,
    slice_ms: u64,
    reserve: u64,
    requests: TallyRing,
    retries: TallyRing,
    refused: AtomicU64,
}

impl RetryBudget {
    /// A budget that nothing was taken from.
    ///
    /// # Errors
    /// [`InvalidRetry`] for a setting that is out of its bounds, or a budget that never allows anything.
    pub fn new(settings: RetryBudgetSettings) -> Result<Self, InvalidRetry> {
        let RetryBudgetSettings { share, minimum_per_second, window } = settings;
        if minimum_per_second > 100_000 {
            return Err(invalid("minimum_per_second", minimum_per_second, "0 to 100000"));
        }
        if share == Share::NONE && minimum_per_second == 0 {
            return Err(invalid("share", "0 %", "0.01 % to 100 % where minimum_per_second is 0"));
        }
        if window < Duration::from_secs(1) || window > Duration::from_secs(3_600) {
            return Err(invalid("window", format_args!("{window:?}"), "1 s to 1 h"));
        }
        Ok(Self::of(settings))
    }

    fn of(settings: RetryBudgetSettings) -> Self {
        let window_ms = u64::try_from(settings.window.as_millis()).unwrap_or(u64::MAX);
        Self {
            settings,
            slice_ms: window_ms / SLICES as u64,
            reserve: u64::from(settings.minimum_per_second).saturating_mul(window_ms) / 1_000,
            requests: TallyRing::new(),
            retries: TallyRing::new(),
            refused: AtomicU64::new(0),
        }
    }

    fn slice(&self, now: Timestamp) -> Slice {
        Slice::at(crate::breaker::millis(now), 0, self.slice_ms)
    }

    /// A request was made: not a retry.
    pub fn deposit(&self, now: Timestamp) {
        self.requests.add(self.slice(now), 1);
    }

    /// Asks for leave to make a retry.
    #[must_use]
    pub fn withdraw(&self, now: Timestamp) -> bool {
        let slice = self.slice(now);
        let taken = self.retries.add(slice, 1);
        if taken && u64::from(self.retries.sum(slice)) <= self.allowed(slice) {
            return true;
        }
        if taken {
            self.retries.add(slice, -1);
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        false
    }

    fn allowed(&self, slice: Slice) -> u64 {
        let points = u64::from(self.settings.share.basis_points());
        u64::from(self.requests.sum(slice)) * points / 10_000 + self.reserve
    }

    /// Retries that would be allowed at this moment.
    #[must_use]
    pub fn balance(&self, now: Timestamp) -> u64 {
        let slice = self.slice(now);
        self.allowed(slice).saturating_sub(u64::from(self.retries.sum(slice)))
    }

    /// Retries that were refused so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &RetryBudgetSettings {
        &self.settings
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::of(RetryBudgetSettings::default())
    }
}
