//! A bounded table of keys in shards.
//!
//! A lock a shard, in the cache line of what it guards: held for the few tens of nanoseconds of a
//! decision, and there are more shards than workers, so that two workers seldom want the same one. One
//! hash chooses shard and place. Nothing is allocated before the first key: a program may have thousands
//! of limiters of which most are never asked.

use std::hash::{BuildHasher, Hash};
use std::sync::{OnceLock, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::sync::{Mutex, MutexGuard};

/// So many shards are enough for the workers; there are more only if each would become too large.
const SHARDS: usize = 64;
/// Buckets of a shard. With fewer, chance would fill them unevenly; with more, decisions would wait for
/// too long when it is rehashed.
const BUCKETS: std::ops::RangeInclusive<usize> = 512..=8_192;
/// When a shard is full, the lightest of so many of its keys is forgotten, as Redis does it: close to the
/// lightest of all, without a list to keep.
const SAMPLE: usize = 8;
/// Where all of these are precious, the search goes on up to so many.
const LONG_SAMPLE: usize = 64;
/// Keys of this weight are forgotten only if there are hardly any others.
pub(crate) const PRECIOUS: u64 = 1 << 63;
/// The weight of a key that is not forgotten.
pub(crate) const PINNED: u64 = u64::MAX;
/// Buckets that are looked at under one lock, where all are to be: some tens of microseconds.
const CHUNK: usize = 1_024;

#[derive(Debug)]
pub(crate) struct Table<K, V> {
    shards: OnceLock<Box<[Shard<K, V>]>>,
    hasher: RandomState,
    max_keys: usize,
}

/// One line of the cache, so that workers at different shards do not take it from each other.
#[derive(Debug)]
#[repr(align(64))]
struct Shard<K, V>(Mutex<Held<K, V>>);

#[derive(Debug)]
struct Held<K, V> {
    entries: HashTable<(K, V)>,
    /// Where the search for a key to forget goes on.
    hand: usize,
    evicted: u64,
}

/// How many shards for so many keys, and how many keys each holds at most. A full shard is three quarters
/// of a power of two: what
/// hashbrown's table can hold, with room for the marks that removed keys leave.
fn layout(max_keys: usize) -> (usize, usize) {
    let buckets = max_keys.div_ceil(SHARDS).saturating_mul(4).div_ceil(3);
    let buckets = buckets.clamp(*BUCKETS.start(), *BUCKETS.end()).next_power_of_two();
    let shards = max_keys.div_ceil(buckets / 4 * 3).max(1);
    (shards, (max_keys / shards).max(1))
}

impl<K: Hash + Eq + Clone, V: Default> Table<K, V> {
    /// A table of at most `max_keys` keys; 0 is taken as 1.
    pub(crate) fn new(max_keys: usize) -> Self {
        // Seeded at random: who can choose keys cannot choose their places.
        Self { shards: OnceLock::new(), hasher: RandomState::default(), max_keys: max_keys.max(1) }
    }

    fn shards(&self) -> &[Shard<K, V>] {
        self.shards.get_or_init(|| {
            let empty = || Shard(Mutex::new(Held { entries: HashTable::new(), hand: 0, evicted: 0 }));
            (0..layout(self.max_keys).0).map(|_| empty()).collect()
        })
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Held<K, V>> {
        let shards = self.shards();
        // The table of a shard uses the low bits and the top seven; these are from between.
        let bits = (hash >> 24) & 0xffff_ffff;
        let at = usize::try_from((bits * shards.len() as u64) >> 32).unwrap_or(0);
        lock(&shards[at.min(shards.len() - 1)])
    }

    /// Calls `act` with the value of `key`, which is added if there is none; if there is no room, the
    /// lightest of a few others leaves, and `leaving` sees it. One that weighs [`PINNED`] stays, even
    /// beyond the cap: who pins keys bounds their number.
    #[inline]
    pub(crate) fn with<T>(
        &self,
        key: &K,
        weight: impl Fn(&V) -> u64,
        leaving: impl FnOnce(&V),
        act: impl FnOnce(&mut V) -> T,
    ) -> T {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash);
        if let Some((_, value)) = shard.entries.find_mut(hash, |(other, _)| other == key) {
            return act(value);
        }
        self.add(&mut shard, hash, key, weight, leaving, act)
    }

    #[cold]
    #[inline(never)]
    fn add<T>(
        &self,
        shard: &mut Held<K, V>,
        hash: u64,
        key: &K,
        weight: impl Fn(&V) -> u64,
        leaving: impl FnOnce(&V),
        act: impl FnOnce(&mut V) -> T,
    ) -> T {
        let (_, most) = layout(self.max_keys);
        if shard.entries.len() >= most {
            shard.evict(weight, leaving);
        }
        let rehash = |(key, _): &(K, V)| self.hasher.hash_one(key);
        let entries = &mut shard.entries;
        if entries.len() == entries.capacity() && entries.num_buckets() / 4 * 3 >= most {
            // Full of marks of removed keys. Left alone, the table would double.
            let mut fresh = HashTable::with_capacity(most);
            for entry in entries.drain() {
                fresh.insert_unique(rehash(&entry), entry, rehash);
            }
            *entries = fresh;
        }
        match shard.entries.entry(hash, |(other, _)| other == key, rehash) {
            Entry::Occupied(mut entry) => act(&mut entry.get_mut().1),
            Entry::Vacant(entry) => act(&mut entry.insert((key.clone(), V::default())).get_mut().1),
        }
    }

    /// Calls `act` with the value of `key`, if there is one.
    pub(crate) fn get<T>(&self, key: &K, act: impl FnOnce(&mut V) -> T) -> Option<T> {
        self.shards.get()?;
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash);
        shard.entries.find_mut(hash, |(other, _)| other == key).map(|(_, value)| act(value))
    }

    /// Drops the keys that `keep` does not want, a chunk at a time, so that no decision waits for long.
    pub(crate) fn retain(&self, keep: impl Fn(&K, &mut V) -> bool) {
        for shard in self.shards.get().into_iter().flatten() {
            let mut from = 0;
            loop {
                let mut held = lock(shard);
                let buckets = held.entries.num_buckets();
                for bucket in from..(from + CHUNK).min(buckets) {
                    if let Ok(mut entry) = held.entries.get_bucket_entry(bucket)
                        && let (key, value) = entry.get_mut()
                        && !keep(key, value)
                    {
                        entry.remove();
                    }
                }
                from += CHUNK;
                if from < buckets {
                    continue;
                }
                let wanted = held.entries.len() * 2;
                if buckets > 64 && held.entries.capacity() > wanted.saturating_mul(2) {
                    held.entries.shrink_to(wanted, |(key, _)| self.hasher.hash_one(key));
                }
                break;
            }
        }
    }

    /// Shows every key, a chunk at a time; one that moves because the table grows meanwhile may be shown
    /// twice.
    pub(crate) fn visit(&self, mut see: impl FnMut(&K, &V)) {
        for shard in self.shards.get().into_iter().flatten() {
            let mut from = 0;
            loop {
                let held = lock(shard);
                let buckets = held.entries.num_buckets();
                for bucket in from..(from + CHUNK).min(buckets) {
                    if let Some((key, value)) = held.entries.get_bucket(bucket) {
                        see(key, value);
                    }
                }
                from += CHUNK;
                if from >= buckets {
                    break;
                }
            }
        }
    }

    fn sum<N: std::iter::Sum>(&self, of: impl Fn(&Held<K, V>) -> N) -> N {
        self.shards.get().into_iter().flatten().map(|shard| of(&lock(shard))).sum()
    }

    pub(crate) fn len(&self) -> usize {
        self.sum(|shard| shard.entries.len())
    }

    pub(crate) fn max_keys(&self) -> usize {
        self.max_keys
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.sum(|shard| shard.evicted)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.shards.get().map_or(0, |shards| size_of_val::<[_]>(shards))
            + self.sum(|shard| shard.entries.allocation_size())
    }
}

impl<K, V> Held<K, V> {
    /// Forgets the lightest of the next few keys. The hand goes round, so that each is looked at in turn.
    fn evict(&mut self, weight: impl Fn(&V) -> u64, leaving: impl FnOnce(&V)) {
        let buckets = self.entries.num_buckets();
        let mut lightest: Option<(usize, u64)> = None;
        let mut seen = 0;
        for _ in 0..buckets {
            self.hand = if self.hand + 1 < buckets { self.hand + 1 } else { 0 };
            let Some((_, value)) = self.entries.get_bucket(self.hand) else { continue };
            let weight = weight(value);
            if weight == PINNED {
                continue;
            }
            if lightest.is_none_or(|(_, least)| weight < least) {
                lightest = Some((self.hand, weight));
            }
            seen += 1;
            let is_enough = lightest.is_some_and(|(_, least)| least < PRECIOUS);
            if weight == 0 || seen >= LONG_SAMPLE || (seen >= SAMPLE && is_enough) {
                break;
            }
        }
        if let Some((bucket, weight)) = lightest
            && let Ok(entry) = self.entries.get_bucket_entry(bucket)
        {
            leaving(&entry.get().1);
            entry.remove();
            self.evicted = self.evicted.saturating_add(u64::from(weight > 0));
        }
    }
}

/// A panic elsewhere leaves values that are still whole: they are written at the end of a decision.
fn lock<K, V>(shard: &Shard<K, V>) -> MutexGuard<'_, Held<K, V>> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_hold_the_cap_and_not_more() {
        for max_keys in [1, 2, 384, 385, 1_000, 6_400, 100_000, 1_000_000, 50_000_000] {
            let (shards, most) = layout(max_keys);
            assert!(shards <= SHARDS || most <= BUCKETS.end() / 4 * 3, "{max_keys}");
            assert!(shards * most <= max_keys && shards * most > max_keys - shards, "{max_keys}");
        }
    }

    #[test]
    fn a_full_table_never_doubles_however_many_keys_pass_through() {
        let table: Table<u64, [u64; 2]> = Table::new(24_576);
        for key in 0..400_000_u64 {
            table.with(&key, |value| value[0], |_| {}, |value| value[0] = key);
        }
        assert!(table.len() > 24_000);
        // 25 bytes a bucket, three quarters of them in use.
        assert!(table.memory_bytes() < 24_576 * 25 * 4 / 3 + 16_384, "{}", table.memory_bytes());
    }

    #[test]
    fn the_lightest_keys_leave_first() {
        let table: Table<u64, u64> = Table::new(10_000);
        for key in 1..=40_000_u64 {
            table.with(&key, |value| *value, |_| {}, |value| *value = key);
        }
        let young = (30_001..=40_000_u64).filter(|key| table.get(key, |_| ()).is_some()).count();
        assert!(young > 8_000, "{young}");
        assert_eq!((1..=20_000_u64).filter(|key| table.get(key, |_| ()).is_some()).count(), 0);
    }

    #[test]
    fn sweeping_and_looking_reach_every_key() {
        let table: Table<u64, u64> = Table::new(100_000);
        for key in 0..50_000_u64 {
            table.with(&key, |_| 0, |_| {}, |value| *value = key);
        }
        let mut seen = 0_u64;
        table.visit(|_, value| seen += value);
        assert_eq!(seen, 50_000 * 49_999 / 2);
        table.retain(|key, _| key % 1_000 == 0);
        assert_eq!(table.len(), 50);
        assert!(table.memory_bytes() < 100_000, "{}", table.memory_bytes());
    }
}
