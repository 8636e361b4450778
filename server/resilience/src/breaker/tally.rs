//! Counts that belong to a generation, so that they empty themselves when the next one begins.

use super::atomic::{AtomicU64, Ordering};

const COUNT_BITS: u32 = 24;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
/// The largest count. The upper half of the range stands for counts that are below zero for a moment, while
/// a thread has taken away what another has yet to add.
pub(crate) const MAX_TALLY: u32 = (1 << (COUNT_BITS - 1)) - 1;

/// A count with the tag that it belongs to, in one word: tags only grow, the newest wins.
#[derive(Debug)]
pub(crate) struct Tally(AtomicU64);

impl Tally {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds to the count of `tag`. Says no if the count is of a newer tag or has reached its bound.
    pub(crate) fn add(&self, tag: u64, delta: i32) -> bool {
        let mut held = self.0.load(Ordering::Relaxed);
        loop {
            let count = match (held >> COUNT_BITS).cmp(&tag) {
                std::cmp::Ordering::Equal => held & COUNT_MASK,
                std::cmp::Ordering::Greater => return false,
                std::cmp::Ordering::Less => 0,
            };
            if delta > 0 && count == u64::from(MAX_TALLY) {
                return false;
            }
            let next = (tag << COUNT_BITS) | (count.wrapping_add_signed(i64::from(delta)) & COUNT_MASK);
            match self.0.compare_exchange_weak(held, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => held = now,
            }
        }
    }

    /// The count of `tag`.
    pub(crate) fn get(&self, tag: u64) -> u32 {
        let held = self.0.load(Ordering::Acquire);
        if held >> COUNT_BITS != tag {
            return 0;
        }
        let count = u32::try_from(held & COUNT_MASK).unwrap_or(0);
        if count > MAX_TALLY { 0 } else { count }
    }
}

impl Tally {
    fn tag(&self) -> u64 {
        self.0.load(Ordering::Acquire) >> COUNT_BITS
    }
}

/// Slices that a time window is made of. More would be more exact and cost more at each call.
pub(crate) const SLICES: usize = 10;
const COUNT: u64 = SLICES as u64;

/// A slice of time, counted from an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    origin_ms: u64,
    length_ms: u64,
    number: u64,
}

impl Slice {
    /// The slice of `length_ms` in which `now_ms` lies. What is before the origin counts as the origin.
    pub(crate) fn at(now_ms: u64, origin_ms: u64, length_ms: u64) -> Self {
        let length_ms = length_ms.max(1);
        Self { origin_ms, length_ms, number: now_ms.saturating_sub(origin_ms) / length_ms }
    }

    fn tag(self, number: u64) -> u64 {
        self.origin_ms.saturating_add(number.saturating_mul(self.length_ms))
    }

    /// Where the slices of the window that ends with this one are, and their tags.
    pub(crate) fn window(self) -> impl Iterator<Item = (usize, u64)> {
        let first = self.number.saturating_sub(COUNT - 1);
        (first..=self.number).map(move |number| (Self::index(number), self.tag(number)))
    }

    fn index(number: u64) -> usize {
        usize::try_from(number % COUNT).unwrap_or(0)
    }
}

/// Counts by slice of time: a sliding window.
#[derive(Debug)]
pub(crate) struct TallyRing([Tally; SLICES]);

impl TallyRing {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Tally::new()))
    }

    /// Adds to the count of a slice, unless that has left the window or is full.
    pub(crate) fn add(&self, slice: Slice, delta: i32) -> bool {
        self.0.get(Slice::index(slice.number)).is_some_and(|tally| tally.add(slice.tag(slice.number), delta))
    }

    /// The tag of the latest slice that was counted in.
    pub(crate) fn latest(&self) -> u64 {
        self.0.iter().map(Tally::tag).max().unwrap_or(0)
    }

    /// The count in the window that ends with `slice`.
    pub(crate) fn sum(&self, slice: Slice) -> u32 {
        // Ten counts of 23 bits.
        slice.window().map(|(at, tag)| self.get(at, tag)).sum()
    }

    /// The count in one slot, if it is of that tag.
    pub(crate) fn get(&self, at: usize, tag: u64) -> u32 {
        self.0.get(at).map_or(0, |tally| tally.get(tag))
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn a_new_tag_starts_at_zero_and_an_old_one_changes_nothing() {
        let tally = Tally::new();
        assert!(tally.add(5, 3));
        assert!(tally.add(9, 1));
        assert!(!tally.add(5, 1));
        assert_eq!((tally.get(5), tally.get(9)), (0, 1));
    }

    #[test]
    fn a_count_below_zero_reads_as_zero_and_comes_back() {
        let tally = Tally::new();
        tally.add(1, -1);
        assert_eq!(tally.get(1), 0);
        tally.add(1, 2);
        assert_eq!(tally.get(1), 1);
    }

    #[test]
    fn a_window_forgets_what_is_ten_slices_old() {
        let ring = TallyRing::new();
        let slice = |ms| Slice::at(ms, 0, 100);
        ring.add(slice(50), 1);
        ring.add(slice(950), 1);
        assert_eq!(ring.sum(slice(999)), 2);
        assert_eq!(ring.sum(slice(1_000)), 1);
        assert_eq!(ring.sum(slice(u64::MAX)), 0);
    }
}
