//! A breaker at a moment, for people: why it is in its state, and what it needs to leave it.

use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

use rad_model::{BreakerState, Share};

use super::atomic::Ordering;
use super::window::Counts;
use super::word::millis;
use super::{Breaker, BreakerSettings, Mode, OpenReason, Rate, SlidingWindow};
use crate::Timestamp;

/// The state at a moment: cheap, taken from one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Who decides.
    pub mode: Mode,
    /// The state; under [`Mode::ForcedOpen`] and [`Mode::Disabled`] the one underneath.
    pub state: BreakerState,
    /// How long it has been in this state.
    pub since: Duration,
    /// Failures in a row (closed).
    pub failures: u32,
    /// Successful probes (half-open).
    pub successes: u32,
    /// Probes under way (half-open).
    pub probes: u32,
    /// Time until a probe may pass (open) or probing is given up (half-open).
    pub next: Option<Duration>,
}

/// What the calls in the window were like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowFigures {
    /// Calls in the window.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// Those that were slow.
    pub slow_calls: u32,
    /// The share that failed; none before the window holds the minimum number of calls.
    pub failure_rate: Option<Share>,
    /// The share that was slow; none before the window holds the minimum number of calls.
    pub slow_call_rate: Option<Share>,
}

/// Everything about a breaker at a moment. `Display` says it in one sentence.
///
/// ```
/// use rad_resilience::breaker::{Breaker, BreakerPolicy, Outcome};
/// use rad_resilience::Timestamp;
/// use std::time::Duration;
///
/// let breaker = Breaker::new(BreakerPolicy::default());
/// for _ in 0..5 {
///     let (permit, _) = breaker.acquire(Timestamp::default())?;
///     breaker.record(permit, Outcome::Failure, Duration::ZERO, Timestamp::default());
/// }
/// let snapshot = breaker.snapshot(Timestamp::default().after(Duration::from_secs(48)));
/// assert_eq!(snapshot.to_string(), "Open for another 12 s: 5 failures in a row (limit 5)");
/// # Ok::<(), rad_resilience::breaker::Rejection>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub status: Status,
    /// The calls that rates are taken from; none if no rate is a trigger.
    pub window: Option<WindowFigures>,
    /// Why it opened last.
    pub opened_because: Option<OpenReason>,
    /// How long it stays open this time (open), or the next (else).
    pub open_for: Duration,
    /// Times that it opened.
    pub trips: u64,
    /// Calls rejected so far; under [`Mode::MetricsOnly`] those that would have been.
    pub rejected: u64,
    /// The settings in force.
    pub settings: BreakerSettings,
}

impl Breaker {
    /// The state at this moment.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        self.status_of(self.load(), now)
    }

    fn status_of(&self, word: super::word::Word, now: Timestamp) -> Status {
        let since = word.age(now);
        let next = match word.state() {
            BreakerState::Closed => None,
            BreakerState::Open => Some(self.policy.open_for(word.streak()).saturating_sub(since)),
            BreakerState::HalfOpen => Some(self.settings().half_open_for.saturating_sub(since)),
        };
        Status {
            mode: word.mode(),
            state: word.state(),
            since,
            failures: word.failures(),
            successes: word.successes(),
            probes: word.probes(),
            next,
        }
    }

    /// The state at this moment with all figures that explain it.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        let word = self.load();
        let window = self.window.as_ref().map(|window| {
            figures(window.counts(word.window_period(), millis(now)), self.settings().minimum_number_of_calls)
        });
        let streak = match word.state() {
            BreakerState::Closed => self.policy.next_streak(word.streak(), word.age(now)),
            BreakerState::Open => word.streak(),
            BreakerState::HalfOpen => word.streak().saturating_add(1),
        };
        let last = *self.last_opened.lock().unwrap_or_else(PoisonError::into_inner);
        Snapshot {
            status: self.status_of(word, now),
            window,
            opened_because: last.map(|(_, reason)| reason),
            open_for: self.policy.open_for(streak),
            trips: self.trips.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            settings: *self.settings(),
        }
    }
}

fn figures(counts: Counts, minimum: u32) -> WindowFigures {
    let rate = |count| (counts.calls >= minimum).then(|| Rate { count, calls: counts.calls }.share());
    WindowFigures {
        calls: counts.calls,
        failures: counts.failures,
        slow_calls: counts.slow,
        failure_rate: rate(counts.failures),
        slow_call_rate: rate(counts.slow),
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status.mode {
            Mode::Automatic => return self.write_state(f),
            Mode::MetricsOnly => f.write_str("Metrics only, nothing is rejected; by its figures: ")?,
            Mode::ForcedOpen => {
                f.write_str("Forced open: every call is rejected until the mode is changed. ")?
            }
            Mode::Disabled => f.write_str("Disabled: every call is allowed until the mode is changed. ")?,
        }
        if self.status.mode != Mode::MetricsOnly {
            f.write_str("Underneath: ")?;
        }
        self.write_state(f)
    }
}

impl Snapshot {
    fn write_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status { state, next, successes, probes, .. } = self.status;
        let next = next.unwrap_or_default();
        match state {
            BreakerState::Closed => self.write_closed(f),
            BreakerState::Open => {
                if next.is_zero() {
                    f.write_str("Open until the next call, which is a probe")?;
                } else {
                    write!(f, "Open for another {}", Spoken(next))?;
                }
                self.opened_because.map_or(Ok(()), |reason| self.write_reason(reason, f))
            }
            BreakerState::HalfOpen => {
                let needed = self.settings.successes_to_close;
                write!(f, "Half-open: {successes} of {needed} probes succeeded")?;
                if probes > 0 {
                    write!(f, ", {probes} under way")?;
                }
                if next.is_zero() {
                    return f.write_str("; gives up now");
                }
                write!(f, "; gives up in {}", Spoken(next))
            }
        }
    }

    fn write_closed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "Closed: ";
        if let Some(limit) = self.settings.consecutive_failures {
            write!(f, "{separator}{} in a row (opens at {limit})", failures(self.status.failures))?;
            separator = "; ";
        }
        let Some(window) = self.window else { return Ok(()) };
        let minimum = self.settings.minimum_number_of_calls;
        for (name, count, threshold) in [
            ("failure rate", window.failures, self.settings.failure_rate_threshold),
            ("slow-call rate", window.slow_calls, self.settings.slow_call_rate_threshold),
        ] {
            let Some(threshold) = threshold else { continue };
            let share = Rate { count, calls: window.calls }.share();
            write!(f, "{separator}{name} {share} % of ")?;
            self.write_calls(window.calls, f)?;
            write!(f, " (opens at {threshold} %, {} at least)", calls(minimum))?;
            separator = "; ";
        }
        Ok(())
    }

    fn write_calls(&self, count: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.settings.sliding_window {
            SlidingWindow::CountBased { .. } if count == 1 => f.write_str("the last call"),
            SlidingWindow::CountBased { .. } => write!(f, "the last {}", calls(count)),
            SlidingWindow::TimeBased { duration } => {
                write!(f, "{} in the last {}", calls(count), Spoken(duration))
            }
        }
    }

    fn write_reason(&self, reason: OpenReason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = |f: &mut fmt::Formatter<'_>, name, rate: Rate, threshold: Option<Share>| {
            write!(f, ": {name} {} % of ", rate.share())?;
            self.write_calls(rate.calls, f)?;
            threshold.map_or(Ok(()), |threshold| write!(f, " (limit {threshold} %)"))
        };
        match reason {
            OpenReason::ConsecutiveFailures(count) => {
                write!(f, ": {} in a row", failures(count))?;
                self.settings.consecutive_failures.map_or(Ok(()), |limit| write!(f, " (limit {limit})"))
            }
            OpenReason::FailureRate(of) => rate(f, "failure rate", of, self.settings.failure_rate_threshold),
            OpenReason::SlowCallRate(of) => {
                rate(f, "slow-call rate", of, self.settings.slow_call_rate_threshold)
            }
            OpenReason::ProbeFailed => f.write_str(": a probe failed"),
            OpenReason::ProbeSlow => {
                let limit = Spoken(self.settings.slow_call_duration_threshold);
                write!(f, ": a probe was slow (limit {limit})")
            }
            OpenReason::HalfOpenTimeout => {
                write!(f, ": the probes did not finish within {}", Spoken(self.settings.half_open_for))
            }
        }
    }
}

fn failures(count: u32) -> String {
    format!("{count} failure{}", if count == 1 { "" } else { "s" })
}

fn calls(count: u32) -> String {
    format!("{count} call{}", if count == 1 { "" } else { "s" })
}

/// A time as one says it: rounded up, so that what takes a moment is not over yet.
struct Spoken(Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_nanos().div_ceil(1_000_000);
        let seconds = millis.div_ceil(1_000);
        match seconds {
            _ if millis < 1_000 => write!(f, "{millis} ms"),
            0..=119 => write!(f, "{seconds} s"),
            120..=7_199 => write!(f, "{} min", seconds.div_ceil(60)),
            _ => write!(f, "{} h", seconds.div_ceil(3_600)),
        }
    }
}
