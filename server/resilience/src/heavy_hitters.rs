//! Who comes most often: the heaviest keys of a stream, in bounded memory.
//!
//! Space-Saving (Metwally, Agrawal, El Abbadi: *Efficient Computation of Frequent and Top-k Elements in
//! Data Streams*, ICDT 2005), over two windows side by side in time: a key's count is that of the present
//! window and the part of the one before that a window up to now still covers.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::Timestamp;
use crate::clock::nanos;

/// The keys that were counted most often in the last window.
///
/// With `m` places and `n` counts in a window, every key that came more than `n / m` times is among them,
/// and no count is too high by more than that. One that has as much as a place to itself, as always when
/// there are no more than `m` keys, is exact within its window.
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
    window: u64,
    counts: Mutex<Windows<K>>,
}

#[derive(Debug)]
struct Windows<K> {
    /// The number of the present window.
    index: u64,
    present: HashMap<K, u64, RandomState>,
    before: HashMap<K, u64, RandomState>,
}

impl<K: Hash + Eq + Clone> HeavyHitters<K> {
    /// Remembers at most `places` keys (0 is taken as 1) of the present and as many of the last `window`
    /// (at least 1 ns). Nothing is allocated before the first is counted.
    #[must_use]
    pub fn new(places: usize, window: Duration) -> Self {
        let counts = Windows { index: 0, present: HashMap::default(), before: HashMap::default() };
        Self { places: places.max(1), window: nanos(window).max(1), counts: Mutex::new(counts) }
    }

    /// Counts one of `key`. If there is no place for it, it takes that of the one with the fewest, and its
    /// count.
    pub fn count(&self, key: &K, now: Timestamp) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.turn(now.as_nanos() / self.window);
        let present = &mut counts.present;
        if let Some(count) = present.get_mut(key) {
            *count += 1;
            return;
        }
        let mut inherited = 0;
        if present.len() >= self.places
            && let Some((least, count)) = present.iter().min_by_key(|(_, count)| **count)
        {
            inherited = *count;
            let least = least.clone();
            present.remove(&least);
        }
        present.insert(key.clone(), inherited + 1);
    }

    /// The `most` keys that came most often in the last window, the heaviest first.
    #[must_use]
    pub fn top(&self, most: usize, now: Timestamp) -> Vec<(K, u64)> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.turn(now.as_nanos() / self.window);
        // Of a present window that the clock has left backwards, nothing has passed.
        let passed = now.as_nanos().saturating_sub(counts.index.saturating_mul(self.window));
        let covered = self.window.saturating_sub(passed);
        let part = |count: u64| {
            let part = u128::from(count) * u128::from(covered) / u128::from(self.window);
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        let mut sums = counts.present.clone();
        for (key, count) in &counts.before {
            *sums.entry(key.clone()).or_default() += part(*count);
        }
        drop(counts);
        let mut top: Vec<_> = sums.into_iter().filter(|(_, count)| *count > 0).collect();
        top.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        top.truncate(most);
        top
    }
}

impl<K> Windows<K> {
    /// Goes on to the present window. After a step back of the clock it stays where it is.
    fn turn(&mut self, index: u64) {
        if index <= self.index {
            return;
        }
        self.before = std::mem::take(&mut self.present);
        if index > self.index + 1 {
            self.before.clear();
        }
        self.index = index;
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
    fn what_came_before_the_last_window_fades_and_is_forgotten() {
        let hitters = HeavyHitters::new(8, MINUTE);
        for _ in 0..60 {
            hitters.count(&"ada", at(30));
        }
        assert_eq!(hitters.top(8, at(59)), [("ada", 60)]);
        assert_eq!(hitters.top(8, at(90)), [("ada", 30)]);
        hitters.count(&"bob", at(91));
        assert_eq!(hitters.top(8, at(105)), [("ada", 15), ("bob", 1)]);
        assert_eq!(hitters.top(8, at(400)), []);
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
