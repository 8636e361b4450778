//! What a safe call is made of: the least that each step must be able to do.

use std::time::Duration;

use crate::{Breaker, Outcome, Permit, Timestamp};

/// Decides whether a call may be made now.
pub trait Limit {
    /// Charges one call.
    ///
    /// # Errors
    /// The time until a call would be allowed.
    fn admit(&self, now: Timestamp) -> Result<(), Duration>;
}

impl<F: Fn(Timestamp) -> Result<(), Duration>> Limit for F {
    fn admit(&self, now: Timestamp) -> Result<(), Duration> {
        self(now)
    }
}

/// Decides whether the target may be asked, and hears how it went.
pub trait Guard {
    type Permit;

    /// Asks for leave to make one attempt.
    ///
    /// # Errors
    /// The time until an attempt may be allowed.
    fn acquire(&self, now: Timestamp) -> Result<Self::Permit, Duration>;

    /// Says how the attempt ended, and how long it took. Each permit is recorded once, also that of a call
    /// that was dropped.
    fn record(&self, permit: Self::Permit, outcome: Outcome, elapsed: Duration, now: Timestamp);
}

impl Guard for Breaker {
    type Permit = Permit;

    fn acquire(&self, now: Timestamp) -> Result<Permit, Duration> {
        Breaker::acquire(self, now).map(|(permit, _)| permit).map_err(|rejection| rejection.retry_after)
    }

    fn record(&self, permit: Permit, outcome: Outcome, elapsed: Duration, now: Timestamp) {
        let _ = Breaker::record(self, permit, outcome, elapsed, now);
    }
}

/// Decides whether and when to try again.
pub trait NextAttempt<E> {
    /// The time until the next attempt, after `attempts` (1 or more) of which the last failed with `error`;
    /// `None` to give up.
    fn next_delay(&self, attempts: u32, error: &E) -> Option<Duration>;
}

impl<E, F: Fn(u32, &E) -> Option<Duration>> NextAttempt<E> for F {
    fn next_delay(&self, attempts: u32, error: &E) -> Option<Duration> {
        self(attempts, error)
    }
}

/// No limit, no breaker, or no retry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Without;

impl Limit for Without {
    fn admit(&self, _: Timestamp) -> Result<(), Duration> {
        Ok(())
    }
}

impl Guard for Without {
    type Permit = ();

    fn acquire(&self, _: Timestamp) -> Result<(), Duration> {
        Ok(())
    }

    fn record(&self, (): (), _: Outcome, _: Duration, _: Timestamp) {}
}

impl<E> NextAttempt<E> for Without {
    fn next_delay(&self, _: u32, _: &E) -> Option<Duration> {
        None
    }
}

/// So many attempts altogether, always the same time apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedAttempts {
    pub attempts: u32,
    pub delay: Duration,
}

impl<E> NextAttempt<E> for FixedAttempts {
    fn next_delay(&self, attempts: u32, _: &E) -> Option<Duration> {
        (attempts < self.attempts).then_some(self.delay)
    }
}

impl<E> NextAttempt<E> for crate::RetryPolicy {
    /// As the policy says, whatever the error; decorrelated jitter begins at the base each time.
    fn next_delay(&self, attempts: u32, _: &E) -> Option<Duration> {
        let settings = self.settings();
        (attempts < settings.max_attempts).then(|| self.delay(attempts, settings.base, fastrand::f64()))
    }
}

/// What a failure means for the steps.
pub trait CallError: std::fmt::Display {
    /// Its kind, of a small number of kinds, for dead letters.
    fn error_type(&self) -> &str;

    /// What it says about the target.
    fn outcome(&self) -> Outcome {
        Outcome::Failure
    }
}
