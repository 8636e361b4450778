//! Invalidation, figures, and what is worth loading before it is asked for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::key::organisation_id;
use super::{Cache, CacheFigures, CacheKey, Leader, Popular};
use crate::Timestamp;

impl<V, E> Cache<V, E>
where
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// Forgets everything. As all invalidations: at once, and what is being loaded is not kept either. The
    /// memory is given back when a value is asked for in vain, expires, or by [`Cache::sweep`].
    pub fn invalidate_all(&self) {
        self.shared.counters.invalidated();
        self.shared.scopes.invalidate_all();
    }

    /// Forgets all values with this tag.
    pub fn invalidate_tag(&self, tag: &str) {
        self.shared.counters.invalidated();
        self.shared.scopes.invalidate_tag(tag);
    }

    /// Forgets all values of this organisation.
    pub fn invalidate_organisation(&self, organisation: &str) {
        self.shared.counters.invalidated();
        self.shared.scopes.invalidate_organisation(organisation_id(organisation));
    }

    /// Forgets the value of one key.
    pub fn invalidate_key(&self, key: &CacheKey) {
        self.shared.counters.invalidated();
        self.shared.flights.detach(key);
        self.shared.entries.invalidate(key);
    }

    /// Removes values that are of no use any more, and returns how many. Looks at all of them: to be called
    /// now and then, or after an invalidation.
    pub fn sweep(&self, now: Timestamp) -> usize {
        let mut removed = 0;
        for (key, entry) in &self.shared.entries {
            let dead = now.since(entry.stored) >= entry.freshness.dead_at();
            if dead || !self.shared.scopes.is_valid(&entry) {
                self.remove(&key, &entry);
                removed += 1;
            }
        }
        self.shared.entries.run_pending_tasks();
        removed
    }

    /// The `most` values that were asked for most among those that are fresh for no longer than `within`,
    /// the most popular first: what to load anew before it is missed. Looks at all values.
    #[must_use]
    pub fn popular(&self, most: usize, within: Duration, now: Timestamp) -> Vec<Popular<V>> {
        let mut top = BinaryHeap::new();
        for (key, entry) in &self.shared.entries {
            let fresh_for = entry.freshness.ttl().saturating_sub(now.since(entry.stored));
            if fresh_for > within || !self.shared.scopes.is_valid(&entry) {
                continue;
            }
            top.push(Reverse(Ranked {
                asked: entry.asked(),
                digest: *key.digest(),
                entry: (*key, entry, fresh_for),
            }));
            if top.len() > most {
                top.pop();
            }
        }
        let sorted = top.into_sorted_vec().into_iter();
        sorted
            .map(|Reverse(Ranked { asked, entry: (key, entry, fresh_for), .. })| Popular {
                key,
                value: entry.value.clone(),
                asked,
                fresh_for,
            })
            .collect()
    }

    /// Leads a load that replaces the value of `key`, fresh or not; `None` if there is none, or it is being
    /// loaded already. For pre-warming.
    pub fn begin_refresh(&self, key: &CacheKey, now: Timestamp) -> Option<Leader<V, E>> {
        let entry = self.valid(key)?;
        self.claim_refresh(key, &entry, now)
    }

    /// How it stands, and what it did so far.
    #[must_use]
    pub fn figures(&self) -> CacheFigures {
        self.shared.entries.run_pending_tasks();
        self.shared.counters.figures(self.shared.entries.entry_count(), self.shared.entries.weighted_size())
    }
}

/// By popularity, and by digest among equals, so that the order is the same each time.
struct Ranked<T> {
    asked: u32,
    digest: [u8; 32],
    entry: T,
}

impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.asked, self.digest).cmp(&(other.asked, other.digest))
    }
}

impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Ranked<T> {}
