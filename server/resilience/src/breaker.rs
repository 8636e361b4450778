//! A circuit breaker: stops asking a target that fails, and finds out by probes when it is well again.
//!
//! ```text
//!            N failures in a row                      open_for is over, a request comes
//!  CLOSED ────────────────────────▶ OPEN ─────────────────────────────────────────▶ HALF_OPEN
//!    ▲                               ▲                                                │  │
//!    │                               └──── a probe fails, or half_open_for is over ───┘  │
//!    └───────────────────────── M probes succeed ─────────────────────────────────────────┘
//! ```
//!
//! The pattern is Michael Nygard's (*Release It!*), the words are resilience4j's. The whole state is one
//! atomic word, so that a decision is one load while closed and all workers agree without a lock. Each
//! period of a state has a generation of its own; a [`Permit`] carries it, so that the late result of an
//! earlier period changes nothing.

mod word;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rad_model::BreakerState;
use rad_model::event::OpenReason;

use crate::Timestamp;
use word::Word;

/// When a breaker opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row that open it, 1 to 16,383.
    pub consecutive_failures: u32,
    /// How long it stays open, at least 1 ms.
    pub open_for: Duration,
    /// Successful probes that close it, 1 to 127. As many probes may be under way at once.
    pub successes_to_close: u32,
    /// How long it may stay half-open, at least 1 ms.
    pub half_open_for: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            open_for: Duration::from_secs(60),
            successes_to_close: 2,
            half_open_for: Duration::from_secs(30),
        }
    }
}

impl BreakerSettings {
    /// The most failures in a row that can be asked for.
    pub const MAX_FAILURES: u32 = word::MAX_COUNT;
    /// The most successful probes that can be asked for.
    pub const MAX_PROBES: u32 = word::MAX_PROBES;
}

/// How a request to the target ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target is well.
    Success,
    /// The target is not well.
    Failure,
    /// Says nothing about the target, such as a caller that went away.
    Ignored,
}

/// The breaker is open: the target must not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker is open for another {retry_after:?}")]
pub struct Rejection {
    /// Time until a request may pass.
    pub retry_after: Duration,
    /// The change of state that this call brought about: probing took too long.
    pub transition: Option<Transition>,
}

/// A change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    Opened {
        reason: OpenReason,
    },
    HalfOpened {
        /// How long it was open.
        after: Duration,
    },
    Closed {
        /// The probes that succeeded.
        successes: u32,
    },
}

/// The state at a moment, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    pub state: BreakerState,
    /// How long it has been in this state.
    pub since: Duration,
    /// Failures in a row (closed).
    pub failures: u32,
    /// Successful probes (half-open).
    pub successes: u32,
    /// Time until a probe may pass (open) or probing is given up (half-open).
    pub next: Option<Duration>,
}

/// Leave to ask the target. Give it back with [`Breaker::record`]; a permit that is dropped instead must
/// be recorded as [`Outcome::Ignored`] by its holder, or a probe's place stays taken until the half-open
/// time is over.
#[must_use = "a permit that is not recorded keeps a probe's place taken"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    issued: Word,
}

/// A circuit breaker for one target.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    word: AtomicU64,
}

impl Breaker {
    /// A closed breaker. Settings out of their bounds are brought within them.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        let settings = BreakerSettings {
            consecutive_failures: settings.consecutive_failures.clamp(1, BreakerSettings::MAX_FAILURES),
            successes_to_close: settings.successes_to_close.clamp(1, BreakerSettings::MAX_PROBES),
            open_for: settings.open_for.max(Duration::from_millis(1)),
            half_open_for: settings.half_open_for.max(Duration::from_millis(1)),
        };
        Self { settings, word: AtomicU64::new(Word::closed(0, 0).bits()) }
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &BreakerSettings {
        &self.settings
    }

    /// Asks for leave to call the target.
    ///
    /// # Errors
    /// [`Rejection`] while the breaker is open, or half-open with all probes under way.
    pub fn acquire(&self, now: Timestamp) -> Result<(Permit, Option<Transition>), Rejection> {
        let mut word = self.load();
        loop {
            let (next, transition) = match word.state() {
                BreakerState::Closed => return Ok((Permit { issued: word }, None)),
                BreakerState::Open => {
                    let remaining = self.settings.open_for.saturating_sub(word.age(now));
                    if !remaining.is_zero() {
                        return Err(Rejection { retry_after: remaining, transition: None });
                    }
                    let next = word.half_opened(now).with_probe();
                    (next, Some(Transition::HalfOpened { after: word.age(now) }))
                }
                BreakerState::HalfOpen => {
                    let remaining = self.settings.half_open_for.saturating_sub(word.age(now));
                    if remaining.is_zero() {
                        if self.replace(word, word.opened(now)) {
                            let reason = OpenReason::HalfOpenTimeout;
                            return Err(Rejection {
                                retry_after: self.settings.open_for,
                                transition: Some(Transition::Opened { reason }),
                            });
                        }
                        word = self.load();
                        continue;
                    }
                    if word.probes() + word.successes() >= self.settings.successes_to_close {
                        let retry_after = remaining.min(Duration::from_secs(1));
                        return Err(Rejection { retry_after, transition: None });
                    }
                    (word.with_probe(), None)
                }
            };
            if self.replace(word, next) {
                return Ok((Permit { issued: next }, transition));
            }
            word = self.load();
        }
    }

    /// Says how the permitted call ended. A permit of an earlier period changes nothing.
    pub fn record(&self, permit: Permit, outcome: Outcome, now: Timestamp) -> Option<Transition> {
        let mut word = self.load();
        loop {
            if !word.is_same_period(permit.issued) {
                return None;
            }
            let (next, transition) = match (word.state(), outcome) {
                (BreakerState::Open, _) | (BreakerState::Closed, Outcome::Ignored) => return None,
                // The common case: nothing to write.
                (BreakerState::Closed, Outcome::Success) if word.failures() == 0 => return None,
                (BreakerState::Closed, Outcome::Success) => (word.with_failures(0), None),
                (BreakerState::Closed, Outcome::Failure) => {
                    let failures = word.failures() + 1;
                    if failures >= self.settings.consecutive_failures {
                        let reason = OpenReason::ConsecutiveFailures(failures);
                        (word.opened(now), Some(Transition::Opened { reason }))
                    } else {
                        (word.with_failures(failures), None)
                    }
                }
                (BreakerState::HalfOpen, Outcome::Ignored) => (word.without_probe(), None),
                (BreakerState::HalfOpen, Outcome::Failure) => {
                    (word.opened(now), Some(Transition::Opened { reason: OpenReason::ProbeFailed }))
                }
                (BreakerState::HalfOpen, Outcome::Success) => {
                    let successes = word.successes() + 1;
                    if successes >= self.settings.successes_to_close {
                        (word.closed_again(now), Some(Transition::Closed { successes }))
                    } else {
                        (word.without_probe().with_successes(successes), None)
                    }
                }
            };
            if self.replace(word, next) {
                return transition;
            }
            word = self.load();
        }
    }

    /// Opens a breaker that has been half-open for too long. To be called now and then.
    pub fn expire(&self, now: Timestamp) -> Option<Transition> {
        let word = self.load();
        let expired = word.state() == BreakerState::HalfOpen && word.age(now) >= self.settings.half_open_for;
        (expired && self.replace(word, word.opened(now)))
            .then_some(Transition::Opened { reason: OpenReason::HalfOpenTimeout })
    }

    /// The state at this moment.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        let word = self.load();
        let since = word.age(now);
        let next = match word.state() {
            BreakerState::Closed => None,
            BreakerState::Open => Some(self.settings.open_for.saturating_sub(since)),
            BreakerState::HalfOpen => Some(self.settings.half_open_for.saturating_sub(since)),
        };
        Status { state: word.state(), since, failures: word.failures(), successes: word.successes(), next }
    }

    fn load(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    fn replace(&self, old: Word, new: Word) -> bool {
        self.word.compare_exchange(old.bits(), new.bits(), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

#[cfg(test)]
mod tests;
