//! A limit without keys.

use std::time::Duration;

use super::{Decision, Limiter, NotReady, Policy};
use crate::{Clock, Timestamp};

/// One limit for everybody.
///
/// ```
/// use rad_resilience::{DirectLimiter, Policy, Strategy, Timestamp};
///
/// let limiter = DirectLimiter::new(Policy::new(Strategy::FixedWindow, &["50/hour".parse()?])?);
/// assert_eq!(limiter.check(Timestamp::default()).remaining, 49);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DirectLimiter(Limiter<()>);

impl DirectLimiter {
    /// A limiter that enforces `policy`.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self(Limiter::new(policy, 1))
    }

    /// What it enforces.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        self.0.policy()
    }

    /// As [`Limiter::check`].
    pub fn check(&self, now: Timestamp) -> Decision {
        self.0.check(&(), now)
    }

    /// As [`Limiter::check_n`].
    pub fn check_n(&self, n: u32, now: Timestamp) -> Decision {
        self.0.check_n(&(), n, now)
    }

    /// As [`Limiter::peek`].
    #[must_use]
    pub fn peek(&self, now: Timestamp) -> Decision {
        self.0.peek(&(), now)
    }

    /// As [`Limiter::peek_n`].
    #[must_use]
    pub fn peek_n(&self, n: u32, now: Timestamp) -> Decision {
        self.0.peek_n(&(), n, now)
    }

    /// As [`Limiter::refund`].
    pub fn refund(&self, n: u32, now: Timestamp) {
        self.0.refund(&(), n, now);
    }

    /// As [`Limiter::until_ready`].
    ///
    /// # Errors
    /// As [`Limiter::until_ready_n`].
    pub async fn until_ready(&self, clock: &impl Clock, max_wait: Duration) -> Result<Decision, NotReady> {
        self.0.until_ready(&(), clock, max_wait).await
    }

    /// As [`Limiter::until_ready_n`].
    ///
    /// # Errors
    /// As [`Limiter::until_ready_n`].
    pub async fn until_ready_n(
        &self,
        n: u32,
        clock: &impl Clock,
        max_wait: Duration,
    ) -> Result<Decision, NotReady> {
        self.0.until_ready_n(&(), n, clock, max_wait).await
    }
}
