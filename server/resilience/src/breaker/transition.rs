//! What is said to a breaker, and what it says.

use std::time::Duration;

pub use rad_model::BreakerMode as Mode;
use rad_model::BreakerState;
pub use rad_model::event::{OpenReason, Rate};

/// How a call to the target ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The target is well.
    Success,
    /// The target is not well.
    Failure,
    /// Says nothing about the target, such as a caller that went away; unless it was slow by then.
    Ignored,
}

impl Outcome {
    /// What an HTTP status says: 5xx is a failure; 429 ("too many requests") is an answer, but no recovery;
    /// all else is a success.
    ///
    /// ```
    /// use rad_resilience::Outcome;
    ///
    /// assert_eq!([200, 404, 429, 503].map(Outcome::of_status), [
    ///     Outcome::Success, Outcome::Success, Outcome::Ignored, Outcome::Failure,
    /// ]);
    /// ```
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            429 => Self::Ignored,
            500.. => Self::Failure,
            _ => Self::Success,
        }
    }
}

/// Decides what the result of a call says about the target.
///
/// Closures of the same form can be used in its place.
pub trait Classify<T, E> {
    /// What this result says.
    fn classify(&self, result: Result<&T, &E>) -> Outcome;
}

impl<T, E, F: Fn(Result<&T, &E>) -> Outcome> Classify<T, E> for F {
    fn classify(&self, result: Result<&T, &E>) -> Outcome {
        self(result)
    }
}

/// Every error is a failure, everything else a success.
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrorsAreFailures;

impl<T, E> Classify<T, E> for ErrorsAreFailures {
    fn classify(&self, result: Result<&T, &E>) -> Outcome {
        if result.is_ok() { Outcome::Success } else { Outcome::Failure }
    }
}

/// A change of state, or of mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It rejects calls from now on.
    Opened {
        reason: OpenReason,
        /// How long it will stay open.
        open_for: Duration,
    },
    /// It lets probes through from now on.
    HalfOpened {
        /// How long it was open.
        after: Duration,
    },
    /// It lets calls through from now on.
    Closed {
        /// The probes that succeeded.
        successes: u32,
    },
    /// Somebody set it back to closed.
    Reset { from: BreakerState },
    /// Somebody changed its mode.
    ModeChanged { from: Mode, to: Mode },
}

/// The breaker lets no call through: the target must not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker {reason}; try again in {retry_after:?}")]
pub struct Rejection {
    /// What stands in the way.
    pub reason: RejectionReason,
    /// When it makes sense to ask again. While forced open, nobody knows: it is the open time.
    pub retry_after: Duration,
    /// The change of state that this call brought about: probing took too long.
    pub transition: Option<Transition>,
}

/// What stands in the way of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RejectionReason {
    /// The breaker is open.
    #[error("is open")]
    Open,
    /// The breaker is half-open, and all probes are under way.
    #[error("is half-open, with all probes under way")]
    HalfOpen,
    /// Somebody forced the breaker open.
    #[error("is forced open")]
    ForcedOpen,
}
