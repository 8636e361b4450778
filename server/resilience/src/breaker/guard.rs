//! A permit that gives itself back.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::{Breaker, Outcome, Permit, Rejection, Transition};
use crate::{Clock, Timestamp};

/// Leave to ask the target, which measures the time itself. If it is dropped without a word, as when the
/// caller goes away, the call counts as [`Outcome::Ignored`]: a probe's place is free again.
///
/// `B` and `C` are how it holds on to the breaker and the clock: by reference or by `Arc`.
#[must_use = "the call is over when the guard is dropped"]
pub struct Guard<B: Deref<Target = Breaker>, C: Deref<Target: Clock>> {
    breaker: B,
    clock: C,
    permit: Option<Permit>,
    started: Timestamp,
}

impl Breaker {
    /// Asks for leave to call the target, and gives it back when dropped.
    ///
    /// # Errors
    /// As [`Breaker::acquire`].
    ///
    /// ```
    /// use rad_resilience::breaker::{Breaker, BreakerPolicy, Outcome};
    /// use rad_resilience::SystemClock;
    ///
    /// let (breaker, clock) = (Breaker::new(BreakerPolicy::default()), SystemClock::new());
    /// let guard = breaker.permit(&clock)?;
    /// // … ask the target …
    /// guard.record(Outcome::Success);
    /// # Ok::<(), rad_resilience::breaker::Rejection>(())
    /// ```
    pub fn permit<'a, C: Clock>(&'a self, clock: &'a C) -> Result<Guard<&'a Self, &'a C>, Rejection> {
        Guard::new(self, clock)
    }

    /// As [`Breaker::permit`], for a guard that outlives its maker.
    ///
    /// # Errors
    /// As [`Breaker::acquire`].
    pub fn permit_owned<C: Clock>(
        self: &Arc<Self>,
        clock: &Arc<C>,
    ) -> Result<Guard<Arc<Self>, Arc<C>>, Rejection> {
        Guard::new(Arc::clone(self), Arc::clone(clock))
    }
}

impl<B: Deref<Target = Breaker>, C: Deref<Target: Clock>> Guard<B, C> {
    fn new(breaker: B, clock: C) -> Result<Self, Rejection> {
        let started = clock.now();
        let (permit, _) = breaker.acquire(started)?;
        Ok(Self { breaker, clock, permit: Some(permit), started })
    }

    /// Says how the call ended, and returns the change of state that this brought about.
    pub fn record(mut self, outcome: Outcome) -> Option<Transition> {
        self.end(outcome)
    }

    fn end(&mut self, outcome: Outcome) -> Option<Transition> {
        let permit = self.permit.take()?;
        let now = self.clock.now();
        self.breaker.record(permit, outcome, now.since(self.started), now)
    }
}

impl<B: Deref<Target = Breaker>, C: Deref<Target: Clock>> Drop for Guard<B, C> {
    fn drop(&mut self) {
        self.end(Outcome::Ignored);
    }
}

impl<B: Deref<Target = Breaker>, C: Deref<Target: Clock>> fmt::Debug for Guard<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("permit", &self.permit)
            .field("started", &self.started)
            .finish_non_exhaustive()
    }
}
