use std::time::Duration;

use proptest::prelude::*;
use rad_model::BreakerState::{self, Closed, HalfOpen, Open};
use rad_model::event::OpenReason;

use super::{Breaker, BreakerSettings, Outcome, Permit, Transition};
use crate::{Clock, ManualClock, Timestamp};

const MINUTE: Duration = Duration::from_secs(60);

struct Bench {
    breaker: Breaker,
    clock: ManualClock,
}

impl Bench {
    fn new() -> Self {
        Self { breaker: Breaker::new(BreakerSettings::default()), clock: ManualClock::default() }
    }

    fn permit(&self) -> Permit {
        self.breaker.acquire(self.clock.now()).expect("a permit").0
    }

    fn call(&self, outcome: Outcome) -> Option<Transition> {
        self.breaker.record(self.permit(), outcome, self.clock.now())
    }

    fn open(&self) {
        for _ in 0..5 {
            self.call(Outcome::Failure);
        }
    }

    fn state(&self) -> BreakerState {
        self.breaker.status(self.clock.now()).state
    }

    fn is_rejected(&self) -> bool {
        self.breaker.acquire(self.clock.now()).is_err()
    }
}

#[test]
fn five_failures_in_a_row_open_it() {
    let bench = Bench::new();
    for _ in 0..4 {
        assert_eq!(bench.call(Outcome::Failure), None);
    }
    let opened = Transition::Opened { reason: OpenReason::ConsecutiveFailures(5) };
    assert_eq!(bench.call(Outcome::Failure), Some(opened));
    assert_eq!(bench.state(), Open);
    assert_eq!(bench.breaker.acquire(bench.clock.now()).unwrap_err().retry_after, MINUTE);
}

#[test]
fn a_success_in_between_starts_the_count_anew() {
    let bench = Bench::new();
    for _ in 0..10 {
        for _ in 0..4 {
            bench.call(Outcome::Failure);
        }
        bench.call(Outcome::Success);
    }
    assert_eq!(bench.state(), Closed);
}

#[test]
fn what_says_nothing_about_the_target_neither_counts_nor_heals() {
    let bench = Bench::new();
    for _ in 0..4 {
        bench.call(Outcome::Failure);
        bench.call(Outcome::Ignored);
    }
    assert_eq!(bench.state(), Closed);
    bench.call(Outcome::Failure);
    assert_eq!(bench.state(), Open);
}

#[test]
fn after_a_minute_two_successful_probes_close_it() {
    let bench = Bench::new();
    bench.open();
    bench.clock.advance(MINUTE - Duration::from_millis(1));
    assert!(bench.is_rejected());
    bench.clock.advance(Duration::from_millis(1));
    let (permit, transition) = bench.breaker.acquire(bench.clock.now()).unwrap();
    assert_eq!(transition, Some(Transition::HalfOpened { after: MINUTE }));
    assert_eq!(bench.breaker.record(permit, Outcome::Success, bench.clock.now()), None);
    assert_eq!(bench.state(), HalfOpen);
    assert_eq!(bench.call(Outcome::Success), Some(Transition::Closed { successes: 2 }));
    assert_eq!(bench.state(), Closed);
}

#[test]
fn a_failed_probe_opens_it_again() {
    let bench = Bench::new();
    bench.open();
    bench.clock.advance(MINUTE);
    bench.call(Outcome::Success);
    assert_eq!(bench.call(Outcome::Failure), Some(Transition::Opened { reason: OpenReason::ProbeFailed }));
    assert!(bench.is_rejected());
}

#[test]
fn half_open_lets_no_more_probes_through_than_it_needs() {
    let bench = Bench::new();
    bench.open();
    bench.clock.advance(MINUTE);
    let first = bench.permit();
    let _second = bench.permit();
    assert!(bench.is_rejected());
    bench.breaker.record(first, Outcome::Ignored, bench.clock.now());
    assert!(!bench.is_rejected());
}

#[test]
fn half_open_ends_after_thirty_seconds() {
    let bench = Bench::new();
    bench.open();
    bench.clock.advance(MINUTE);
    let late = bench.permit();
    bench.clock.advance(Duration::from_secs(29));
    assert_eq!(bench.breaker.expire(bench.clock.now()), None);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(
        bench.breaker.expire(bench.clock.now()),
        Some(Transition::Opened { reason: OpenReason::HalfOpenTimeout })
    );
    assert_eq!(bench.breaker.record(late, Outcome::Success, bench.clock.now()), None);
    assert_eq!(bench.state(), Open);
}

#[test]
fn a_caller_after_the_half_open_time_finds_it_open_and_is_told_so() {
    let bench = Bench::new();
    bench.open();
    bench.clock.advance(MINUTE);
    let _lost = bench.permit();
    bench.clock.advance(Duration::from_secs(30));
    let rejection = bench.breaker.acquire(bench.clock.now()).unwrap_err();
    assert_eq!(rejection.transition, Some(Transition::Opened { reason: OpenReason::HalfOpenTimeout }));
    assert_eq!(bench.state(), Open);
}

#[test]
fn a_late_result_of_an_earlier_period_changes_nothing() {
    let bench = Bench::new();
    let slow: Vec<_> = (0..10).map(|_| bench.permit()).collect();
    bench.open();
    bench.clock.advance(MINUTE);
    let probe = bench.permit();
    for permit in slow {
        assert_eq!(bench.breaker.record(permit, Outcome::Failure, bench.clock.now()), None);
    }
    assert_eq!(bench.state(), HalfOpen);
    bench.breaker.record(probe, Outcome::Success, bench.clock.now());
    bench.call(Outcome::Success);
    assert_eq!(bench.state(), Closed);
}

#[test]
fn a_clock_that_goes_backwards_keeps_it_open_no_longer_than_its_time() {
    let bench = Bench::new();
    bench.clock.advance(Duration::from_secs(1_000));
    bench.open();
    let rejection = bench.breaker.acquire(Timestamp::default()).unwrap_err();
    assert_eq!(rejection.retry_after, MINUTE);
}

/// The breaker as its diagram reads, without atomics.
#[derive(Debug)]
struct Reference {
    state: BreakerState,
    since_ms: u64,
    failures: u32,
    successes: u32,
}

proptest! {
    #[test]
    fn it_moves_as_its_diagram_says(calls in prop::collection::vec((0_u64..40_000, any::<bool>()), 1..300)) {
        let breaker = Breaker::new(BreakerSettings::default());
        let mut model = Reference { state: Closed, since_ms: 0, failures: 0, successes: 0 };
        let mut at_ms = 0;
        for (pause, ok) in calls {
            at_ms += pause;
            let now = Timestamp::from_nanos(at_ms * 1_000_000);
            let age = at_ms - model.since_ms;
            if model.state == HalfOpen && age >= 30_000 {
                model = Reference { state: Open, since_ms: at_ms, failures: 0, successes: 0 };
            } else if model.state == Open && age >= 60_000 {
                model = Reference { state: HalfOpen, since_ms: at_ms, failures: 0, successes: 0 };
            }
            match breaker.acquire(now) {
                Err(_) => prop_assert_eq!(model.state, Open),
                Ok((permit, _)) => {
                    prop_assert_ne!(model.state, Open);
                    let outcome = if ok { Outcome::Success } else { Outcome::Failure };
                    breaker.record(permit, outcome, now);
                    if ok { model.successes += 1; model.failures = 0 } else { model.failures += 1 }
                    let moved = match model.state {
                        Closed if model.failures == 5 => Some(Open),
                        HalfOpen if !ok => Some(Open),
                        HalfOpen if model.successes == 2 => Some(Closed),
                        _ => None,
                    };
                    if let Some(state) = moved {
                        model = Reference { state, since_ms: at_ms, failures: 0, successes: 0 };
                    }
                }
            }
            prop_assert_eq!(breaker.status(now).state, model.state);
        }
    }
}
