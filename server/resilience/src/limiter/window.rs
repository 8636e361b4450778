//! One window, computed by governor on state that the table keeps.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::KeyedStateStore;
use rad_model::Quota;

use super::{Decision, MAX_WINDOWS};
use crate::Timestamp;

/// The state of one key: for each window the theoretical arrival time of the next request, in
/// nanoseconds since the clock's origin; 0 for a window that is whole.
///
/// Plain cells: the table hands them out under its lock.
#[derive(Debug, Default)]
pub(super) struct Cells([Cell<u64>; MAX_WINDOWS]);

impl Cells {
    /// When the last of the windows is whole again.
    pub(super) fn latest(&self) -> u64 {
        self.0.iter().map(Cell::get).max().unwrap_or(0)
    }
}

impl std::hash::Hash for Cells {
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

/// Where governor finds a window's state in a key's cells, and whether it may change it.
#[derive(Clone, Copy, Debug)]
struct Store {
    window: usize,
    charges: bool,
}

impl StateStore for Store {
    type Key = Cells;

    fn measure_and_replace<T, F, E>(&self, cells: &Cells, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let cell = &cells.0[self.window];
        let arrival = (cell.get() != 0).then(|| Nanos::new(cell.get()));
        decide(arrival).map(|(outcome, next)| {
            if self.charges {
                cell.set(next.as_u64());
            }
            outcome
        })
    }
}

impl KeyedStateStore<Cells> for Store {}

type Gcra = governor::RateLimiter<Cells, Store, DecisionClock, StateInformationMiddleware>;

/// One window of a policy.
#[derive(Debug)]
pub(super) struct Window {
    at: usize,
    quota: Quota,
    asks: Gcra,
    charges: Gcra,
}

impl Window {
    pub(super) fn new(at: usize, quota: Quota) -> Self {
        let burst = NonZeroU32::new(quota.requests()).unwrap_or(NonZeroU32::MIN);
        let window = Duration::from_secs(u64::from(quota.window_s()));
        // At least a nanosecond between requests, so that no quota divides by zero.
        let interval = (window / burst.get()).max(Duration::from_nanos(1));
        let bucket = governor::Quota::with_period(interval)
            .unwrap_or(governor::Quota::per_second(burst))
            .allow_burst(burst);
        NOW.set(0);
        let gcra = |charges| {
            Gcra::new(bucket, Store { window: at, charges }, DecisionClock)
                .with_middleware::<StateInformationMiddleware>()
        };
        Self { at, quota, asks: gcra(false), charges: gcra(true) }
    }

    /// The refusal, if the window does not allow a request now. Changes nothing.
    pub(super) fn refuses(&self, cells: &Cells, now: Timestamp) -> Option<Decision> {
        NOW.set(now.as_nanos());
        let not_until = self.asks.check_key(cells).err()?;
        let from = Nanos::new(now.as_nanos());
        let retry_after = Duration::from_nanos(not_until.earliest_possible().duration_since(from).as_u64());
        Some(Decision {
            allowed: false,
            quota: self.quota,
            remaining: 0,
            reset_after: self.whole_after(cells, now),
            retry_after,
        })
    }

    /// Charges a request that no window refused.
    pub(super) fn charge(&self, cells: &Cells, now: Timestamp) -> Option<Decision> {
        NOW.set(now.as_nanos());
        let state = self.charges.check_key(cells).ok()?;
        Some(Decision {
            allowed: true,
            quota: self.quota,
            remaining: state.remaining_burst_capacity(),
            reset_after: self.whole_after(cells, now),
            retry_after: Duration::ZERO,
        })
    }

    fn whole_after(&self, cells: &Cells, now: Timestamp) -> Duration {
        Timestamp::from_nanos(cells.0[self.at].get()).since(now)
    }
}
