//! What a breaker learns from how calls end.

use std::time::Duration;

use rad_model::{BreakerState, Share};

use super::window::Call;
use super::word::{self, Word, millis};
use super::{Breaker, Mode, OpenReason, Outcome, Permit, Rate, Transition};
use crate::Timestamp;

impl Breaker {
    /// Says how the permitted call ended and how long it took, and returns the change of state that this
    /// brought about. A permit of an earlier period changes nothing.
    ///
    /// A call that took [`BreakerSettings::slow_call_duration_threshold`] is slow even if it is to be
    /// ignored: a target that hangs until all its callers have left is not well.
    #[inline]
    pub fn record(
        &self,
        permit: Permit,
        outcome: Outcome,
        elapsed: Duration,
        now: Timestamp,
    ) -> Option<Transition> {
        let word = self.load();
        // The common case: nothing to write.
        if self.window.is_none()
            && outcome == Outcome::Success
            && word.is_plainly_closed()
            && word.failures() == 0
        {
            return None;
        }
        self.record_slowly(word, permit, outcome, elapsed, now)
    }

    fn record_slowly(
        &self,
        mut word: Word,
        permit: Permit,
        outcome: Outcome,
        elapsed: Duration,
        now: Timestamp,
    ) -> Option<Transition> {
        let set = self.settings();
        let slow = set.slow_call_rate_threshold.is_some() && elapsed >= set.slow_call_duration_threshold;
        let call = Call { failed: outcome == Outcome::Failure, slow };
        let counts = outcome != Outcome::Ignored || slow;
        if !word.is_same_period(permit.issued) {
            // Allowed by a disabled breaker over a state that stands still: counted for those who look.
            let looked_at = word.mode() == Mode::Disabled && permit.issued.is_unbound();
            if looked_at && counts && word.generation() == permit.issued.generation() {
                self.count(word, call, now);
            }
            return None;
        }
        let met =
            if counts && word.state() == BreakerState::Closed { self.count(word, call, now) } else { None };
        loop {
            let stands_still = matches!(word.mode(), Mode::ForcedOpen | Mode::Disabled);
            let step = match word.state() {
                BreakerState::Open => None,
                BreakerState::Closed => self.after_call(word, outcome, met, stands_still, now),
                BreakerState::HalfOpen if stands_still => Some((word.without_probe(), None)),
                BreakerState::HalfOpen => Some(self.after_probe(word, outcome, slow, now)),
            };
            let (next, transition) = step?;
            if self.replace(word, next) {
                if let Some(transition) = &transition {
                    self.announce(next, transition, now);
                }
                return transition;
            }
            word = self.load();
            if !word.is_same_period(permit.issued) {
                return None;
            }
        }
    }

    /// Counts a call in the window; the reason to open, if a rate is met.
    fn count(&self, word: Word, call: Call, now: Timestamp) -> Option<OpenReason> {
        let (window, now_ms, period) = (self.window.as_ref()?, millis(now), word.window_period());
        window.record(period, call, now_ms);
        if !window.has_bad(period, now_ms) {
            return None;
        }
        let counts = window.counts(period, now_ms);
        if counts.calls < self.settings().minimum_number_of_calls {
            return None;
        }
        let met = |count, threshold: Option<_>| {
            let rate = Rate { count, calls: counts.calls };
            threshold.filter(|threshold| reaches(rate, *threshold)).map(|_| rate)
        };
        met(counts.failures, self.settings().failure_rate_threshold).map(OpenReason::FailureRate).or_else(
            || met(counts.slow, self.settings().slow_call_rate_threshold).map(OpenReason::SlowCallRate),
        )
    }

    /// The next word of a closed breaker, if there is one.
    fn after_call(
        &self,
        word: Word,
        outcome: Outcome,
        met: Option<OpenReason>,
        stands_still: bool,
        now: Timestamp,
    ) -> Option<(Word, Option<Transition>)> {
        let failures = match outcome {
            Outcome::Success => 0,
            Outcome::Failure => (word.failures() + 1).min(word::MAX_COUNT),
            Outcome::Ignored => word.failures(),
        };
        let in_a_row = self
            .settings()
            .consecutive_failures
            .filter(|limit| outcome == Outcome::Failure && failures >= *limit)
            .map(|_| OpenReason::ConsecutiveFailures(failures));
        match in_a_row.or(met).filter(|_| !stands_still) {
            Some(reason) => {
                let (next, transition) = self.opened(word, reason, now);
                Some((next, Some(transition)))
            }
            None if failures == word.failures() => None,
            None => Some((word.with_failures(failures), None)),
        }
    }

    /// The next word of a half-open breaker.
    fn after_probe(
        &self,
        word: Word,
        outcome: Outcome,
        slow: bool,
        now: Timestamp,
    ) -> (Word, Option<Transition>) {
        let failed = match outcome {
            Outcome::Failure => Some(OpenReason::ProbeFailed),
            Outcome::Success | Outcome::Ignored => slow.then_some(OpenReason::ProbeSlow),
        };
        if let Some(reason) = failed {
            let (next, transition) = self.opened(word, reason, now);
            return (next, Some(transition));
        }
        if outcome == Outcome::Ignored {
            return (word.without_probe(), None);
        }
        let successes = word.successes() + 1;
        if successes >= self.settings().successes_to_close {
            return (word.closed_again(now, self.latest_ms()), Some(Transition::Closed { successes }));
        }
        (word.without_probe().with_successes(successes), None)
    }
}

fn reaches(rate: Rate, threshold: Share) -> bool {
    u64::from(rate.count) * 10_000 >= u64::from(threshold.basis_points()) * u64::from(rate.calls)
}
