//! The whole way from a key to an answer.

use std::fmt;
use std::time::Duration;

use super::{Cache, CacheKey, CachePolicy, Followed, Leader, Load, Lookup};
use crate::Timestamp;

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Kept, and fresh.
    Hit,
    /// Kept, and old; it is loaded anew.
    Stale,
    /// Kept, and old; it could not be loaded anew.
    StaleIfError,
    /// Loaded by this caller.
    Loaded,
    /// Loaded by another caller at the same time.
    Coalesced,
}

/// A value, and how it came about.
pub struct Answer<V, E, L> {
    pub value: V,
    pub source: Source,
    /// Since it was asked for.
    pub age: Duration,
    /// This caller is to load the value anew: run it, best in a task of its own. If it is dropped, the next
    /// caller is told.
    pub refresh: Option<Refresh<V, E, L>>,
}

impl<V: fmt::Debug, E, L> fmt::Debug for Answer<V, E, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("value", &self.value)
            .field("source", &self.source)
            .field("age", &self.age)
            .finish_non_exhaustive()
    }
}

/// A load that is to be run after an old value has been served.
#[must_use = "the value stays old until this is run"]
pub struct Refresh<V, E, L> {
    leader: Leader<V, E>,
    loader: L,
    now: Timestamp,
}

impl<V, E, L> fmt::Debug for Refresh<V, E, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresh").finish_non_exhaustive()
    }
}

impl<V, E, L, F> Refresh<V, E, L>
where
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
    L: FnOnce() -> F,
    F: Future<Output = Result<V, E>>,
{
    /// Loads the value and keeps it. A failure is counted, and goes to who follows.
    pub async fn run(self) {
        match (self.loader)().await {
            Ok(value) => self.leader.insert(value, self.now),
            Err(error) => self.leader.fail(error, self.now),
        }
    }
}

impl<V, E, L> Answer<V, E, L> {
    fn new(value: V, source: Source, age: Duration) -> Self {
        Self { value, source, age, refresh: None }
    }
}

impl<V, E> Cache<V, E>
where
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// The value of `key`: kept, or loaded, by this caller or by one that asks for the same at the same time.
    /// A value's age counts from the `now` of the caller that loads it. If this future is dropped while it
    /// loads, another caller that waits for the value loads it.
    ///
    /// # Errors
    /// What `loader` failed with, this caller's or that of the one it waited for, if no old value may be
    /// served in its place.
    pub async fn get_or_load<L, F>(
        &self,
        key: &CacheKey,
        policy: &CachePolicy,
        now: Timestamp,
        loader: L,
    ) -> Result<Answer<V, E, L>, E>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
    {
        match self.lookup(key, now) {
            Lookup::Hit { value, age } => return Ok(Answer::new(value, Source::Hit, age)),
            Lookup::Stale { value, age, refresh } => {
                let refresh = refresh.map(|leader| Refresh { leader, loader, now });
                return Ok(Answer { value, source: Source::Stale, age, refresh });
            }
            Lookup::Miss => {}
        }
        let leader = match self.begin_load(key, policy, now) {
            Load::Lead(leader) => leader,
            Load::Found { value, age } => return Ok(Answer::new(value, Source::Coalesced, age)),
            Load::Follow(follower) => match follower.wait().await {
                Followed::Lead(leader) => leader,
                Followed::Loaded(value) => {
                    return Ok(Answer::new(value, Source::Coalesced, Duration::ZERO));
                }
                Followed::Failed(error) => return self.instead_of(error, key, now),
                Followed::Declined => return self.load_alone(key, now, loader).await,
            },
            Load::Pass => return self.load_alone(key, now, loader).await,
        };
        match loader().await {
            Ok(value) => {
                leader.insert(value.clone(), now);
                Ok(Answer::new(value, Source::Loaded, Duration::ZERO))
            }
            Err(error) => {
                leader.fail(error.clone(), now);
                self.instead_of(error, key, now)
            }
        }
    }

    /// Loads a value that is for nobody else.
    async fn load_alone<L, F>(&self, key: &CacheKey, now: Timestamp, loader: L) -> Result<Answer<V, E, L>, E>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
    {
        let loaded = loader().await.map(|value| Answer::new(value, Source::Loaded, Duration::ZERO));
        loaded.or_else(|error| {
            self.shared.counters.load_failed();
            self.instead_of(error, key, now)
        })
    }

    fn instead_of<L>(&self, error: E, key: &CacheKey, now: Timestamp) -> Result<Answer<V, E, L>, E> {
        match self.stale_if_error(key, now) {
            Some((value, age)) => Ok(Answer::new(value, Source::StaleIfError, age)),
            None => Err(error),
        }
    }
}
