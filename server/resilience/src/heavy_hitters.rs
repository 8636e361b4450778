//! Who comes most often: the heaviest keys of a stream, in bounded memory.
//!
//! Space-Saving (Metwally, Agrawal, El Abbadi: *Efficient Computation of Frequent and Top-k Elements in
//! Data Streams*, ICDT 2005) in slices of time: what is older than the window has left with its slice.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::Timestamp;
use crate::clock::nanos;

/// A window has so many slices: what counts reaches back for eleven twelfths of it at least.
const SLICES: u64 = 12;

/// The keys that were counted most often in the last window.
///
/// With `m` places and `n` counts in a slice, every key that came more than `n / m` times is among them,
/// and no count is too high by more than that. While there are no more than `m` keys, all counts are exact.
///
/// ```
/// use std::time::Duration;
/// use rad_resilience::{HeavyHitters, Timestamp};
///
/// let hitters = HeavyHitters::new(128, Duration::from_secs(60));
/// let now = Timestamp::default();
/// for key in ["ada", "mallory", "mallory"] {
///     hitters.count(&key, now);
/// }
/// assert_eq!(hitters.top(1, now), [("mallory", 2)]);
/// ```
#[derive(Debug)]
pub struct HeavyHitters<K> {
    places: usize,
    /// Nanoseconds.
    slice: u64,
    /// The latest last.
    slices: Mutex<VecDeque<Slice<K>>>,
}

#[derive(Debug)]
struct Slice<K> {
    number: u64,
    counts: HashMap<K, u64, RandomState>,
}

impl<K: Hash + Eq + Clone> HeavyHitters<K> {
    /// Remembers at most `places` keys (0 is taken as 1) of each twelfth of the last `window`. Nothing is
    /// allocated before the first is counted.
    #[must_use]
    pub fn new(places: usize, window: Duration) -> Self {
        let slice = (nanos(window) / SLICES).max(1);
        Self { places: places.max(1), slice, slices: Mutex::default() }
    }

    /// Counts one of `key`. If there is no place for it, it takes that of the one with the fewest, and its
    /// count.
    pub fn count(&self, key: &K, now: Timestamp) {
        let mut slices = self.slices(now);
        let number = now.as_nanos() / self.slice;
        // After a step back of the clock, the latest goes on.
        if slices.back().is_none_or(|latest| latest.number < number) {
            slices.push_back(Slice { number, counts: HashMap::default() });
        }
        let Some(Slice { counts, .. }) = slices.back_mut() else { return };
        if let Some(count) = counts.get_mut(key) {
            *count += 1;
            return;
        }
        let mut inherited = 0;
        if counts.len() >= self.places
            && let Some((least, count)) = counts.iter().min_by_key(|(_, count)| **count)
        {
            inherited = *count;
            let least = least.clone();
            counts.remove(&least);
        }
        counts.insert(key.clone(), inherited + 1);
    }

    /// The `most` keys that came most often in the last window, the heaviest first.
    #[must_use]
    pub fn top(&self, most: usize, now: Timestamp) -> Vec<(K, u64)> {
        let slices = self.slices(now);
        let mut sums: HashMap<K, u64> = HashMap::new();
        for (key, count) in slices.iter().flat_map(|slice| &slice.counts) {
            *sums.entry(key.clone()).or_default() += count;
        }
        drop(slices);
        let mut top: Vec<_> = sums.into_iter().collect();
        top.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        top.truncate(most);
        top
    }

    /// Those that lie within the last window.
    fn slices(&self, now: Timestamp) -> MutexGuard<'_, VecDeque<Slice<K>>> {
        let mut slices = self.slices.lock().unwrap_or_else(PoisonError::into_inner);
        let present = now.as_nanos() / self.slice;
        while slices.front().is_some_and(|slice| slice.number.saturating_add(SLICES) <= present) {
            slices.pop_front();
        }
        slices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_secs(seconds))
    }

    #[test]
    fn what_is_older_than_the_window_has_left_and_nothing_leaves_long_before() {
        for start in 0..60 {
            let hitters = HeavyHitters::new(8, MINUTE);
            for _ in 0..60 {
                hitters.count(&"ada", at(start));
            }
            assert_eq!(hitters.top(8, at(start + 55)), [("ada", 60)]);
            hitters.count(&"bob", at(start + 56));
            assert_eq!(hitters.top(8, at(start + 60)), [("bob", 1)]);
            assert_eq!(hitters.top(8, at(start + 400)), []);
        }
    }

    #[test]
    fn the_heaviest_are_found_among_ever_new_keys_and_never_counted_too_low() {
        let hitters = HeavyHitters::new(64, MINUTE);
        for round in 0..10_000_u64 {
            hitters.count(&(1_000 + round), at(1));
            if round % 10 == 0 {
                hitters.count(&1, at(1));
            }
            if round % 20 == 0 {
                hitters.count(&2, at(1));
            }
        }
        let top = hitters.top(2, at(2));
        let error = 11_500 / 64;
        assert!(top[0].0 == 1 && (1_000..=1_000 + error).contains(&top[0].1), "{top:?}");
        assert!(top[1].0 == 2 && (500..=500 + error).contains(&top[1].1), "{top:?}");
    }

    #[test]
    fn a_clock_that_goes_backwards_loses_nothing() {
        let hitters = HeavyHitters::new(8, MINUTE);
        hitters.count(&"ada", at(3_600));
        hitters.count(&"ada", at(0));
        assert_eq!(hitters.top(8, at(0)), [("ada", 2)]);
        assert_eq!(hitters.top(8, Timestamp::from_nanos(u64::MAX)), []);
    }
}
