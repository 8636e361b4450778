//! Keys whose answers were for their askers alone a moment ago.
//!
//! While such a key is passed, equal requests do not wait for one another: each would hear only at the end of
//! somebody else's load that it has to ask for itself (Varnish calls this hit-for-miss). What is remembered is a
//! table of fixed size, where a key may push out another: that one is then found out anew by its next load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::CacheKey;
use crate::Timestamp;

/// Places; a power of two. 32 KiB.
const PLACES: usize = 4_096;
/// The longest time for which a key can be passed.
pub(super) const LONGEST: Duration = Duration::from_secs(3_600);

/// A place holds the first bits of a key, and until when it is passed, in milliseconds.
const TIME_BITS: u32 = 40;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

#[derive(Debug)]
pub(super) struct Passes {
    places: Box<[AtomicU64]>,
}

impl Passes {
    pub(super) fn new() -> Self {
        Self { places: (0..PLACES).map(|_| AtomicU64::new(0)).collect() }
    }

    /// The place of a key, and what it is told from others by there. Both are parts of the digest, which is
    /// random.
    fn place(&self, key: &CacheKey) -> Option<(&AtomicU64, u64)> {
        let (words, _) = key.digest().as_chunks::<8>();
        let (at, print) = (u64::from_le_bytes(*words.first()?), u64::from_le_bytes(*words.get(1)?));
        #[allow(clippy::cast_possible_truncation)] // The remainder is small.
        let place = self.places.get((at % PLACES as u64) as usize)?;
        Some((place, print & !TIME_MASK))
    }

    /// Passes a key from `now` on for so long, at most [`LONGEST`].
    pub(super) fn mark(&self, key: &CacheKey, pass_for: Duration, now: Timestamp) {
        if let Some((place, print)) = self.place(key) {
            let until = millis(now.after(pass_for.min(LONGEST))) & TIME_MASK;
            place.store(print | until, Ordering::Relaxed);
        }
    }

    pub(super) fn holds(&self, key: &CacheKey, now: Timestamp) -> bool {
        self.place(key).is_some_and(|(place, print)| {
            let word = place.load(Ordering::Relaxed);
            // More than the longest time comes from a clock that went backwards.
            let left = (word & TIME_MASK).wrapping_sub(millis(now) & TIME_MASK) & TIME_MASK;
            word & !TIME_MASK == print && left > 0 && u128::from(left) <= LONGEST.as_millis()
        })
    }
}

fn millis(moment: Timestamp) -> u64 {
    moment.as_nanos() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_key_is_passed_for_its_time_and_no_other_key_is() {
        let passes = Passes::new();
        let (key, other) = (CacheKey::new("", &[b"a"]), CacheKey::new("", &[b"b"]));
        passes.mark(&key, Duration::from_secs(10), at(100));
        assert!(passes.holds(&key, at(100)) && passes.holds(&key, at(109)));
        assert!(!passes.holds(&key, at(110)) && !passes.holds(&other, at(100)));
    }

    #[test]
    fn a_clock_that_goes_backwards_or_far_ahead_passes_nothing_for_long() {
        let passes = Passes::new();
        let key = CacheKey::new("", &[b"a"]);
        passes.mark(&key, Duration::MAX, at(1_000_000));
        assert!(passes.holds(&key, at(1_003_599)) && !passes.holds(&key, at(1_003_600)));
        assert!(!passes.holds(&key, at(0)) && !passes.holds(&key, Timestamp::from_nanos(u64::MAX)));
    }
}
