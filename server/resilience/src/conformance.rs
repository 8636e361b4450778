//! What every limiter must hold to, whatever its strategy and wherever it keeps its state.
//!
//! [`hold`] asks a limiter through [`RateLimit`] and says which rule it breaks. A backend's tests call it
//! for each strategy:
//!
//! ```
//! use rad_resilience::{Limiter, Strategy, conformance};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! for strategy in Strategy::ALL {
//!     conformance::hold(strategy, |policy| Limiter::new(policy, 1_000)).await?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The rules:
//! - in any window no more than [`most_in_window`] pass, and in aligned windows of the strategies that
//!   have them no more than the quota;
//! - all windows are charged or none: a rejected request, a question and a cost of 0 change nothing;
//! - `retry_after` is honest: just before, the request is still rejected; then, it is allowed;
//! - keys are independent;
//! - a refund undoes a charge, and gives no window more than whole;
//! - a clock that steps back gives nothing, and keeps nobody out for longer than three windows;
//! - shadow mode rejects nothing and counts as if it had;
//! - the edges (a cost of `u32::MAX`, the end of time, a year of idle) are ordinary.

mod clock;
mod counts;
mod promises;

use std::time::Duration;

use rad_model::Quota;

use crate::Timestamp;
use crate::limiter::{Decision, Policy, RateLimit, Strategy};

/// A rule that a limiter breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{strategy}: {rule}: {detail}")]
pub struct Violation {
    pub strategy: Strategy,
    pub rule: &'static str,
    pub detail: String,
}

/// The most requests that may pass in any window of `quota`'s length, wherever it begins, if none asks
/// for more than `largest` at once. `capacity` is how many pass at once when the window is whole.
#[must_use]
pub fn most_in_window(strategy: Strategy, quota: Quota, capacity: u32, largest: u32) -> u64 {
    let requests = u64::from(quota.requests());
    match strategy {
        Strategy::TokenBucket => requests + u64::from(capacity),
        Strategy::LeakyBucket => requests + u64::from(largest),
        Strategy::SlidingWindow | Strategy::FixedWindow => 2 * requests,
    }
}

/// Holds the limiters that `make` builds to all rules. The keys are numbers; a limiter that is made must
/// not know anything of one made before.
///
/// # Errors
/// The first [`Violation`] found. An error of the limiter itself is one, too.
pub async fn hold<L: RateLimit<u64>>(
    strategy: Strategy,
    make: impl Fn(Policy) -> L,
) -> Result<(), Violation> {
    let suite = Suite { strategy, make };
    suite.no_more_than_allowed().await?;
    suite.no_more_with_one_window().await?;
    suite.rejected_and_asked_change_nothing().await?;
    suite.retry_after_is_honest().await?;
    suite.keys_are_independent().await?;
    suite.a_refund_undoes_a_charge().await?;
    suite.a_refund_gives_no_more_than_whole().await?;
    suite.a_shadow_counts_alike().await?;
    suite.a_step_back_gives_nothing().await?;
    suite.the_edges_are_ordinary().await
}

struct Suite<M> {
    strategy: Strategy,
    make: M,
}

const START: Timestamp = Timestamp::from_nanos(1_000_000_000_000);

impl<L: RateLimit<u64>, M: Fn(Policy) -> L> Suite<M> {
    fn policy(&self, quotas: &[(u32, u32)]) -> Result<Policy, Violation> {
        let quotas: Vec<Quota> =
            quotas.iter().filter_map(|(n, window_s)| Quota::new(*n, *window_s)).collect();
        Policy::new(self.strategy, &quotas).map_err(|error| self.broken("a policy", error.to_string()))
    }

    /// Ten in 10 s and twenty-five in a minute, so that each of them rejects at times.
    fn two_windows(&self) -> Result<Policy, Violation> {
        self.policy(&[(10, 10), (25, 60)])
    }

    fn broken(&self, rule: &'static str, detail: String) -> Violation {
        Violation { strategy: self.strategy, rule, detail }
    }

    fn must(
        &self,
        holds: bool,
        rule: &'static str,
        detail: impl FnOnce() -> String,
    ) -> Result<(), Violation> {
        if holds { Ok(()) } else { Err(self.broken(rule, detail())) }
    }

    async fn check(&self, limiter: &L, key: u64, n: u32, now: Timestamp) -> Result<Decision, Violation> {
        limiter.check_n(&key, n, now).await.map_err(|error| self.broken("check", format!("{error:?}")))
    }

    async fn peek(&self, limiter: &L, key: u64, n: u32, now: Timestamp) -> Result<Decision, Violation> {
        limiter.peek_n(&key, n, now).await.map_err(|error| self.broken("peek", format!("{error:?}")))
    }

    async fn refund(&self, limiter: &L, key: u64, n: u32, now: Timestamp) -> Result<(), Violation> {
        limiter.refund(&key, n, now).await.map_err(|error| self.broken("refund", format!("{error:?}")))
    }

    /// Uses up the limit of `key`; how many requests that took.
    async fn exhaust(&self, limiter: &L, key: u64, now: Timestamp) -> Result<u32, Violation> {
        let mut sent = 0;
        while self.check(limiter, key, 1, now).await?.allowed {
            sent += 1;
            self.must(sent < 1_000, "no more than allowed", || "1,000 passed at once".to_owned())?;
        }
        Ok(sent)
    }
}

/// Random calls, the same each time (Marsaglia's xorshift).
struct Calls(u64);

impl Calls {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// Mostly close together, at times far apart; whole milliseconds.
    fn pause(&mut self) -> Duration {
        match self.below(20) {
            0 => Duration::from_millis(self.below(90_000)),
            1..=4 => Duration::from_millis(self.below(6_000)),
            5..=9 => Duration::ZERO,
            _ => Duration::from_millis(self.below(400)),
        }
    }

    fn cost(&mut self) -> u32 {
        if self.below(4) == 0 { 1 + u32::try_from(self.below(4)).unwrap_or(0) } else { 1 }
    }
}
