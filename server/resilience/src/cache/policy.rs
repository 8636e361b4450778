//! How long an answer lives.

use std::sync::Arc;
use std::time::Duration;

use super::scope::Scope;

/// How long a value is fresh, and how long it is of use after that (RFC 5861).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    ttl: Duration,
    stale_while_revalidate: Duration,
    stale_if_error: Duration,
}

/// The longest time that any part of a [`Freshness`] may be: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);
const SHORTEST: Duration = Duration::from_millis(1);

/// A time to live that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFreshness {
    #[error("ttl is {0:?}; it must be 1 ms to 365 days")]
    Ttl(Duration),
    #[error("stale_while_revalidate is {0:?}; it must be at most 365 days")]
    StaleWhileRevalidate(Duration),
    #[error("stale_if_error is {0:?}; it must be at most 365 days")]
    StaleIfError(Duration),
}

impl Freshness {
    /// Fresh for `ttl`, and of no use after that.
    ///
    /// # Errors
    /// [`InvalidFreshness::Ttl`] unless it is 1 ms to 365 days.
    pub fn new(ttl: Duration) -> Result<Self, InvalidFreshness> {
        if !(SHORTEST..=LONGEST).contains(&ttl) {
            return Err(InvalidFreshness::Ttl(ttl));
        }
        Ok(Self { ttl, stale_while_revalidate: Duration::ZERO, stale_if_error: Duration::ZERO })
    }

    /// For so long after its time a value is served while one caller loads it anew.
    ///
    /// # Errors
    /// [`InvalidFreshness::StaleWhileRevalidate`] over 365 days.
    pub fn stale_while_revalidate(mut self, time: Duration) -> Result<Self, InvalidFreshness> {
        if time > LONGEST {
            return Err(InvalidFreshness::StaleWhileRevalidate(time));
        }
        self.stale_while_revalidate = time;
        Ok(self)
    }

    /// For so long after its time a value is served if it cannot be loaded.
    ///
    /// # Errors
    /// [`InvalidFreshness::StaleIfError`] over 365 days.
    pub fn stale_if_error(mut self, time: Duration) -> Result<Self, InvalidFreshness> {
        if time > LONGEST {
            return Err(InvalidFreshness::StaleIfError(time));
        }
        self.stale_if_error = time;
        Ok(self)
    }

    /// How long a value is fresh.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// The same, but fresh for no longer than `ttl`, which is brought to at least 1 ms.
    #[must_use]
    pub fn at_most(mut self, ttl: Duration) -> Self {
        self.ttl = self.ttl.min(ttl.max(SHORTEST));
        self
    }

    /// For how long after its time a value is served while it is loaded anew, and for how long if it cannot
    /// be loaded.
    #[must_use]
    pub fn stale_for(&self) -> (Duration, Duration) {
        (self.stale_while_revalidate, self.stale_if_error)
    }

    /// The age up to which a value is served while it is loaded anew.
    pub(super) fn revalidate_until(&self) -> Duration {
        self.ttl + self.stale_while_revalidate
    }

    /// The age at which a value is of no use any more.
    pub(super) fn dead_at(&self) -> Duration {
        self.ttl + self.stale_while_revalidate.max(self.stale_if_error)
    }
}

/// Kinds of answers, each with a time to live of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// 5 min.
    StatisticsOverview,
    /// 5 min.
    Distributions,
    /// 10 min.
    Trends,
    /// 30 s.
    Counts,
    /// 2 min.
    SearchResults,
}

impl Tier {
    /// All tiers.
    pub const ALL: [Self; 5] =
        [Self::StatisticsOverview, Self::Distributions, Self::Trends, Self::Counts, Self::SearchResults];

    /// How long its answers are fresh.
    #[must_use]
    pub const fn ttl(self) -> Duration {
        Duration::from_secs(match self {
            Self::StatisticsOverview | Self::Distributions => 300,
            Self::Trends => 600,
            Self::Counts => 30,
            Self::SearchResults => 120,
        })
    }

    /// Its name, as configuration has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StatisticsOverview => "statistics_overview",
            Self::Distributions => "distributions",
            Self::Trends => "trends",
            Self::Counts => "counts",
            Self::SearchResults => "search_results",
        }
    }

    /// The tag that invalidates it.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::StatisticsOverview | Self::Distributions | Self::Trends => "statistics",
            Self::Counts => "counts",
            Self::SearchResults => "search",
        }
    }

    /// Fresh for its time to live, nothing after that.
    #[must_use]
    pub const fn freshness(self) -> Freshness {
        let (ttl, none) = (self.ttl(), Duration::ZERO);
        Freshness { ttl, stale_while_revalidate: none, stale_if_error: none }
    }
}

/// How long answers live and under which tags they can be invalidated, in one cache. From
/// [`Cache::policy`](super::Cache::policy).
#[derive(Clone, Debug)]
pub struct CachePolicy {
    pub(super) freshness: Freshness,
    pub(super) tags: Arc<[Arc<Scope>]>,
}

impl CachePolicy {
    pub(super) fn new(freshness: Freshness, tags: Arc<[Arc<Scope>]>) -> Self {
        Self { freshness, tags }
    }

    /// How long its answers live.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }
}
