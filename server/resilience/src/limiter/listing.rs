//! Who uses most of a limit at this moment.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashSet};
use std::hash::Hash;

use super::{Decision, Limiter, Usage};
use crate::Timestamp;

/// The most keys that one listing has.
pub const MAX_LISTED: usize = 1_000;

/// By share (in 2⁻³² of the limit), then by the number of requests.
type Rank = (u64, u32);

struct Ranked<K> {
    rank: Rank,
    usage: Usage<K>,
}

impl<K> Ord for Ranked<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl<K> PartialOrd for Ranked<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> PartialEq for Ranked<K> {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl<K> Eq for Ranked<K> {}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// The `top` keys (at most [`MAX_LISTED`]) that use the largest share of one of their windows, the
    /// fullest first; keys that use nothing are left out.
    ///
    /// For a page that people look at, not for each request: looks at every remembered key, some
    /// tens of milliseconds for a million, and holds up no decision for longer than some tens of microseconds.
    #[must_use]
    pub fn listing(&self, top: usize, now: Timestamp) -> Vec<Usage<K>> {
        let top = top.min(MAX_LISTED);
        let mut most: BinaryHeap<Reverse<Ranked<K>>> = BinaryHeap::with_capacity(top + 1);
        self.cells.visit(|key, cells| {
            let Some(fullest) = self.rules.fullest(cells, now).filter(|fullest| fullest.used() > 0) else {
                return;
            };
            let used = fullest.used();
            let rank = ((u64::from(used) << 32) / u64::from(fullest.capacity.max(1)), used);
            if most.len() == top && most.peek().is_none_or(|least| rank <= least.0.rank) {
                return;
            }
            let Decision { quota, capacity, reset_after, .. } = fullest;
            let usage = Usage { key: key.clone(), quota, used, capacity, reset_after };
            most.push(Reverse(Ranked { rank, usage }));
            if most.len() > top {
                most.pop();
            }
        });
        // A key is seen twice if it moved because the table grew meanwhile.
        let mut seen = HashSet::new();
        let sorted = most.into_sorted_vec().into_iter().map(|Reverse(ranked)| ranked.usage);
        sorted.filter(|usage| seen.insert(usage.key.clone())).collect()
    }
}
