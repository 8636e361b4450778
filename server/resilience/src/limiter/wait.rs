//! Waiting for a turn instead of being rejected.

use std::hash::Hash;
use std::time::Duration;

use super::cells::MAX_WORDS;
use super::{Decision, Limiter};
use crate::{Clock, Timestamp};

/// The most callers that can wait for one key.
pub const MAX_WAITING: usize = 1_000;

/// How late the timer may ring for each that waits: Tokio's has a resolution of a millisecond.
const TIMER_SLACK: Duration = Duration::from_millis(2);

/// Why a caller was not let wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// The wait would be longer than the caller allows. Nothing was charged.
    #[error("the turn would come in {needed:?}, later than the {max_wait:?} allowed")]
    TooLong {
        /// The wait that would be needed; [`Duration::MAX`] if no wait is long enough.
        needed: Duration,
        max_wait: Duration,
        decision: Decision,
    },
    /// [`MAX_WAITING`] callers wait for this key already. Nothing was charged.
    #[error("{MAX_WAITING} callers wait already")]
    LineFull { decision: Decision },
}

impl NotReady {
    /// The decision that the caller would wait for to change.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        match self {
            Self::TooLong { decision, .. } | Self::LineFull { decision } => decision,
        }
    }
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// Waits for one request of `key` to be allowed, at most `max_wait`; see
    /// [`until_ready_n`](Self::until_ready_n).
    ///
    /// # Errors
    /// As [`until_ready_n`](Self::until_ready_n).
    pub async fn until_ready(
        &self,
        key: &K,
        clock: &impl Clock,
        max_wait: Duration,
    ) -> Result<Decision, NotReady> {
        self.until_ready_n(key, 1, clock, max_wait).await
    }

    /// Waits until `n` requests of `key` are allowed, and charges them, once, when they are. Callers of
    /// one key are served in the order in which they came; one that goes away (the future is dropped)
    /// pays nothing, and those behind it move up.
    ///
    /// Needs a Tokio runtime with time. `clock` must move as Tokio's does: [`TokioClock`](crate::TokioClock),
    /// or [`SystemClock`](crate::SystemClock) outside tests. The timer has a resolution of a millisecond.
    ///
    /// # Errors
    /// At once if the wait would be longer than `max_wait`, with the wait that would be needed; or if
    /// [`MAX_WAITING`] callers wait for this key.
    pub async fn until_ready_n(
        &self,
        key: &K,
        n: u32,
        clock: &impl Clock,
        max_wait: Duration,
    ) -> Result<Decision, NotReady> {
        let started = clock.now();
        let mut decided = None;
        let mut slack = TIMER_SLACK;
        let place = self.lines.join(key, n, |ahead| {
            if ahead.len() == 0 {
                let decision = self.charge(key, n, started);
                if decision.allowed {
                    decided = Some(decision);
                    return Err(None);
                }
            }
            if ahead.len() >= MAX_WAITING {
                return Err(Some(NotReady::LineFull {
                    decision: self.rules.ask(&self.cells.copy(key), n, started),
                }));
            }
            slack = TIMER_SLACK.saturating_mul(u32::try_from(ahead.len() + 1).unwrap_or(u32::MAX));
            let decision = self.turn_behind(key, ahead, n, started);
            if decision.retry_after > max_wait {
                return Err(Some(NotReady::TooLong { needed: decision.retry_after, max_wait, decision }));
            }
            Ok(())
        });
        let place = match (place, decided) {
            (_, Some(decision)) => return Ok(decision),
            (Ok(place), None) => place,
            (Err(Some(not_ready)), None) => return Err(not_ready),
            // Not reached: without a reason there is a decision.
            (Err(None), None) => return Ok(self.charge(key, n, started)),
        };
        let turn = async {
            let _turn = place.turn.lock().await;
            loop {
                let decision = self.charge(key, n, clock.now());
                if decision.allowed {
                    return decision;
                }
                tokio::time::sleep(decision.retry_after.max(Duration::from_nanos(1))).await;
            }
        };
        // Who was let wait is served, even if timers ring late; the bound is for a clock that stands still.
        match tokio::time::timeout(max_wait.saturating_add(slack), turn).await {
            Ok(decision) => Ok(decision),
            Err(_) => {
                let decision = self.rules.ask(&self.cells.copy(key), n, clock.now());
                let needed = clock.now().since(started).saturating_add(decision.retry_after).max(max_wait);
                Err(NotReady::TooLong { needed, max_wait, decision })
            }
        }
    }

    /// The refusal of a request that would overtake those who wait for `key`, if there are any.
    #[cold]
    pub(super) fn behind(&self, key: &K, n: u32, now: Timestamp) -> Option<Decision> {
        self.lines.ahead(key, |ahead| self.turn_behind(key, ahead, n, now))
    }

    /// When the turn of a request comes that asks after those ahead: each is charged, on a copy, at the
    /// moment at which it would be served.
    fn turn_behind(
        &self,
        key: &K,
        ahead: &mut dyn ExactSizeIterator<Item = u32>,
        n: u32,
        now: Timestamp,
    ) -> Decision {
        let mut cells: [u64; MAX_WORDS] = self.cells.copy(key);
        let present = self.rules.ask(&cells, n, now);
        let mut at = now;
        for waiting in ahead {
            let wait = self.rules.ask(&cells, waiting, at).retry_after;
            at = at.after(wait);
            self.rules.charge(&mut cells, waiting, at);
        }
        let last = self.rules.ask(&cells, n, at);
        Decision {
            allowed: false,
            retry_after: at.since(now).saturating_add(last.retry_after).max(Duration::from_nanos(1)),
            ..present
        }
    }
}
