//! The breaker against one that is written as its description reads: a list of calls, no atomics.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use rad_model::BreakerState::{self, Closed, HalfOpen, Open};
use rad_model::Share;

use super::steps::{SLOW, Step, settings, step};
use crate::Timestamp;
use crate::breaker::{
    Breaker, BreakerPolicy, BreakerSettings, Mode, OpenReason, Outcome, Permit, Rate, SlidingWindow,
    Transition,
};

fn slice_ms(window: Duration) -> u64 {
    u64::try_from(window.as_millis()).unwrap_or(u64::MAX) / 10
}

/// A permit as the model sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Leave {
    state: BreakerState,
    period: u64,
    counts: bool,
}

#[derive(Debug)]
struct Reference {
    settings: BreakerSettings,
    mode: Mode,
    state: BreakerState,
    /// When the slices of time began that were counted in last, by place; of earlier periods too.
    places: [u64; 10],
    generation: u64,
    began: u64,
    streak: u32,
    failures: u32,
    successes: u32,
    probes: u32,
    /// Slice of time, failed, slow.
    calls: VecDeque<(u64, bool, bool)>,
}

impl Reference {
    fn new(settings: BreakerSettings) -> Self {
        let mode = Mode::Automatic;
        let calls = VecDeque::new();
        Self {
            settings,
            mode,
            state: Closed,
            places: [0; 10],
            generation: 0,
            began: 0,
            streak: 0,
            failures: 0,
            successes: 0,
            probes: 0,
            calls,
        }
    }

    fn enter(&mut self, state: BreakerState, now: u64) {
        (self.failures, self.successes, self.probes) = (0, 0, 0);
        self.calls.clear();
        let latest = if state == Closed { self.places.into_iter().max().unwrap_or(0) } else { 0 };
        self.generation = now.max(self.generation.max(latest) + 1);
        // By up to 7 ms the breaker remembers that the period began before its generation.
        self.began = now.max(self.generation.saturating_sub(7));
        self.state = state;
    }

    fn age(&self, now: u64) -> Duration {
        Duration::from_millis(now.saturating_sub(self.began))
    }

    fn open_for(&self) -> Duration {
        let Some(growth) = self.settings.open_growth else { return self.settings.open_for };
        let mut seconds = self.settings.open_for.as_secs_f64();
        for _ in 1..self.streak {
            seconds = (seconds * growth.factor).min(growth.cap.as_secs_f64());
        }
        Duration::from_secs_f64(seconds)
    }

    fn open(&mut self, reason: OpenReason, now: u64) -> Transition {
        let stable = self.settings.open_growth.is_none_or(|growth| self.age(now) >= growth.stable_after);
        self.streak = if self.state == Closed && stable { 1 } else { (self.streak + 1).min(31) };
        self.enter(Open, now);
        Transition::Opened { reason, open_for: self.open_for() }
    }

    fn stands_still(&self) -> bool {
        matches!(self.mode, Mode::ForcedOpen | Mode::Disabled)
    }

    fn leave(&self, counts: bool) -> Leave {
        Leave { state: self.state, period: self.generation, counts }
    }

    /// The permit, if any, and the transition.
    fn acquire(&mut self, now: u64) -> (Option<Leave>, Option<Transition>) {
        match self.mode {
            Mode::ForcedOpen => return (None, None),
            Mode::Disabled => return (Some(self.leave(self.state == Closed)), None),
            _ => {}
        }
        let (mut rejects, mut transition) = (false, None);
        match self.state {
            Closed => {}
            Open if self.age(now) < self.open_for() => rejects = true,
            Open => {
                let after = self.age(now);
                self.enter(HalfOpen, now);
                self.probes = 1;
                transition = Some(Transition::HalfOpened { after });
            }
            HalfOpen if self.age(now) >= self.settings.half_open_for => {
                rejects = true;
                transition = Some(self.open(OpenReason::HalfOpenTimeout, now));
            }
            HalfOpen => {
                let needed = self.settings.successes_to_close;
                let permitted = self.settings.permitted_probes.unwrap_or(needed);
                rejects = self.probes >= permitted || self.probes + self.successes >= needed;
                self.probes += u32::from(!rejects);
            }
        }
        let leave = if !rejects {
            Some(self.leave(true))
        } else {
            Some(self.leave(false)).filter(|_| self.mode == Mode::MetricsOnly)
        };
        (leave, transition)
    }

    fn count(&mut self, failed: bool, slow: bool, now: u64) {
        if !self.settings.has_window() {
            return;
        }
        match self.settings.sliding_window {
            SlidingWindow::CountBased { calls } => {
                self.calls.push_back((0, failed, slow));
                if self.calls.len() > calls as usize {
                    self.calls.pop_front();
                }
            }
            SlidingWindow::TimeBased { duration } => {
                let slice = self.slice(now);
                let began = self.generation + slice * slice_ms(duration);
                // A slice whose place a later one has taken is gone, even if the clock goes back.
                let place = &mut self.places[usize::try_from(slice % 10).unwrap()];
                if *place > began {
                    return;
                }
                *place = began;
                self.calls.retain(|(other, ..)| *other >= slice || !(slice - other).is_multiple_of(10));
                self.calls.push_back((slice, failed, slow));
            }
        }
    }

    fn slice(&self, now: u64) -> u64 {
        match self.settings.sliding_window {
            SlidingWindow::CountBased { .. } => 0,
            SlidingWindow::TimeBased { duration } => now.saturating_sub(self.generation) / slice_ms(duration),
        }
    }

    /// Calls, failures, slow calls in the window.
    fn counts(&self, now: u64) -> (u32, u32, u32) {
        let last = self.slice(now);
        let window = self.calls.iter().filter(|(slice, ..)| *slice <= last && slice + 10 > last);
        window.fold((0, 0, 0), |(calls, failures, slow), call| {
            (calls + 1, failures + u32::from(call.1), slow + u32::from(call.2))
        })
    }

    fn met(&self, now: u64) -> Option<OpenReason> {
        let (calls, failures, slow) = self.counts(now);
        let reaches = |count: u32, threshold: Option<Share>| {
            threshold.is_some_and(|threshold| {
                count > 0
                    && u64::from(count) * 10_000 >= u64::from(calls) * u64::from(threshold.basis_points())
            })
        };
        if calls < self.settings.minimum_number_of_calls {
            None
        } else if reaches(failures, self.settings.failure_rate_threshold) {
            Some(OpenReason::FailureRate(Rate { count: failures, calls }))
        } else if reaches(slow, self.settings.slow_call_rate_threshold) {
            Some(OpenReason::SlowCallRate(Rate { count: slow, calls }))
        } else {
            None
        }
    }

    fn record(&mut self, leave: Leave, outcome: Outcome, slow: bool, now: u64) -> Option<Transition> {
        let slow = slow && self.settings.slow_call_rate_threshold.is_some();
        let failed = outcome == Outcome::Failure;
        let counts = outcome != Outcome::Ignored || slow;
        if leave.period != self.generation {
            return None;
        }
        if !leave.counts {
            if self.mode == Mode::Disabled && counts {
                self.count(failed, slow, now);
            }
            return None;
        }
        match self.state {
            Open => None,
            Closed => {
                if counts {
                    self.count(failed, slow, now);
                }
                match outcome {
                    Outcome::Success => self.failures = 0,
                    Outcome::Failure => self.failures += 1,
                    Outcome::Ignored => {}
                }
                let limit =
                    self.settings.consecutive_failures.filter(|limit| failed && self.failures >= *limit);
                let in_a_row = limit.map(|_| OpenReason::ConsecutiveFailures(self.failures));
                let met = if counts { self.met(now) } else { None };
                let reason = in_a_row.or(met).filter(|_| !self.stands_still())?;
                Some(self.open(reason, now))
            }
            HalfOpen => {
                if self.stands_still() {
                    self.probes -= 1;
                } else if failed {
                    return Some(self.open(OpenReason::ProbeFailed, now));
                } else if slow {
                    return Some(self.open(OpenReason::ProbeSlow, now));
                } else {
                    self.probes -= 1;
                    self.successes += u32::from(outcome == Outcome::Success);
                    if self.successes == self.settings.successes_to_close {
                        let successes = self.successes;
                        self.enter(Closed, now);
                        return Some(Transition::Closed { successes });
                    }
                }
                None
            }
        }
    }
}

/// Open times are computed with floats in another order here.
fn nearly(a: Option<Transition>, b: Option<Transition>) -> bool {
    match (a, b) {
        (
            Some(Transition::Opened { reason, open_for }),
            Some(Transition::Opened { reason: other, open_for: another }),
        ) => reason == other && open_for.abs_diff(another) < Duration::from_micros(1),
        _ => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn it_does_what_its_description_says(
        settings in settings(),
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let breaker = Breaker::new(BreakerPolicy::new(settings).unwrap());
        let mut model = Reference::new(settings);
        let mut under_way: Vec<(Permit, Leave)> = Vec::new();
        let mut now = 5_000_u64;
        for step in steps {
            let at = Timestamp::from_nanos(now * 1_000_000);
            match step {
                Step::Acquire => {
                    let (leave, expected) = model.acquire(now);
                    let (permit, transition) = match breaker.acquire(at) {
                        Ok((permit, transition)) => (Some(permit), transition),
                        Err(rejection) => (None, rejection.transition),
                    };
                    prop_assert_eq!(permit.is_some(), leave.is_some());
                    prop_assert!(nearly(transition, expected), "{:?} {:?}", transition, expected);
                    under_way.extend(permit.zip(leave));
                }
                Step::Record { which, outcome, slow } if !under_way.is_empty() => {
                    let (permit, leave) = under_way.swap_remove(which % under_way.len());
                    let elapsed = if slow { SLOW } else { SLOW / 2 };
                    let transition = breaker.record(permit, outcome, elapsed, at);
                    let expected = model.record(leave, outcome, slow, now);
                    prop_assert!(nearly(transition, expected), "{:?} {:?}", transition, expected);
                }
                Step::Record { .. } => {}
                Step::Advance(by) => now = now.saturating_add_signed(by),
                Step::Expire => {
                    let over = model.state == HalfOpen && model.age(now) >= settings.half_open_for;
                    let expected = (over && !model.stands_still())
                        .then(|| model.open(OpenReason::HalfOpenTimeout, now));
                    prop_assert!(nearly(breaker.expire(at), expected));
                }
                Step::Reset => {
                    let from = model.state;
                    model.enter(Closed, now);
                    model.streak = 0;
                    prop_assert_eq!(breaker.reset(at), Transition::Reset { from });
                }
                Step::SetMode(mode) => {
                    prop_assert_eq!(breaker.set_mode(mode, at), std::mem::replace(&mut model.mode, mode));
                }
            }
            let snapshot = breaker.snapshot(Timestamp::from_nanos(now * 1_000_000));
            let status = snapshot.status;
            prop_assert_eq!(
                (status.mode, status.state, status.failures, status.successes, status.probes),
                (model.mode, model.state, model.failures, model.successes, model.probes)
            );
            if let Some(window) = snapshot.window {
                prop_assert_eq!((window.calls, window.failures, window.slow_calls), model.counts(now));
            }
        }
    }
}
