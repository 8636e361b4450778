//! Trying again what failed: seldom, after a while, and never so much that it makes things worse.
//!
//! A retry is made if all agree: the [`RetryIf`] finds the result worth it, the call is idempotent (or was
//! not taken by anybody), attempts and time are left, and the [`RetryBudget`] has a token.

mod budget;
mod policy;

use std::future::Future;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use crate::{Clock, TokioClock};
pub use budget::{RetryBudget, RetryBudgetSettings};
pub(crate) use policy::within_a_day;
pub use policy::{InvalidRetry, Jitter, RetryPolicy, RetrySettings};

/// Whether doing it twice does no more than doing it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Idempotency {
    Idempotent,
    NotIdempotent,
}

/// What is to become of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stands, good or bad.
    Done,
    /// It is worth another attempt.
    Retry,
    /// It is worth another attempt, not before this time, as by an HTTP `Retry-After`.
    RetryAfter(Duration),
    /// Nobody took the call, as when a connection was refused: it may be made again even if it is not
    /// idempotent.
    NotTaken,
}

/// Decides whether a result is worth another attempt.
///
/// Closures of the same form can be used in its place.
pub trait RetryIf<T, E> {
    /// What is to become of this result.
    fn verdict(&self, result: Result<&T, &AttemptError<E>>) -> Verdict;
}

impl<T, E, F: Fn(Result<&T, &AttemptError<E>>) -> Verdict> RetryIf<T, E> for F {
    fn verdict(&self, result: Result<&T, &AttemptError<E>>) -> Verdict {
        self(result)
    }
}

/// Every error is worth another attempt.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnError;

impl<T, E> RetryIf<T, E> for OnError {
    fn verdict(&self, result: Result<&T, &AttemptError<E>>) -> Verdict {
        if result.is_ok() { Verdict::Done } else { Verdict::Retry }
    }
}

/// Why an attempt has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttemptError<E> {
    /// It was made and failed.
    #[error("{0}")]
    Failed(#[source] E),
    /// It took longer than it may.
    #[error("the attempt did not finish in time")]
    TimedOut,
}

/// Why no further attempt was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The result stands.
    Done,
    /// All attempts were made.
    AttemptsExhausted,
    /// Too much of the traffic are retries already.
    BudgetExhausted,
    /// The overall deadline has come, or would come before the next attempt.
    DeadlineExceeded,
    /// It must not be done twice.
    NotIdempotent,
}

/// How a call with retries ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retried<T, E> {
    /// The result of the last attempt.
    pub result: Result<T, AttemptError<E>>,
    /// Attempts that were made, at least one.
    pub attempts: u32,
    /// Why there was no further one.
    pub stopped: StopReason,
    /// Time spent waiting between attempts.
    pub waited: Duration,
}

/// A call that may be made again. Made by [`retry`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before it is run"]
pub struct Retry<'a, J> {
    policy: &'a RetryPolicy,
    budget: Option<&'a RetryBudget>,
    idempotency: Idempotency,
    retry_if: J,
    rng: Rng,
}

/// A call that may be made again.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// use rad_resilience::retry::{Idempotency, RetryBudget, RetryPolicy, StopReason, retry};
///
/// let (policy, budget) = (RetryPolicy::default(), RetryBudget::default());
/// let call = |attempt| async move { if attempt < 3 { Err("not yet") } else { Ok("well") } };
/// let answer = retry(&policy, Idempotency::Idempotent).budget(&budget).run(call).await;
/// assert_eq!((answer.result, answer.attempts), (Ok("well"), 3));
/// assert_eq!(answer.stopped, StopReason::Done);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn retry(policy: &RetryPolicy, idempotency: Idempotency) -> Retry<'_, OnError> {
    Retry { policy, budget: None, idempotency, retry_if: OnError, rng: Rng::new() }
}

impl<'a, J> Retry<'a, J> {
    /// Stays within this budget.
    pub fn budget(self, budget: &'a RetryBudget) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// With a say in what is worth another attempt; by default every error is.
    pub fn retry_if<K>(self, retry_if: K) -> Retry<'a, K> {
        let Self { policy, budget, idempotency, rng, .. } = self;
        Retry { policy, budget, idempotency, retry_if, rng }
    }

    /// Takes jitter from this seed, for tests.
    pub fn seed(self, seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), ..self }
    }

    /// Makes the call, with the number of the attempt (the first is 1), until it is done or may not be made
    /// again. If the future is dropped, nothing goes on.
    pub async fn run<T, E, F>(mut self, mut attempt: impl FnMut(u32) -> F) -> Retried<T, E>
    where
        F: Future<Output = Result<T, E>>,
        J: RetryIf<T, E>,
    {
        let set = *self.policy.settings();
        // A deadline beyond the end of time is none.
        let deadline = set.overall_deadline.and_then(|limit| Instant::now().checked_add(limit));
        if let Some(budget) = self.budget {
            budget.deposit(TokioClock::shared().now());
        }
        let (mut attempts, mut waited, mut previous) = (0, Duration::ZERO, set.base);
        loop {
            attempts += 1;
            let limit = set.attempt_deadline.and_then(|limit| Instant::now().checked_add(limit));
            let result = bounded(attempt(attempts), [limit, deadline].into_iter().flatten().min()).await;
            let verdict = self.retry_if.verdict(result.as_ref());
            let random = self.rng.f64();
            let wait = match self.next_wait(verdict, attempts, previous, random, deadline) {
                Ok(wait) => wait,
                Err(stopped) => return Retried { result, attempts, stopped, waited },
            };
            // What an answer holds on to is free while it waits.
            drop(result);
            tokio::time::sleep(wait).await;
            waited += wait;
            previous = wait;
        }
    }

    /// The wait before the next attempt, or why there is none.
    fn next_wait(
        &self,
        verdict: Verdict,
        attempts: u32,
        previous: Duration,
        random: f64,
        deadline: Option<Instant>,
    ) -> Result<Duration, StopReason> {
        let set = self.policy.settings();
        let asked = match verdict {
            Verdict::Done => return Err(StopReason::Done),
            Verdict::RetryAfter(asked) => asked.min(set.retry_after_cap),
            Verdict::Retry | Verdict::NotTaken => Duration::ZERO,
        };
        let may_repeat = self.idempotency == Idempotency::Idempotent || set.retry_non_idempotent;
        if verdict != Verdict::NotTaken && !may_repeat {
            return Err(StopReason::NotIdempotent);
        }
        if attempts >= set.max_attempts {
            return Err(StopReason::AttemptsExhausted);
        }
        let wait = self.policy.delay(attempts, previous, random).max(asked);
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left <= wait) {
            return Err(StopReason::DeadlineExceeded);
        }
        if self.budget.is_some_and(|budget| !budget.withdraw(TokioClock::shared().now())) {
            return Err(StopReason::BudgetExhausted);
        }
        Ok(wait)
    }
}

async fn bounded<T, E>(
    attempt: impl Future<Output = Result<T, E>>,
    deadline: Option<Instant>,
) -> Result<T, AttemptError<E>> {
    let Some(deadline) = deadline else { return attempt.await.map_err(AttemptError::Failed) };
    match tokio::time::timeout_at(deadline, attempt).await {
        Ok(result) => result.map_err(AttemptError::Failed),
        Err(_) => Err(AttemptError::TimedOut),
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
