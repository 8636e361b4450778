//! limit → breaker → retry → dead letter, as one piece: for what must not be lost, such as a notification.
//!
//! The limit is asked once for a call, the breaker before every attempt: when the target goes down in the
//! middle, the attempts that are left do not go to it. Whatever keeps the call from being made in the end
//! (the limit, the breaker, the last failure) becomes a dead letter of that error type, and the error tells
//! its id. Each step is a small trait ([`Limit`], [`Guard`], [`NextAttempt`]) that closures fulfil too.
//!
//! ```
//! use rad_resilience::safe_call::{CallError, FixedAttempts, SafeCall, Without};
//! use rad_resilience::{Breaker, BreakerPolicy, MemoryDeadLetters, SystemClock, dead_letter::NewDeadLetter};
//!
//! # #[derive(Debug)] struct Refused;
//! # impl std::fmt::Display for Refused {
//! #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("refused") }
//! # }
//! impl CallError for Refused { fn error_type(&self) -> &str { "refused" } }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let letters = MemoryDeadLetters::new(1_000)?;
//! let safe = SafeCall::new(&letters, SystemClock::new())
//!     .breaker(Breaker::new(BreakerPolicy::default()))
//!     .retry(FixedAttempts { attempts: 3, delay: std::time::Duration::ZERO });
//! let letter = || NewDeadLetter { organisation: "acme".into(), ..Default::default() };
//! let error = safe.call(letter, async |_attempt| Err::<(), _>(Refused)).await.unwrap_err();
//! assert_eq!((error.attempts, error.dead_letter.is_ok()), (3, true));
//! # Ok(()) }
//! ```

mod steps;

use std::fmt;
use std::time::Duration;

use tokio::time::sleep;

use crate::dead_letter::{DeadLetterId, DeadLetters, NewDeadLetter};
use crate::{Clock, Outcome, Timestamp};
pub use steps::{CallError, FixedAttempts, Guard, Limit, NextAttempt, Without};

/// The steps of safe calls to one target.
#[derive(Clone, Debug)]
pub struct SafeCall<'a, S, C, L = Without, B = Without, R = Without> {
    letters: &'a S,
    clock: C,
    limit: L,
    breaker: B,
    retry: R,
}

/// Why a call was not made in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause<E> {
    /// The limit did not allow it.
    Limited { retry_after: Duration },
    /// The breaker did not allow it. After failed attempts `last` is how the last one failed.
    Open { retry_after: Duration, last: Option<E> },
    /// The last attempt failed.
    Failed(E),
}

/// A call that was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeCallError<E, D> {
    pub cause: Cause<E>,
    /// Attempts that reached the target.
    pub attempts: u32,
    /// The letter that was stored; or why it could not be, in which case it is lost unless the caller keeps it.
    pub dead_letter: Result<DeadLetterId, D>,
}

impl<E: CallError> Cause<E> {
    /// The error type of the dead letter.
    #[must_use]
    pub fn error_type(&self) -> &str {
        match self {
            Self::Limited { .. } => "rate_limited",
            Self::Open { .. } => "circuit_open",
            Self::Failed(error) => error.error_type(),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Cause<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limited { retry_after } => write!(f, "over the rate limit for another {retry_after:?}"),
            Self::Open { retry_after, last: None } => {
                write!(f, "the circuit breaker is open for another {retry_after:?}")
            }
            Self::Open { retry_after, last: Some(last) } => {
                write!(f, "the circuit breaker is open for another {retry_after:?}, after: {last}")
            }
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Display, D: fmt::Display> fmt::Display for SafeCallError<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} attempts)", self.cause, self.attempts)?;
        match &self.dead_letter {
            Ok(id) => write!(f, "; kept as dead letter {}", id.0),
            Err(error) => write!(f, "; could not be kept as a dead letter: {error}"),
        }
    }
}

impl<E, D> std::error::Error for SafeCallError<E, D>
where
    E: fmt::Debug + fmt::Display,
    D: fmt::Debug + fmt::Display,
{
}

impl<'a, S, C> SafeCall<'a, S, C> {
    /// Without limit, breaker and retry: what fails becomes a dead letter.
    #[must_use]
    pub fn new(letters: &'a S, clock: C) -> Self {
        Self { letters, clock, limit: Without, breaker: Without, retry: Without }
    }
}

impl<'a, S, C, L, B, R> SafeCall<'a, S, C, L, B, R> {
    /// Asks `limit` before each call.
    #[must_use]
    pub fn limit<L2: Limit>(self, limit: L2) -> SafeCall<'a, S, C, L2, B, R> {
        let Self { letters, clock, breaker, retry, .. } = self;
        SafeCall { letters, clock, limit, breaker, retry }
    }

    /// Asks `breaker` before each attempt.
    #[must_use]
    pub fn breaker<B2: Guard>(self, breaker: B2) -> SafeCall<'a, S, C, L, B2, R> {
        let Self { letters, clock, limit, retry, .. } = self;
        SafeCall { letters, clock, limit, breaker, retry }
    }

    /// Tries again as `retry` says.
    #[must_use]
    pub fn retry<R2>(self, retry: R2) -> SafeCall<'a, S, C, L, B, R2> {
        let Self { letters, clock, limit, breaker, .. } = self;
        SafeCall { letters, clock, limit, breaker, retry }
    }
}

/// A permit that is recorded even if the attempt is dropped.
struct Recorded<'a, B: Guard> {
    breaker: &'a B,
    permit: Option<B::Permit>,
    acquired: Timestamp,
}

impl<B: Guard> Recorded<'_, B> {
    fn record(mut self, outcome: Outcome, now: Timestamp) {
        if let Some(permit) = self.permit.take() {
            self.breaker.record(permit, outcome, now.since(self.acquired), now);
        }
    }
}

impl<B: Guard> Drop for Recorded<'_, B> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.breaker.record(permit, Outcome::Ignored, Duration::ZERO, self.acquired);
        }
    }
}

impl<S, C, L, B, R> SafeCall<'_, S, C, L, B, R>
where
    S: DeadLetters,
    C: Clock,
    L: Limit,
    B: Guard,
{
    /// Makes the call: `attempt` gets the number of the attempt, from 1. `letter` is asked for only if it is
    /// needed; error type, error and retry count are filled in. A call that is dropped in the middle is
    /// neither made again nor kept.
    ///
    /// # Errors
    /// [`SafeCallError`] with what kept the call from being made, and the dead letter.
    pub async fn call<T, E, F>(
        &self,
        letter: impl FnOnce() -> NewDeadLetter,
        mut attempt: impl FnMut(u32) -> F,
    ) -> Result<T, SafeCallError<E, S::Error>>
    where
        R: NextAttempt<E>,
        E: CallError,
        F: Future<Output = Result<T, E>>,
    {
        let (cause, attempts) = match self.limit.admit(self.clock.now()) {
            Err(retry_after) => (Cause::Limited { retry_after }, 0),
            Ok(()) => match self.attempts(&mut attempt).await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            },
        };
        let letter = NewDeadLetter {
            error_type: cause.error_type().to_owned(),
            error: cause.to_string(),
            retry_count: attempts.saturating_sub(1),
            ..letter()
        };
        let dead_letter = self.letters.store(letter, self.clock.now()).await;
        Err(SafeCallError { cause, attempts, dead_letter })
    }

    async fn attempts<T, E, F>(&self, attempt: &mut impl FnMut(u32) -> F) -> Result<T, (Cause<E>, u32)>
    where
        R: NextAttempt<E>,
        E: CallError,
        F: Future<Output = Result<T, E>>,
    {
        let mut last = None;
        let mut attempts = 0_u32;
        loop {
            let now = self.clock.now();
            let permit = match self.breaker.acquire(now) {
                Ok(permit) => Recorded { breaker: &self.breaker, permit: Some(permit), acquired: now },
                Err(retry_after) => return Err((Cause::Open { retry_after, last }, attempts)),
            };
            attempts = attempts.saturating_add(1);
            let error = match attempt(attempts).await {
                Ok(value) => {
                    permit.record(Outcome::Success, self.clock.now());
                    return Ok(value);
                }
                Err(error) => error,
            };
            permit.record(error.outcome(), self.clock.now());
            match self.retry.next_delay(attempts, &error) {
                Some(delay) => sleep(delay).await,
                None => return Err((Cause::Failed(error), attempts)),
            }
            last = Some(error);
        }
    }
}

#[cfg(test)]
mod tests;
