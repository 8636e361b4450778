//! What is said to a breaker, and what it says.

use std::time::Duration;

use rad_model::{BreakerState, Share};

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

/// Who decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The breaker.
    #[default]
    Automatic,
    /// Every call is rejected. The state underneath stands still.
    ForcedOpen,
    /// Every call is allowed and still counted (forced closed). The state underneath stands still.
    Disabled,
    /// No call is rejected, but the state changes, and is told, as if the breaker decided: for trying out
    /// thresholds on real traffic.
    MetricsOnly,
}

/// Why a breaker opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenReason {
    /// This many failures in a row.
    ConsecutiveFailures(u32),
    /// So many calls of the window failed.
    FailureRate(Rate),
    /// So many calls of the window were slow.
    SlowCallRate(Rate),
    /// A probe failed.
    ProbeFailed,
    /// A probe was slow.
    ProbeSlow,
    /// The probes did not finish in time.
    HalfOpenTimeout,
}

/// A share of the calls in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Those that are counted.
    pub count: u32,
    /// All.
    pub calls: u32,
}

impl Rate {
    /// The share, rounded down to a hundredth of a percent; nothing of no calls.
    #[must_use]
    pub fn share(self) -> Share {
        let points = (u64::from(self.count) * 10_000).checked_div(u64::from(self.calls)).unwrap_or(0);
        u16::try_from(points).ok().and_then(Share::from_basis_points).unwrap_or(Share::ALL)
    }

    pub(super) fn reaches(self, threshold: Share) -> bool {
        u64::from(self.count) * 10_000 >= u64::from(threshold.basis_points()) * u64::from(self.calls)
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
