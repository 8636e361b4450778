//! A bounded table of keys in shards.
//!
//! A lock a shard: held for the few tens of nanoseconds of a decision, and there are many more shards
//! than workers, so that two workers seldom want the same one.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

use super::window::Cells;

const SHARDS: usize = 64;
/// When a shard is full, the quietest of so many of its keys is forgotten, as Redis does it: close to
/// the quietest of all, without a list to keep.
const SAMPLE: usize = 8;

#[derive(Debug)]
pub(super) struct Table<K> {
    shards: Box<[Mutex<HashMap<K, Cells, RandomState>>]>,
    hasher: RandomState,
    max_per_shard: usize,
}

impl<K: Hash + Eq + Clone> Table<K> {
    pub(super) fn new(max_keys: usize) -> Self {
        // Seeded at random: who can choose keys cannot choose their shard.
        let hasher = RandomState::default();
        let shards = (0..SHARDS).map(|_| Mutex::new(HashMap::with_hasher(hasher.clone()))).collect();
        Self { shards, hasher, max_per_shard: max_keys.div_ceil(SHARDS).max(1) }
    }

    pub(super) fn with<T>(&self, key: &K, decide: impl FnOnce(&Cells) -> T) -> T {
        // The map uses the low bits and the top seven; the shard takes some from the middle.
        let at = usize::try_from((self.hasher.hash_one(key) >> 40) & 0xff_ffff).unwrap_or(0) % SHARDS;
        let mut shard = lock(&self.shards[at]);
        if let Some(cells) = shard.get(key) {
            return decide(cells);
        }
        if shard.len() >= self.max_per_shard {
            let quietest =
                shard.iter().take(SAMPLE).min_by_key(|(_, cells)| cells.latest()).map(|(key, _)| key.clone());
            if let Some(quietest) = quietest {
                shard.remove(&quietest);
            }
        }
        decide(shard.entry(key.clone()).or_default())
    }

    pub(super) fn retain(&self, keep: impl Fn(&Cells) -> bool) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.retain(|_, cells| keep(cells));
            if shard.capacity() > 4 * shard.len().max(64) {
                shard.shrink_to_fit();
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }
}

/// A panic elsewhere leaves cells that are still valid times.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
