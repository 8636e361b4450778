//! Places in flight and the queue for them.
//!
//! How many are in flight, how many may be and how many wait is one atomic word. While nobody waits, taking
//! and giving back a place is one compare-and-swap; the queue's lock is for those who must wait and those
//! who let them in. Nobody overtakes: the word says that somebody waits before the newcomer can look for a
//! free place, and the number of waiting requests only ever changes under the lock.

use tokio::sync::watch;

use super::queue::{Priority, Queue, Ticket};
use super::sync::{AtomicU64, Mutex, Ordering, lock};

const BITS: u32 = 24;
const MASK: u64 = (1 << BITS) - 1;

/// The most places.
#[allow(clippy::cast_possible_truncation)] // 24 bits.
pub(super) const MAX_LIMIT: u32 = MASK as u32;
/// The most waiting requests: what is left of the word.
pub(super) const MAX_QUEUE: u32 = u16::MAX as u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) in_flight: u32,
    pub(super) limit: u32,
    pub(super) waiting: u32,
}

impl Word {
    #[allow(clippy::cast_possible_truncation)] // Each part fits.
    fn from_bits(bits: u64) -> Self {
        Self {
            in_flight: (bits & MASK) as u32,
            limit: ((bits >> BITS) & MASK) as u32,
            waiting: (bits >> (2 * BITS)) as u32,
        }
    }

    fn bits(self) -> u64 {
        u64::from(self.in_flight) | u64::from(self.limit) << BITS | u64::from(self.waiting) << (2 * BITS)
    }

    fn is_free(self) -> bool {
        self.in_flight < self.limit
    }
}

/// What became of a request for a place.
#[derive(Debug)]
pub(super) enum Admission<T> {
    Taken,
    Queued {
        ticket: Ticket,
        /// The request that had to leave the full queue for this one.
        shed: Option<T>,
    },
    Full,
}

#[derive(Debug)]
pub(super) struct Slots<T> {
    word: AtomicU64,
    capacity: u32,
    high_water: u32,
    low_water: u32,
    queue: Mutex<Queue<T>>,
    pressure: watch::Sender<bool>,
}

impl<T> Slots<T> {
    pub(super) fn new(limit: u32, capacity: u32, high_water: u32, low_water: u32) -> Self {
        let word = Word { in_flight: 0, limit: limit.min(MAX_LIMIT), waiting: 0 };
        Self {
            word: AtomicU64::new(word.bits()),
            capacity: capacity.min(MAX_QUEUE),
            high_water,
            low_water,
            queue: Mutex::new(Queue::new()),
            pressure: watch::Sender::new(false),
        }
    }

    pub(super) fn load(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    /// Changes the word by `change` until nobody comes in between; `None` leaves it as it is.
    fn update(&self, mut change: impl FnMut(Word) -> Option<Word>) -> Result<Word, Word> {
        let mut bits = self.word.load(Ordering::Acquire);
        loop {
            let word = Word::from_bits(bits);
            let Some(next) = change(word) else { return Err(word) };
            match self.word.compare_exchange_weak(bits, next.bits(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(next),
                Err(seen) => bits = seen,
            }
        }
    }

    /// Takes a place if one is free and nobody waits for it.
    pub(super) fn try_take(&self) -> bool {
        self.update(|word| {
            (word.waiting == 0 && word.is_free()).then(|| Word { in_flight: word.in_flight + 1, ..word })
        })
        .is_ok()
    }

    /// Takes a place or lines up for one. `entry` is told how many are ahead.
    pub(super) fn take_or_queue(&self, priority: Priority, entry: impl FnOnce(usize) -> T) -> Admission<T> {
        let mut queue = lock(&self.queue);
        let changed = self.update(|word| {
            if word.waiting == 0 && word.is_free() {
                Some(Word { in_flight: word.in_flight + 1, ..word })
            } else if word.waiting < self.capacity {
                Some(Word { waiting: word.waiting + 1, ..word })
            } else {
                None
            }
        });
        match changed {
            Ok(word) if word.waiting == 0 => Admission::Taken,
            Ok(word) => {
                let ahead = queue.ahead(priority);
                let ticket = queue.push(priority, entry(ahead));
                self.signal(word.waiting);
                Admission::Queued { ticket, shed: None }
            }
            Err(_) => match queue.shed_below(priority) {
                // One leaves and one comes: as many wait as before.
                Some(shed) => {
                    let ahead = queue.ahead(priority);
                    let ticket = queue.push(priority, entry(ahead));
                    Admission::Queued { ticket, shed: Some(shed) }
                }
                None => Admission::Full,
            },
        }
    }

    /// Gives a place back. If somebody waits, the place is theirs: it must be handed to the returned one.
    #[must_use]
    pub(super) fn release(&self) -> Option<T> {
        let quiet = self.update(|word| (word.waiting == 0).then(|| Self::without_one(word)));
        if quiet.is_ok() {
            return None;
        }
        let mut queue = lock(&self.queue);
        let mut handed_on = false;
        let _ = self.update(|word| {
            // Over the limit, after that was lowered, the place is gone.
            handed_on = word.waiting > 0 && word.in_flight <= word.limit;
            Some(if handed_on { Word { waiting: word.waiting - 1, ..word } } else { Self::without_one(word) })
        });
        handed_on.then(|| self.next(&mut queue)).flatten()
    }

    fn without_one(word: Word) -> Word {
        Word { in_flight: word.in_flight.saturating_sub(1), ..word }
    }

    /// Lets the next one in if there is room. The place must be handed to the returned one.
    #[must_use]
    pub(super) fn admit(&self) -> Option<T> {
        let mut queue = lock(&self.queue);
        self.update(|word| {
            (word.waiting > 0 && word.is_free()).then(|| Word {
                in_flight: word.in_flight + 1,
                waiting: word.waiting - 1,
                ..word
            })
        })
        .ok()?;
        self.next(&mut queue)
    }

    /// Takes a waiting request out of the queue; `None` if its turn has come already, or it was shed.
    pub(super) fn withdraw(&self, ticket: Ticket) -> Option<T> {
        let mut queue = lock(&self.queue);
        let entry = queue.remove(ticket)?;
        let word = self.update(|word| Some(Word { waiting: word.waiting.saturating_sub(1), ..word }));
        self.signal(word.map_or(0, |word| word.waiting));
        Some(entry)
    }

    /// Changes the limit. When it was raised, [`Slots::admit`] lets in those who fit now.
    pub(super) fn set_limit(&self, limit: u32) {
        let limit = limit.clamp(1, MAX_LIMIT);
        let _ = self.update(|word| (word.limit != limit).then_some(Word { limit, ..word }));
    }

    fn next(&self, queue: &mut Queue<T>) -> Option<T> {
        let entry = queue.pop();
        self.signal(self.load().waiting);
        entry
    }

    /// Raises or lowers the backpressure signal. Called under the lock, so that the last word is the true one.
    fn signal(&self, waiting: u32) {
        self.pressure.send_if_modified(|pressed| {
            let next = if *pressed { waiting > self.low_water } else { waiting >= self.high_water };
            std::mem::replace(pressed, next) != next
        });
    }

    pub(super) fn pressure(&self) -> &watch::Sender<bool> {
        &self.pressure
    }

    pub(super) fn waiting(&self) -> [usize; Priority::ALL.len()] {
        lock(&self.queue).lengths()
    }
}

#[cfg(test)]
mod tests;
