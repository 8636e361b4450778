//! Rate limits of several windows, all of which must allow a request.
//!
//! Token and leaky buckets are computed by `governor`; sliding and fixed windows are counts. What
//! governor leaves out is here: all windows of a key are one entry of one table, so that a decision is one
//! lookup; they are asked first and charged only if all allow, so that a rejected request consumes
//! nothing; the table is bounded, so that a flood of keys cannot exhaust memory; and callers can wait for
//! their turn in a line that nobody overtakes.

mod aligned;
mod cells;
mod decision;
mod direct;
mod gcra;
mod line;
mod listing;
mod policy;
mod rate_limit;
mod rules;
mod wait;
mod window;

use std::hash::Hash;

use crate::Timestamp;
use cells::Cells;
use line::Lines;
use rules::Rules;

pub use decision::{Decision, Standing, Standings, Stats, Usage};
pub use direct::DirectLimiter;
pub use listing::MAX_LISTED;
pub use policy::{InvalidPolicy, MAX_WINDOWS, Policy, Strategy};
pub use rate_limit::RateLimit;
pub use wait::{MAX_WAITING, NotReady};

/// Limits by key.
///
/// ```
/// use rad_resilience::{Limiter, Policy, Strategy, Timestamp};
///
/// let policy = Policy::new(Strategy::TokenBucket, &["2/minute".parse()?, "100/hour".parse()?])?;
/// let limiter = Limiter::new(policy, 10_000);
/// let now = Timestamp::default();
/// assert_eq!(limiter.check(&"ada", now).remaining, 1);
/// assert!(limiter.check(&"ada", now).allowed);
/// assert_eq!(limiter.check(&"ada", now).retry_after.as_secs(), 30);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Limiter<K> {
    policy: Policy,
    rules: Rules,
    cells: Cells<K>,
    lines: Lines<K>,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// A limiter that remembers at most `max_keys` keys at a time (0 is taken as 1). When there are more,
    /// those leave first of which the least would be forgotten: the ones that are almost whole again.
    #[must_use]
    pub fn new(policy: Policy, max_keys: usize) -> Self {
        let rules = Rules::new(&policy);
        let cells = Cells::new(rules.words(), max_keys);
        Self { policy, rules, cells, lines: Lines::default() }
    }

    /// What it enforces.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Charges one request of `key` to every window, or to none.
    #[inline]
    pub fn check(&self, key: &K, now: Timestamp) -> Decision {
        self.check_n(key, 1, now)
    }

    /// Charges `n` requests of `key` to every window, or none to any. None are always allowed; more than
    /// a window allows at once never are, and have a `retry_after` of [`std::time::Duration::MAX`]. In a
    /// leaky bucket, up to as many as its quota pass together and hold back what follows for as long as
    /// they would have taken one by one.
    ///
    /// While callers wait for this key (see [`until_ready`](Self::until_ready)), the next turn is theirs.
    #[inline]
    pub fn check_n(&self, key: &K, n: u32, now: Timestamp) -> Decision {
        if self.lines.any()
            && let Some(refused) = self.behind(key, n, now)
        {
            return refused;
        }
        self.charge(key, n, now)
    }

    #[inline]
    fn charge(&self, key: &K, n: u32, now: Timestamp) -> Decision {
        self.cells.with(key, |cells| self.rules.weight(cells, now), |cells| self.rules.charge(cells, n, now))
    }

    /// As [`check`](Self::check), and where the key stands in every window afterwards: for callers that
    /// are told of all of them.
    pub fn check_all(&self, key: &K, now: Timestamp) -> (Decision, Standings) {
        if self.lines.any()
            && let Some(refused) = self.behind(key, 1, now)
        {
            return (refused, self.standings(key, now));
        }
        let charge = |cells: &mut [u64]| {
            let decision = self.rules.charge(cells, 1, now);
            (decision, self.rules.standings(cells, now))
        };
        self.cells.with(key, |cells| self.rules.weight(cells, now), charge)
    }

    /// Where a key stands in every window, without charging.
    #[must_use]
    pub fn standings(&self, key: &K, now: Timestamp) -> Standings {
        self.rules.standings(&self.cells.copy(key), now)
    }

    /// What [`check`](Self::check) would decide, without charging: `remaining` and `reset_after` are those
    /// of this moment.
    #[must_use]
    pub fn peek(&self, key: &K, now: Timestamp) -> Decision {
        self.peek_n(key, 1, now)
    }

    /// What [`check_n`](Self::check_n) would decide, without charging.
    #[must_use]
    pub fn peek_n(&self, key: &K, n: u32, now: Timestamp) -> Decision {
        if self.lines.any()
            && let Some(refused) = self.behind(key, n, now)
        {
            return refused;
        }
        self.rules.ask(&self.cells.copy(key), n, now)
    }

    /// Gives `n` requests of `key` back to every window, for example those that turned out to cost
    /// nothing. No window gets more than whole; a fixed or sliding window that has ended since gets
    /// nothing.
    pub fn refund(&self, key: &K, n: u32, now: Timestamp) {
        self.cells.get(key, |cells| self.rules.give_back(cells, n, now));
    }

    /// Forgets keys whose windows are all whole again: they are as good as new. Call it about once a
    /// second; it holds up no decision for longer than some tens of microseconds.
    pub fn sweep(&self, now: Timestamp) {
        self.cells.retain(|cells| self.rules.weight(cells, now) > 0);
    }

    /// How full it is.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.cells.stats()
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether no key is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
#[cfg(loom)]
mod loom_tests;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;
