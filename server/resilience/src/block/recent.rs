//! The rejections of a key within the last window.

use crate::Timestamp;

/// A window has so many slices.
const SLICES: u32 = 4;

/// Counts by slices of a window: what is older than the window never counts, and what counts reaches back for
/// three quarters of it at least.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recent {
    /// The number of the present slice; it wraps after 2³², four centuries of four-second windows.
    slice: u32,
    counts: [u32; SLICES as usize],
}

impl Recent {
    /// Counts one, and says how many there are.
    pub(super) fn add(&mut self, window_ns: u64, now: Timestamp) -> u32 {
        self.turn(window_ns, now);
        if let Some(count) = self.counts.get_mut((self.slice % SLICES) as usize) {
            *count = count.saturating_add(1);
        }
        self.sum()
    }

    /// How many there are.
    pub(super) fn count(mut self, window_ns: u64, now: Timestamp) -> u32 {
        self.turn(window_ns, now);
        self.sum()
    }

    fn sum(&self) -> u32 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Goes on to the present slice. After a step back of the clock it stays where it is.
    fn turn(&mut self, window_ns: u64, now: Timestamp) {
        // Only the low half is kept, and meant to.
        #[allow(clippy::cast_possible_truncation)]
        let present = (now.as_nanos() / (window_ns / u64::from(SLICES)).max(1)) as u32;
        let passed = present.wrapping_sub(self.slice);
        if passed.cast_signed() <= 0 {
            return;
        }
        for slice in 1..=passed.min(SLICES) {
            self.counts[(self.slice.wrapping_add(slice) % SLICES) as usize] = 0;
        }
        self.slice = present;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW_NS: u64 = 60_000_000_000;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count_and_what_is_younger_than_three_quarters_does() {
        for start in 0..60 {
            let mut recent = Recent::default();
            for _ in 0..15 {
                recent.add(WINDOW_NS, at(start));
            }
            assert_eq!(recent.count(WINDOW_NS, at(start + 45)), 15, "{start}");
            assert_eq!(recent.count(WINDOW_NS, at(start + 60)), 0, "{start}");
            assert_eq!(recent.add(WINDOW_NS, at(start + 62)), 1, "{start}");
        }
    }

    #[test]
    fn a_clock_that_goes_backwards_counts_on_and_a_year_of_idle_forgets() {
        let mut recent = Recent::default();
        recent.add(WINDOW_NS, at(3_600));
        assert_eq!(recent.add(WINDOW_NS, at(60)), 2);
        assert_eq!(recent.count(WINDOW_NS, at(3_600 + 365 * 86_400)), 0);
        assert_eq!(recent.count(WINDOW_NS, Timestamp::from_nanos(u64::MAX)), 0);
    }
}
