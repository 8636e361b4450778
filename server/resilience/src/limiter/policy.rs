//! What a limiter is to enforce, checked.

use std::fmt;

use rad_model::Quota;
use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The most windows that one policy can have.
pub const MAX_WINDOWS: usize = 4;

/// The longest that an empty token bucket may take to fill: 100 years, so that no sum of times overflows.
const LONGEST_FILL_S: u64 = 100 * 365 * 86_400;

/// How a limit counts. For a quota of *N* requests in a window *W*:
///
/// | strategy | at once | in any *W* at most | state a key and window |
/// |---|---|---|---|
/// | token bucket | *N*, or the burst | burst + *N* | 8 bytes |
/// | leaky bucket | 1 | *N* + 1 | 8 bytes |
/// | sliding window | *N* | 2 *N*; *N* if requests arrive evenly | 16 bytes |
/// | fixed window | *N* | 2 *N*; *N* in each aligned window | 8 bytes |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// A bucket of tokens that is refilled at a constant rate: bursts pass while there are tokens. The
    /// generic cell rate algorithm (ITU-T I.371), computed by `governor`.
    #[default]
    TokenBucket,
    /// A smooth stream without bursts: one request each *W* / *N*. The same algorithm with room for one.
    LeakyBucket,
    /// The counts of this aligned window and of the one before, weighted by how much of it the sliding
    /// window still covers, as Cloudflare describes ("How we built rate limiting capable of scaling to
    /// millions of domains", 2017). Exact if the requests of the window before were spread evenly; at
    /// worst, all of them at its very end, *N* more than allowed pass within *W*, and never more than *N*
    /// within an aligned window.
    SlidingWindow,
    /// A count that starts anew with each window; windows are aligned to the clock's origin, or to
    /// [`Policy::aligned_to`].
    FixedWindow,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TokenBucket, Self::LeakyBucket, Self::SlidingWindow, Self::FixedWindow];

    /// As configuration writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenBucket => "token_bucket",
            Self::LeakyBucket => "leaky_bucket",
            Self::SlidingWindow => "sliding_window",
            Self::FixedWindow => "fixed_window",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Windows that must all allow a request, and how they count.
///
/// ```
/// use rad_resilience::{Policy, Strategy};
///
/// let quotas = ["200/minute".parse()?, "1000/hour".parse()?];
/// let policy = Policy::new(Strategy::TokenBucket, &quotas)?.with_burst(20)?;
/// assert_eq!(policy.quotas().len(), 2);
/// assert!(Policy::new(Strategy::LeakyBucket, &quotas)?.with_burst(20).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    strategy: Strategy,
    quotas: Vec<Quota>,
    burst: Option<u32>,
    aligned_to: Timestamp,
    shadow: bool,
}

/// Why a policy is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    #[error("limits: {given} windows; allowed are 1 to {MAX_WINDOWS}")]
    Windows { given: usize },
    #[error(
        "limits: two windows of {window_s} s, of which only the smaller would ever decide; windows must differ in length"
    )]
    SameWindow { window_s: u32 },
    #[error("burst: {burst} at {quota} would take {fill_s} s to refill; allowed are 1 to {most}")]
    Burst { burst: u32, quota: Quota, fill_s: u64, most: u64 },
    #[error("burst: of 0 would reject everything; allowed is 1 or more")]
    NoBurst,
    #[error("burst: {strategy} has none; only token_bucket takes one")]
    BurstOf { strategy: Strategy },
}

impl Policy {
    /// A policy of these windows.
    ///
    /// # Errors
    /// Fewer than 1 or more than [`MAX_WINDOWS`] windows; two windows of one length; a bucket so large
    /// that it would take more than 100 years to fill.
    pub fn new(strategy: Strategy, quotas: &[Quota]) -> Result<Self, InvalidPolicy> {
        if !(1..=MAX_WINDOWS).contains(&quotas.len()) {
            return Err(InvalidPolicy::Windows { given: quotas.len() });
        }
        for (at, quota) in quotas.iter().enumerate() {
            if quotas[..at].iter().any(|other| other.window_s() == quota.window_s()) {
                return Err(InvalidPolicy::SameWindow { window_s: quota.window_s() });
            }
        }
        Ok(Self {
            strategy,
            quotas: quotas.to_vec(),
            burst: None,
            aligned_to: Timestamp::default(),
            shadow: false,
        })
    }

    /// A token bucket that holds `burst` tokens, fewer or more than the requests of its window. With
    /// several windows this is the shortest one, which is the one that shapes bursts; the others hold as
    /// many as their requests.
    ///
    /// # Errors
    /// A burst of 0, one that takes more than 100 years to refill, or a strategy that knows no bursts.
    pub fn with_burst(mut self, burst: u32) -> Result<Self, InvalidPolicy> {
        if self.strategy != Strategy::TokenBucket {
            return Err(InvalidPolicy::BurstOf { strategy: self.strategy });
        }
        if burst == 0 {
            return Err(InvalidPolicy::NoBurst);
        }
        if let Some(quota) = self.quotas.iter().min_by_key(|quota| quota.window_s()) {
            // As the bucket has it: whole nanoseconds a request, rounded up.
            let interval_ns = interval_ns(*quota);
            let fill_s = interval_ns.saturating_mul(u64::from(burst)) / 1_000_000_000;
            if fill_s > LONGEST_FILL_S {
                let most = LONGEST_FILL_S * 1_000_000_000 / interval_ns;
                return Err(InvalidPolicy::Burst { burst, quota: *quota, fill_s, most });
            }
        }
        self.burst = Some(burst);
        Ok(self)
    }

    /// Counts, but rejects nothing: the decision says what would have happened.
    #[must_use]
    pub fn in_shadow(mut self) -> Self {
        self.shadow = true;
        self
    }

    /// Fixed and sliding windows begin at `moment` and at each whole window before and after it, instead
    /// of at the clock's origin: for example where the minute of the day begins.
    #[must_use]
    pub fn aligned_to(mut self, moment: Timestamp) -> Self {
        self.aligned_to = moment;
        self
    }

    /// How it counts.
    #[must_use]
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// Its windows, 1 to [`MAX_WINDOWS`].
    #[must_use]
    pub fn quotas(&self) -> &[Quota] {
        &self.quotas
    }

    /// Whether it only counts.
    #[must_use]
    pub fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// How many requests can pass at once in the window of `quota` if it is whole.
    #[must_use]
    pub fn capacity(&self, quota: Quota) -> u32 {
        let shortest = self.quotas.iter().map(Quota::window_s).min() == Some(quota.window_s());
        match self.strategy {
            Strategy::LeakyBucket => 1,
            Strategy::TokenBucket if shortest => self.burst.unwrap_or(quota.requests()),
            _ => quota.requests(),
        }
    }

    pub(super) fn alignment(&self) -> Timestamp {
        self.aligned_to
    }
}

/// Time between two requests of a steady stream, at least 1 ns. Rounded up: down, more than the quota
/// would pass.
pub(super) fn interval_ns(quota: Quota) -> u64 {
    window_ns(quota).div_ceil(u64::from(quota.requests())).max(1)
}

pub(super) fn window_ns(quota: Quota) -> u64 {
    u64::from(quota.window_s()) * 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(text: &str) -> Quota {
        text.parse().unwrap()
    }

    #[test]
    fn an_impossible_policy_is_refused_with_what_is_allowed() {
        let windows = ["1/s", "1/m", "1/h", "1/d", "1/2d"].map(quota);
        let error = |result: Result<Policy, InvalidPolicy>| result.unwrap_err().to_string();
        let token = |quotas: &[Quota]| Policy::new(Strategy::TokenBucket, quotas);
        assert!(error(token(&[])).contains("1 to 4"));
        assert!(error(token(&windows)).contains("5 windows"));
        assert!(error(token(&[quota("1/60s"), quota("2/m")])).contains("60 s"));
        assert!(error(token(&windows[..1]).unwrap().with_burst(0)).contains("1 or more"));
        assert!(error(token(&[quota("1/365d")]).unwrap().with_burst(101)).contains("1 to 100"));
        for strategy in [Strategy::LeakyBucket, Strategy::SlidingWindow, Strategy::FixedWindow] {
            let policy = Policy::new(strategy, &windows[..1]).unwrap();
            assert!(error(policy.with_burst(2)).contains(strategy.as_str()));
        }
        assert!(token(&[quota("1/365d")]).unwrap().with_burst(100).is_ok());
    }

    #[test]
    fn a_burst_belongs_to_the_shortest_window() {
        let quotas = ["1000/h", "200/m"].map(quota);
        let policy = Policy::new(Strategy::TokenBucket, &quotas).unwrap().with_burst(20).unwrap();
        assert_eq!(quotas.map(|quota| policy.capacity(quota)), [1_000, 20]);
    }

    #[test]
    fn a_strategy_is_written_as_configuration_has_it() {
        for strategy in Strategy::ALL {
            let written = serde_json::to_string(&strategy).unwrap();
            assert_eq!(written, format!("\"{strategy}\""));
            assert_eq!(serde_json::from_str::<Strategy>(&written).unwrap(), strategy);
        }
    }
}
