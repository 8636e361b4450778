//! Token and leaky bucket: governor's generic cell rate algorithm on state that the table keeps.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::KeyedStateStore;

use super::window::{Gauge, NEVER, Words};

/// Governor adds times without a check; up to here (146 years) the sums fit.
const LATEST: u64 = u64::MAX / 4;

/// The theoretical arrival time of the next request, in nanoseconds since the clock's origin, for one
/// call of governor; 0 for a bucket that is whole.
#[derive(Debug)]
struct Slot(Cell<u64>);

impl std::hash::Hash for Slot {
    /// Governor wants its keys to be hashable; the table has found the entry already.
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

thread_local! {
    /// The moment of the decision that this thread is making.
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// Governor reads a clock where we pass the time: this one tells what was passed.
#[derive(Clone, Copy, Debug)]
struct DecisionClock;

impl Clock for DecisionClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(NOW.get())
    }
}

/// The state of a key is where the key is: governor gets a copy of it, and whether the copy becomes the
/// state is decided when all windows have been asked.
#[derive(Clone, Copy, Debug)]
struct InSlot;

impl StateStore for InSlot {
    type Key = Slot;

    fn measure_and_replace<T, F, E>(&self, slot: &Slot, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let arrival = slot.0.get();
        decide((arrival != 0).then(|| Nanos::new(arrival))).map(|(outcome, next)| {
            slot.0.set(next.as_u64());
            outcome
        })
    }
}

impl KeyedStateStore<Slot> for InSlot {}

type Engine = governor::RateLimiter<Slot, InSlot, DecisionClock, NoOpMiddleware<Nanos>>;

#[derive(Debug)]
pub(super) struct Bucket {
    engine: Engine,
    /// Nanoseconds for which one request takes up its place.
    interval: u64,
    capacity: u32,
    /// The most requests that one call may ask for.
    largest: u32,
    /// The furthest that an arrival time can lie ahead.
    horizon: u64,
}

impl Bucket {
    /// A bucket with room for `capacity` that gives back one place each `interval` nanoseconds; `largest`
    /// requests can pass together, those over `capacity` by keeping the bucket full for as long as they
    /// take.
    pub(super) fn new(interval: u64, capacity: u32, largest: u32) -> Self {
        let burst = NonZeroU32::new(capacity).unwrap_or(NonZeroU32::MIN);
        let quota = governor::Quota::with_period(Duration::from_nanos(interval.max(1)))
            .unwrap_or(governor::Quota::per_second(burst))
            .allow_burst(burst);
        NOW.set(0);
        let horizon = interval.saturating_mul(u64::from(capacity.max(largest)));
        Self {
            engine: Engine::new(quota, InSlot, DecisionClock),
            interval,
            capacity: burst.get(),
            largest,
            horizon,
        }
    }

    /// Small steps back of the clock change nothing. After a large one, which leaves an arrival time
    /// where none can be, the bucket is empty: the key waits one refill and not the length of the step.
    pub(super) fn settle(&self, words: &mut Words, now: u64) {
        let now = now.min(LATEST);
        if words[0].saturating_sub(now) > self.horizon.saturating_mul(2) {
            words[0] = now.saturating_add(self.horizon);
        }
    }

    pub(super) fn take(&self, words: Words, n: u32, now: u64) -> Result<Words, u64> {
        if n > self.largest {
            return Err(NEVER);
        }
        let now = now.min(LATEST);
        NOW.set(now);
        let slot = Slot(Cell::new(words[0]));
        let asked = match NonZeroU32::new(n.min(self.capacity)) {
            None => return Ok(words),
            Some(NonZeroU32::MIN) => self.engine.check_key(&slot),
            Some(n) => self.engine.check_key_n(&slot, n).map_err(|_| NEVER)?,
        };
        let refused = |not_until: governor::NotUntil<Nanos>| {
            not_until.earliest_possible().duration_since(Nanos::new(now)).as_u64()
        };
        asked.map_err(refused)?;
        let over = u64::from(n.saturating_sub(self.capacity)).saturating_mul(self.interval);
        Ok([slot.0.get().saturating_add(over), 0])
    }

    pub(super) fn gauge(&self, words: Words, now: u64) -> Gauge {
        let whole_after = words[0].saturating_sub(now.min(LATEST));
        let taken = whole_after.div_ceil(self.interval).min(u64::from(self.capacity));
        let remaining = self.capacity - u32::try_from(taken).unwrap_or(self.capacity);
        Gauge { remaining, whole_after, weight: whole_after }
    }

    /// Nanoseconds until there is room for one more than `gauge` has.
    pub(super) fn more_after(&self, gauge: &Gauge) -> u64 {
        let taken = u64::from(self.capacity - gauge.remaining.min(self.capacity));
        gauge.whole_after.saturating_sub(self.interval.saturating_mul(taken.saturating_sub(1)))
    }

    pub(super) fn give_back(&self, words: Words, n: u32, now: u64) -> Words {
        let arrival = words[0].saturating_sub(u64::from(n).saturating_mul(self.interval));
        [if arrival <= now.min(LATEST) { 0 } else { arrival }, 0]
    }
}
