//! Hedging: asking again before the first answer is there, for reads that must be fast.
//!
//! Jeffrey Dean and Luiz André Barroso, *The Tail at Scale*, 2013: a second request after the 95th
//! percentile of the latency cuts the tail for 5 % more requests. Only for calls that change nothing.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use crate::breaker::atomic::{AtomicU64, Ordering};
use crate::clock::nanos;
use crate::retry::{InvalidRetry, RetryBudget, RetrySettings, within_a_day};
use crate::{Clock, TokioClock};

/// The time after which a second attempt is made: fixed, or fed with a percentile of the latency.
///
/// ```
/// use rad_resilience::hedge::HedgeDelay;
/// use std::time::Duration;
///
/// let delay = HedgeDelay::new(Duration::from_millis(50))?;
/// delay.set(Duration::from_millis(80)); // the p95 of the last minute
/// assert_eq!(delay.get(), Duration::from_millis(80));
/// # Ok::<(), rad_resilience::retry::InvalidRetry>(())
/// ```
#[derive(Debug)]
pub struct HedgeDelay(AtomicU64);

impl HedgeDelay {
    /// The delay until [`HedgeDelay::set`] changes it, 1 ms to 1 day.
    ///
    /// # Errors
    /// [`InvalidRetry`] if it is out of its bounds.
    pub fn new(delay: Duration) -> Result<Self, InvalidRetry> {
        within_a_day("hedge_delay", delay)?;
        Ok(Self(AtomicU64::new(nanos(delay))))
    }

    /// From now on waits this long; brought within 1 ms to 1 day, for it comes from a measurement.
    pub fn set(&self, delay: Duration) {
        let delay = delay.clamp(Duration::from_millis(1), RetrySettings::MAX_DURATION);
        self.0.store(nanos(delay), Ordering::Relaxed);
    }

    /// How long it waits.
    #[must_use]
    pub fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The most attempts that can be made beyond the first.
pub const MAX_HEDGES: u32 = 3;

/// How a hedged call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedged<T, E> {
    /// The first good answer; an error only if no attempt had one.
    pub result: Result<T, E>,
    /// Attempts that were made, at least one.
    pub attempts: u32,
    /// The attempt that the result is of.
    pub winner: u32,
}

/// A call that is made again if it is slow. Made by [`hedge`].
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing happens before it is run"]
pub struct Hedge<'a> {
    delay: &'a HedgeDelay,
    budget: Option<&'a RetryBudget>,
    most: u32,
}

/// A call that is made again if it is slow; it must change nothing.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// use rad_resilience::hedge::{HedgeDelay, hedge};
/// use std::time::Duration;
///
/// let delay = HedgeDelay::new(Duration::from_millis(50)).unwrap();
/// let read = |attempt| async move {
///     tokio::time::sleep(Duration::from_millis(if attempt == 1 { 900 } else { 5 })).await;
///     Ok::<_, std::io::Error>("answer")
/// };
/// assert_eq!(hedge(&delay).run(read).await.winner, 2);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn hedge(delay: &HedgeDelay) -> Hedge<'_> {
    Hedge { delay, budget: None, most: 1 }
}

impl<'a> Hedge<'a> {
    /// Stays within this budget: a second attempt is a retry.
    pub fn budget(self, budget: &'a RetryBudget) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// Makes at most so many attempts beyond the first, 1 to [`MAX_HEDGES`], each so long after the one
    /// before; one if it is not called.
    pub fn at_most(self, attempts: u32) -> Self {
        Self { most: attempts.clamp(1, MAX_HEDGES), ..self }
    }

    /// Makes the call with the number of the attempt. The first good answer wins and the other attempts are
    /// dropped. An error wins only if nothing else is under way; one that comes before the delay is over is
    /// the answer, for a hedge is not a retry.
    pub async fn run<T, E, F>(self, mut attempt: impl FnMut(u32) -> F) -> Hedged<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        if let Some(budget) = self.budget {
            budget.deposit(TokioClock::shared().now());
        }
        let mut first = pin!(attempt(1));
        if let Ok(result) = tokio::time::timeout(self.delay.get(), first.as_mut()).await {
            return Hedged { result, attempts: 1, winner: 1 };
        }
        let mut attempts = 1;
        // An attempt that has failed must not be polled again.
        let mut is_first_over = false;
        let mut others: Vec<(u32, Pin<Box<F>>)> = Vec::new();
        let mut may_add = true;
        loop {
            may_add = may_add
                && attempts <= self.most
                && self.budget.is_none_or(|budget| budget.withdraw(TokioClock::shared().now()));
            if may_add {
                attempts += 1;
                others.push((attempts, Box::pin(attempt(attempts))));
            }
            let decided = poll_fn(|cx| {
                if !is_first_over && let Poll::Ready(result) = first.as_mut().poll(cx) {
                    is_first_over = true;
                    if result.is_ok() || others.is_empty() {
                        return Poll::Ready((result, 1));
                    }
                }
                let mut at = 0;
                while let Some((number, other)) = others.get_mut(at) {
                    let Poll::Ready(result) = other.as_mut().poll(cx) else {
                        at += 1;
                        continue;
                    };
                    let winner = *number;
                    drop(others.swap_remove(at));
                    if result.is_ok() || (is_first_over && others.is_empty()) {
                        return Poll::Ready((result, winner));
                    }
                }
                Poll::Pending
            });
            let decided = if may_add && attempts <= self.most {
                tokio::time::timeout(self.delay.get(), decided).await.ok()
            } else {
                Some(decided.await)
            };
            if let Some((result, winner)) = decided {
                return Hedged { result, attempts, winner };
            }
        }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
