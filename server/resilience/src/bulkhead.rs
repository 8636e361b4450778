//! A bulkhead: so many requests in flight at once, a bounded queue for those that come on top, and an
//! answer at once for those that would wait in vain.
//!
//! The words are resilience4j's (`Bulkhead`) and Netflix's concurrency-limits'. A free place is taken by
//! one compare-and-swap; only who must wait takes a lock. It may be shared by several single-threaded
//! runtimes: a place given back on one thread wakes a waiter on another. A [`Place`] gives itself back when
//! it is dropped, and a waiter that is dropped, be it in the very moment of being served, takes none along.
//!
//! The limit may be fixed, moved by hand ([`Bulkhead::set_limit`]) or found by itself ([`adaptive`]).
//!
//! ```
//! use rad_resilience::bulkhead::{Bulkhead, BulkheadSettings, Priority};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bulkhead = Bulkhead::new(BulkheadSettings { limit: 1, queue: 0, ..Default::default() })?;
//! let place = bulkhead.acquire(Priority::Normal).await?;
//! assert!(bulkhead.acquire(Priority::Normal).await.is_err(), "taken, and nobody may wait");
//! drop(place);
//! assert!(bulkhead.try_acquire().is_some());
//! # Ok(()) }
//! ```

pub mod adaptive;
mod figures;
mod queue;
mod settings;
mod slots;
mod sync;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout};

use crate::Timestamp;
use adaptive::{Adaptive, Completion};
use figures::Counters;
pub use figures::{BulkheadFigures, BulkheadRejection, RejectReason};
pub use queue::Priority;
use queue::Ticket;
pub use settings::{BulkheadSettings, InvalidBulkhead};
use slots::{Admission, Slots};

/// So many requests in flight at once. A clone is the same bulkhead.
#[derive(Clone, Debug)]
pub struct Bulkhead {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    slots: Slots<Waiter>,
    settings: BulkheadSettings,
    counters: Counters,
    adaptive: Option<Adaptive>,
}

/// Where a waiting request hears what became of it.
#[derive(Debug)]
struct Waiter {
    verdict: oneshot::Sender<Verdict>,
    since: Instant,
    ahead: usize,
}

#[derive(Debug)]
enum Verdict {
    Served(Place),
    Shed,
}

/// A place in flight, given back when it is dropped.
#[must_use = "a place is given back when it is dropped"]
#[derive(Debug)]
pub struct Place {
    /// `None` once somebody else answers for the place.
    shared: Option<Arc<Shared>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.release();
        }
    }
}

/// A request in the queue; leaves it when it is dropped.
struct Waiting<'a> {
    shared: &'a Shared,
    ticket: Ticket,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // If its turn came just now, the place lies in its channel, and is given back with it.
        drop(self.shared.slots.withdraw(self.ticket));
    }
}

impl Shared {
    /// Gives a place to the next one that still wants it, or back.
    fn release(self: &Arc<Self>) {
        while let Some(waiter) = self.slots.release() {
            if self.serve(waiter) {
                return;
            }
        }
    }

    /// Hands a taken place to `waiter`; false if the waiter has gone, and the place is the caller's again.
    fn serve(self: &Arc<Self>, waiter: Waiter) -> bool {
        let waited = waiter.since.elapsed();
        match waiter.verdict.send(Verdict::Served(Place { shared: Some(Arc::clone(self)) })) {
            Ok(()) => {
                self.counters.served(waited, waiter.ahead);
                true
            }
            Err(Verdict::Served(mut place)) => {
                place.shared = None;
                false
            }
            Err(Verdict::Shed) => false,
        }
    }

    /// Changes the limit, and lets in whom a higher one has room for.
    fn set_limit(self: &Arc<Self>, limit: u32) {
        self.slots.set_limit(limit);
        while let Some(waiter) = self.slots.admit() {
            if !self.serve(waiter) {
                self.release();
            }
        }
    }

    fn reject(&self, reason: RejectReason) -> BulkheadRejection {
        self.counters.rejected(reason);
        let ahead = self.slots.load().waiting as usize;
        BulkheadRejection { reason, retry_after: self.counters.retry_after(ahead, self.settings.max_wait) }
    }
}

impl Bulkhead {
    /// A bulkhead with a limit that stays as it is until it is set.
    ///
    /// # Errors
    /// [`InvalidBulkhead`] if a setting is out of its bounds.
    pub fn new(settings: BulkheadSettings) -> Result<Self, InvalidBulkhead> {
        Self::build(settings, None)
    }

    /// A bulkhead that finds its limit by itself: `settings.limit` is where it starts. Tell it by
    /// [`Bulkhead::observe`] how requests end.
    ///
    /// # Errors
    /// [`InvalidBulkhead`] if a setting is out of its bounds.
    pub fn adaptive(settings: BulkheadSettings, adaptive: Adaptive) -> Result<Self, InvalidBulkhead> {
        Self::build(settings, Some(adaptive))
    }

    fn build(settings: BulkheadSettings, adaptive: Option<Adaptive>) -> Result<Self, InvalidBulkhead> {
        let bounds = settings.bounds()?;
        let slots = Slots::new(settings.limit, settings.queue, bounds.high_water, bounds.low_water);
        Ok(Self { shared: Arc::new(Shared { slots, settings, counters: Counters::default(), adaptive }) })
    }

    /// A place, if one is free and nobody waits for it.
    pub fn try_acquire(&self) -> Option<Place> {
        self.shared.slots.try_take().then(|| self.place())
    }

    /// Waits for a place, for as long as the settings allow.
    ///
    /// # Errors
    /// [`BulkheadRejection`] if the queue is full, the wait took too long, or a more urgent request pushed
    /// this one out of the queue.
    pub async fn acquire(&self, priority: Priority) -> Result<Place, BulkheadRejection> {
        self.acquire_within(priority, self.shared.settings.max_wait).await
    }

    /// Waits for a place, for as long as `max_wait`.
    ///
    /// # Errors
    /// As [`Bulkhead::acquire`].
    pub async fn acquire_within(
        &self,
        priority: Priority,
        max_wait: Duration,
    ) -> Result<Place, BulkheadRejection> {
        if let Some(place) = self.try_acquire() {
            return Ok(place);
        }
        let shared = &*self.shared;
        let (verdict, mut answer) = oneshot::channel();
        let mut place_in_queue = 0;
        let admission = shared.slots.take_or_queue(priority, |ahead| {
            place_in_queue = ahead;
            Waiter { verdict, since: Instant::now(), ahead }
        });
        let ticket = match admission {
            Admission::Taken => return Ok(self.place()),
            Admission::Full => return Err(shared.reject(RejectReason::Full)),
            Admission::Queued { ticket, shed } => {
                if let Some(shed) = shed {
                    // If it has gone meanwhile, nobody needs to hear it.
                    let _ = shed.verdict.send(Verdict::Shed);
                }
                ticket
            }
        };
        let waiting = Waiting { shared, ticket };
        let verdict = timeout(max_wait, &mut answer).await;
        drop(waiting);
        let verdict = match verdict {
            Ok(answered) => answered.ok(),
            Err(_elapsed) => {
                // It may have been served in this very moment.
                answer.close();
                answer.try_recv().ok()
            }
        };
        match verdict {
            Some(Verdict::Served(place)) => Ok(place),
            Some(Verdict::Shed) => Err(shared.reject(RejectReason::Shed)),
            None => {
                shared.counters.gave_up(max_wait, place_in_queue);
                Err(shared.reject(RejectReason::WaitedTooLong))
            }
        }
    }

    /// Changes the limit (brought within 1 and 16,777,215). Those who are in flight stay so.
    pub fn set_limit(&self, limit: u32) {
        self.shared.set_limit(limit);
    }

    /// Whether it finds its limit by itself.
    #[must_use]
    pub fn is_adaptive(&self) -> bool {
        self.shared.adaptive.is_some()
    }

    /// Tells an adaptive bulkhead how a request ended; another one does not mind. Returns the limit if it
    /// changed.
    pub fn observe(&self, completion: Completion, now: Timestamp) -> Option<u32> {
        let adaptive = self.shared.adaptive.as_ref()?;
        let word = self.shared.slots.load();
        // Whoever waits would be in flight if the limit let them.
        let wanted = word.in_flight.saturating_add(word.waiting);
        let limit = adaptive.observe(completion, wanted, word.limit, now)?;
        (limit != word.limit).then(|| {
            self.shared.set_limit(limit);
            limit
        })
    }

    /// Whether callers that can should slow down: as many wait as the high-water mark says, or have, and it
    /// has not fallen to the low-water mark since.
    #[must_use]
    pub fn backpressure(&self) -> bool {
        *self.shared.slots.pressure().borrow()
    }

    /// Follows [`Bulkhead::backpressure`].
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.shared.slots.pressure().subscribe()
    }

    /// The settings that it was made with.
    #[must_use]
    pub fn settings(&self) -> &BulkheadSettings {
        &self.shared.settings
    }

    /// How it stands, and what it did so far.
    #[must_use]
    pub fn figures(&self) -> BulkheadFigures {
        let word = self.shared.slots.load();
        let mut figures = BulkheadFigures {
            in_flight: word.in_flight,
            limit: word.limit,
            waiting: self.shared.slots.waiting(),
            backpressure: self.backpressure(),
            ..BulkheadFigures::default()
        };
        self.shared.counters.fill(&mut figures);
        figures
    }

    fn place(&self) -> Place {
        Place { shared: Some(Arc::clone(&self.shared)) }
    }
}

#[cfg(test)]
mod tests;
