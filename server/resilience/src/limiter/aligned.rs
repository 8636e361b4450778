//! Windows that lie side by side in time: fixed, and sliding over two of them.
//!
//! The first word of a key is the number of the window that it counts (high half; it wraps after 2³²
//! windows, 136 years of seconds) and the requests in it (low half). A sliding window has the requests of
//! the window before in the second word.
//!
//! A clock that steps back by less than a window, as between two threads at a boundary, finds a key in
//! the window to come, and counts there. After a larger step the key goes on in the present window with
//! what it had: nothing is given, and nobody waits for the length of the step.

use super::window::{Gauge, NEVER, Words};

#[derive(Debug)]
pub(crate) struct Aligned {
    window: u64,
    /// How far into a window the clock's origin lies.
    phase: u64,
    limit: u32,
    sliding: bool,
}

/// A key's place in time.
struct View {
    count: u64,
    /// Requests of the window before that the sliding window still covers, rounded up.
    weighted: u64,
    /// Nanoseconds until the window that is counted ends; more than a window if it is yet to come.
    left: u64,
}

impl Aligned {
    pub(crate) fn new(window: u64, limit: u32, aligned_to: u64, sliding: bool) -> Self {
        let phase = (window - aligned_to % window) % window;
        Self { window, phase, limit, sliding }
    }

    /// The number of the present window, and the nanoseconds until it ends.
    fn present(&self, now: u64) -> (u32, u64) {
        let at = now.saturating_add(self.phase);
        // Only the low half is kept, and meant to.
        #[allow(clippy::cast_possible_truncation)]
        let index = (at / self.window) as u32;
        (index, self.window - at % self.window)
    }

    pub(crate) fn settle(&self, words: &mut Words, now: u64) {
        let (present, _) = self.present(now);
        let (index, count) = unpack(words[0]);
        if index == present {
            return;
        }
        // As a signed distance: the window's number wraps.
        match index.wrapping_sub(present).cast_signed() {
            1 => {}
            -1 => *words = [pack(present, 0), u64::from(count)],
            ..-1 => *words = [pack(present, 0), 0],
            _ => words[0] = pack(present, count),
        }
    }

    fn view(&self, words: Words, now: u64) -> View {
        let (present, left) = self.present(now);
        let (index, count) = unpack(words[0]);
        let (left, covered) =
            if index == present { (left, left) } else { (left.saturating_add(self.window), self.window) };
        let weighted = if self.sliding { scale_up(words[1], covered, self.window) } else { 0 };
        View { count: u64::from(count), weighted, left }
    }

    pub(crate) fn take(&self, words: Words, n: u32, now: u64) -> Result<Words, u64> {
        let (n, limit) = (u64::from(n), u64::from(self.limit));
        if n > limit {
            return Err(NEVER);
        }
        let view = self.view(words, now);
        if view.count + view.weighted + n <= limit {
            // Adds to the low half, which holds at most the limit.
            return Ok([words[0] + n, words[1]]);
        }
        if !self.sliding {
            return Err(view.left);
        }
        // When enough of the window before has slid out: in this window, if what is counted here leaves
        // room; else in the next one, where what is counted here is what slides out.
        Err(match limit.checked_sub(view.count + n) {
            Some(room) => view.left.saturating_sub(scale_down(room, self.window, words[1])),
            None => {
                let covered = scale_down(limit - n, self.window, view.count);
                view.left.saturating_add(self.window.saturating_sub(covered))
            }
        })
    }

    pub(crate) fn gauge(&self, words: Words, now: u64) -> Gauge {
        let view = self.view(words, now);
        let used = u32::try_from(view.count + view.weighted).unwrap_or(u32::MAX).min(self.limit);
        let whole_after = match (view.count, view.weighted) {
            (0, 0) => 0,
            (0, _) => view.left,
            (_, _) if self.sliding => view.left.saturating_add(self.window),
            (_, _) => view.left,
        };
        let weight = (self.window / u64::from(self.limit)).max(1).saturating_mul(u64::from(used));
        Gauge { remaining: self.limit - used, whole_after, weight }
    }

    pub(super) fn give_back(&self, words: Words, n: u32, _now: u64) -> Words {
        let (index, count) = unpack(words[0]);
        let before = words[1].saturating_sub(u64::from(n.saturating_sub(count)));
        [pack(index, count.saturating_sub(n)), before]
    }
}

fn pack(index: u32, count: u32) -> u64 {
    u64::from(index) << 32 | u64::from(count)
}

#[allow(clippy::cast_possible_truncation)]
fn unpack(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// `count` × `part` / `whole`, rounded up.
fn scale_up(count: u64, part: u64, whole: u64) -> u64 {
    match count.checked_mul(part) {
        Some(0) => 0,
        Some(product) => product.div_ceil(whole),
        None => {
            let product = u128::from(count) * u128::from(part);
            u64::try_from(product.div_ceil(u128::from(whole))).unwrap_or(u64::MAX)
        }
    }
}

/// The largest part of `whole` of which `count` covers at most `room`.
fn scale_down(room: u64, whole: u64, count: u64) -> u64 {
    if count == 0 {
        return whole;
    }
    let part = u128::from(room) * u128::from(whole) / u128::from(count);
    u64::try_from(part).unwrap_or(u64::MAX).min(whole)
}
