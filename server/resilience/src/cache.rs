//! A cache of answers: fresh, stale but useful, or missing; one load for many equal requests.
//!
//! `moka` (TinyLFU) decides what stays within the bound of bytes. What it leaves out is here:
//!
//! - **Freshness by a clock that is passed in**, with the windows of RFC 5861: within
//!   stale-while-revalidate an old value is served and exactly one caller is told to refresh it; within
//!   stale-if-error it is served only after a load failed. moka's own expiry is the backstop.
//! - **Coalescing**: the first caller that misses leads, the others follow; they get its value or its
//!   failure, and if it is dropped one of them leads on. Callers may live on several runtimes.
//! - **Hit-for-miss**: where an answer turns out to be for its asker alone, equal requests go side by side for
//!   a time instead of one after another.
//! - **Invalidation at once**, by tag, organisation, key, or all. A tag is a generation: to invalidate it is
//!   to raise one number, and a value that was asked for before is older, even if it arrives later.
//! - **Keys by content** ([`CacheKey`]), apart by organisation.
//!
//! ```
//! use rad_resilience::cache::{Cache, CacheKey, CacheSettings, Source, Tier};
//! use rad_resilience::Timestamp;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cache: Cache<String, String> = Cache::new(CacheSettings::default(), String::len)?;
//! let policy = cache.tier(Tier::Counts);
//! let key = CacheKey::new("acme", &[b"POST", b"/_count", br#"{"query":{}}"#]);
//! let load = async || Ok("42".to_owned());
//! let answer = cache.get_or_load(&key, &policy, Timestamp::default(), load).await?;
//! assert_eq!((answer.value.as_str(), answer.source), ("42", Source::Loaded));
//! let answer = cache.get_or_load(&key, &policy, Timestamp::default(), load).await?;
//! assert_eq!(answer.source, Source::Hit);
//! # Ok(()) }
//! ```

mod entry;
mod figures;
mod flight;
mod key;
mod load;
mod passes;
mod policy;
mod scope;
mod upkeep;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::Timestamp;
use entry::{Backstop, Entry};
use figures::Counters;
pub use figures::{CacheFigures, Popular};
use flight::Flights;
pub use flight::{Followed, Follower, Leader, Load};
pub use key::CacheKey;
pub use load::{Answer, Refresh, Source};
use passes::Passes;
pub use policy::{CachePolicy, Freshness, InvalidFreshness, Tier};
use scope::Scopes;

/// The bound of a [`Cache`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// The most bytes of all values with what it takes to keep them, 1 KiB to 1 TiB.
    pub max_bytes: u64,
    /// The most bytes of one value; larger ones are not kept. 1 to 4 GiB.
    pub max_entry_bytes: u32,
}

impl Default for CacheSettings {
    /// 64 MiB, and 1 MiB for one value.
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_entry_bytes: 1 << 20 }
    }
}

/// Settings that no cache can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCache {
    #[error("max_bytes is {0}; it must be 1024 (1 KiB) to 1099511627776 (1 TiB)")]
    MaxBytes(u64),
    #[error("max_entry_bytes is {entry}; it must be 1 to max_bytes, which is {all}")]
    MaxEntryBytes { entry: u32, all: u64 },
}

/// What there is for a key.
#[derive(Debug)]
pub enum Lookup<V, E> {
    Hit {
        value: V,
        age: Duration,
    },
    /// Old, and may be served while it is loaded anew.
    Stale {
        value: V,
        age: Duration,
        /// For one caller at a time: it is to load the value anew.
        refresh: Option<Leader<V, E>>,
    },
    Miss,
}

/// Answers of type `V`, loads that fail with `E`. A clone is the same cache.
pub struct Cache<V, E> {
    shared: Arc<Shared<V, E>>,
}

impl<V, E> Clone for Cache<V, E> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<V, E> fmt::Debug for Cache<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("entries", &self.shared.entries.entry_count()).finish_non_exhaustive()
    }
}

type Entries<V> = moka::sync::Cache<CacheKey, Arc<Entry<V>>, foldhash::fast::RandomState>;

struct Shared<V, E> {
    entries: Entries<V>,
    flights: Flights<V, E>,
    passes: Passes,
    scopes: Scopes,
    counters: Arc<Counters>,
    max_entry_bytes: u32,
    weigh: Box<dyn Fn(&V) -> usize + Send + Sync>,
}

/// What an entry takes beside its value: key, entry, moka's node, its places in queues and sketch.
const OVERHEAD: u32 = 400;

/// A refresh that failed is tried again no sooner.
const REFRESH_PAUSE: Duration = Duration::from_secs(1);

impl<V, E> Cache<V, E>
where
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// An empty cache; `weigh` says how many bytes a value takes.
    ///
    /// # Errors
    /// [`InvalidCache`] if a setting is out of its bounds.
    pub fn new(
        settings: CacheSettings,
        weigh: impl Fn(&V) -> usize + Send + Sync + 'static,
    ) -> Result<Self, InvalidCache> {
        let CacheSettings { max_bytes, max_entry_bytes } = settings;
        if !(1 << 10..=1 << 40).contains(&max_bytes) {
            return Err(InvalidCache::MaxBytes(max_bytes));
        }
        if max_entry_bytes == 0 || u64::from(max_entry_bytes) > max_bytes {
            return Err(InvalidCache::MaxEntryBytes { entry: max_entry_bytes, all: max_bytes });
        }
        let counters = Arc::new(Counters::default());
        let listener = Arc::clone(&counters);
        let entries = moka::sync::Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, entry: &Arc<Entry<V>>| entry.bytes)
            .expire_after(Backstop)
            .eviction_listener(move |_, _, cause| listener.removed(cause))
            .build_with_hasher(foldhash::fast::RandomState::default());
        let shared = Shared {
            entries,
            flights: Flights::new(),
            passes: Passes::new(),
            scopes: Scopes::new(),
            counters,
            max_entry_bytes,
            weigh: Box::new(weigh),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// How long values live, and under which tags they can be invalidated. Made once, used for many keys.
    #[must_use]
    pub fn policy(&self, freshness: Freshness, tags: &[&str]) -> CachePolicy {
        CachePolicy::new(freshness, tags.iter().map(|tag| self.shared.scopes.tag(tag)).collect())
    }

    /// The policy of a tier: its time to live, and its tag.
    #[must_use]
    pub fn tier(&self, tier: Tier) -> CachePolicy {
        self.policy(tier.freshness(), &[tier.tag()])
    }

    /// What there is for `key`. Counts a hit, a stale hit or a miss.
    pub fn lookup(&self, key: &CacheKey, now: Timestamp) -> Lookup<V, E> {
        let Some(entry) = self.valid(key) else {
            self.shared.counters.miss();
            return Lookup::Miss;
        };
        let age = now.since(entry.stored);
        if age < entry.freshness.ttl() {
            self.shared.counters.hit();
            entry.count_asked();
            Lookup::Hit { value: entry.value.clone(), age }
        } else if age < entry.freshness.revalidate_until() {
            self.shared.counters.stale();
            entry.count_asked();
            let refresh = self.claim_refresh(key, &entry, now);
            Lookup::Stale { value: entry.value.clone(), age, refresh }
        } else {
            if age >= entry.freshness.dead_at() {
                self.remove(key, &entry);
            }
            self.shared.counters.miss();
            Lookup::Miss
        }
    }

    /// After a load failed: an old value that may be served in its place. Counts it as served on error.
    pub fn stale_if_error(&self, key: &CacheKey, now: Timestamp) -> Option<(V, Duration)> {
        let entry = self.valid(key)?;
        let age = now.since(entry.stored);
        (age < entry.freshness.dead_at()).then(|| {
            self.shared.counters.stale_on_error();
            (entry.value.clone(), age)
        })
    }

    /// Leads the load of `key`, or follows the one that is under way. To be called after a miss.
    #[must_use]
    pub fn begin_load(&self, key: &CacheKey, policy: &CachePolicy, now: Timestamp) -> Load<V, E> {
        if self.shared.passes.holds(key, now) {
            self.shared.counters.passed();
            return Load::Pass;
        }
        let load = flight::begin(&self.shared, key, policy);
        let Load::Lead(leader) = load else { return load };
        // Another load may have ended since the miss; it kept its value before it let go of the lead.
        match self.valid(key).map(|entry| (now.since(entry.stored), entry)) {
            Some((age, entry)) if age < entry.freshness.ttl() => {
                leader.found(entry.value.clone());
                Load::Found { value: entry.value.clone(), age }
            }
            _ => Load::Lead(leader),
        }
    }

    /// Keeps a value that nobody had to wait for, as one that was asked for at `now`.
    pub fn insert(&self, key: &CacheKey, policy: &CachePolicy, value: V, now: Timestamp) {
        let epoch = self.shared.scopes.now();
        let organisation = self.shared.scopes.organisation(key.organisation());
        let _ = self.shared.store(*key, Entry::new(value, policy, organisation, epoch, now));
    }

    /// The entry of a key unless it has been invalidated.
    fn valid(&self, key: &CacheKey) -> Option<Arc<Entry<V>>> {
        let entry = self.shared.entries.get(key)?;
        if self.shared.scopes.is_valid(&entry) {
            return Some(entry);
        }
        self.remove(key, &entry);
        None
    }

    /// Removes this entry, and not one that took its place meanwhile.
    fn remove(&self, key: &CacheKey, entry: &Arc<Entry<V>>) {
        let _ = self.shared.entries.entry(*key).and_compute_with(|present| match present {
            Some(present) if Arc::ptr_eq(present.value(), entry) => moka::ops::compute::Op::Remove,
            _ => moka::ops::compute::Op::Nop,
        });
    }

    fn claim_refresh(&self, key: &CacheKey, entry: &Arc<Entry<V>>, now: Timestamp) -> Option<Leader<V, E>> {
        let claim = Entry::claim(entry, now)?;
        match flight::begin(&self.shared, key, &entry.policy()) {
            Load::Lead(leader) => Some(leader.refreshing(claim)),
            // Somebody who found no value loads it already.
            Load::Follow(_) | Load::Found { .. } | Load::Pass => None,
        }
    }
}

impl<V, E> Shared<V, E>
where
    V: Clone + Send + Sync + 'static,
{
    /// Keeps an entry, unless it is too large.
    fn store(&self, key: CacheKey, mut entry: Entry<V>) -> bool {
        let bytes =
            u32::try_from((self.weigh)(&entry.value)).ok().filter(|bytes| *bytes <= self.max_entry_bytes);
        let Some(bytes) = bytes else {
            self.counters.too_large();
            // What it would have replaced is out of date.
            self.entries.invalidate(&key);
            return false;
        };
        entry.bytes = bytes.saturating_add(OVERHEAD);
        let entry = Arc::new(entry);
        let _ = self.entries.entry(key).and_upsert_with(|present| {
            if let Some(present) = present {
                entry.inherit(present.value());
            }
            Arc::clone(&entry)
        });
        // Invalidated between the check and here: what must not be served must not stay either. (It would
        // not be served in any case; this gives the memory back.)
        if !self.scopes.is_valid(&entry) {
            self.entries.invalidate(&key);
        }
        true
    }
}

#[cfg(test)]
mod tests;
