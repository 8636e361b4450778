mod model;
mod modes;
mod settings;
mod steps;

use std::time::Duration;

use rad_model::BreakerState::{self, Closed, HalfOpen, Open};
use rad_model::Share;

use super::{
    Breaker, BreakerPolicy, BreakerSettings, OpenGrowth, OpenReason, Outcome, Permit, Rate, SlidingWindow,
    Transition,
};
use crate::{Clock, ManualClock, Timestamp};

const MINUTE: Duration = Duration::from_secs(60);

/// Rates of the last twenty calls, ten at least; slow after 2 s.
fn rates(failures: Option<f64>, slow: Option<f64>) -> BreakerSettings {
    let share = |percent: Option<f64>| percent.and_then(Share::from_percent);
    BreakerSettings {
        consecutive_failures: None,
        failure_rate_threshold: share(failures),
        slow_call_rate_threshold: share(slow),
        slow_call_duration_threshold: Duration::from_secs(2),
        sliding_window: SlidingWindow::CountBased { calls: 20 },
        minimum_number_of_calls: 10,
        ..BreakerSettings::default()
    }
}

struct Bench {
    breaker: Breaker,
    clock: ManualClock,
}

impl Bench {
    fn new() -> Self {
        Self::with(BreakerSettings::default())
    }

    fn with(settings: BreakerSettings) -> Self {
        let breaker = Breaker::new(BreakerPolicy::new(settings).unwrap());
        Self { breaker, clock: ManualClock::default() }
    }

    fn permit(&self) -> Permit {
        self.breaker.acquire(self.clock.now()).expect("a permit").0
    }

    fn call(&self, outcome: Outcome) -> Option<Transition> {
        self.breaker.record(self.permit(), outcome, Duration::ZERO, self.clock.now())
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
    let opened = Transition::Opened { reason: OpenReason::ConsecutiveFailures(5), open_for: MINUTE };
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
    assert_eq!(bench.breaker.record(permit, Outcome::Success, Duration::ZERO, bench.clock.now()), None);
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
    assert_eq!(
        bench.call(Outcome::Failure),
        Some(Transition::Opened { reason: OpenReason::ProbeFailed, open_for: MINUTE })
    );
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
    bench.breaker.record(first, Outcome::Ignored, Duration::ZERO, bench.clock.now());
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
        Some(Transition::Opened { reason: OpenReason::HalfOpenTimeout, open_for: MINUTE })
    );
    assert_eq!(bench.breaker.record(late, Outcome::Success, Duration::ZERO, bench.clock.now()), None);
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
    assert_eq!(
        rejection.transition,
        Some(Transition::Opened { reason: OpenReason::HalfOpenTimeout, open_for: MINUTE })
    );
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
        assert_eq!(bench.breaker.record(permit, Outcome::Failure, Duration::ZERO, bench.clock.now()), None);
    }
    assert_eq!(bench.state(), HalfOpen);
    bench.breaker.record(probe, Outcome::Success, Duration::ZERO, bench.clock.now());
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

#[test]
fn half_of_the_calls_failing_opens_it_once_there_are_enough_of_them() {
    let bench = Bench::with(rates(Some(50.0), None));
    for call in 0..9 {
        assert_eq!(bench.call(if call % 2 == 0 { Outcome::Failure } else { Outcome::Success }), None);
    }
    let reason = OpenReason::FailureRate(Rate { count: 5, calls: 10 });
    assert_eq!(bench.call(Outcome::Success), Some(Transition::Opened { reason, open_for: MINUTE }));
}

#[test]
fn a_breaker_that_closes_starts_with_an_empty_window() {
    let bench = Bench::with(rates(Some(50.0), None));
    for _ in 0..10 {
        bench.call(Outcome::Failure);
    }
    bench.clock.advance(MINUTE);
    bench.call(Outcome::Success);
    bench.call(Outcome::Success);
    for _ in 0..9 {
        assert_eq!(bench.call(Outcome::Failure), None);
    }
    assert_eq!(bench.state(), Closed);
}

#[test]
fn a_window_of_time_forgets_and_opens_only_on_what_is_in_it() {
    let duration = Duration::from_secs(10);
    let window = SlidingWindow::TimeBased { duration };
    let bench = Bench::with(BreakerSettings { sliding_window: window, ..rates(Some(50.0), None) });
    for _ in 0..9 {
        bench.call(Outcome::Failure);
    }
    bench.clock.advance(duration);
    for _ in 0..9 {
        assert_eq!(bench.call(Outcome::Failure), None);
    }
    bench.call(Outcome::Failure);
    assert_eq!(bench.state(), Open);
}

#[test]
fn a_slow_probe_is_a_failed_one() {
    let bench = Bench::with(rates(None, Some(50.0)));
    for _ in 0..10 {
        bench.breaker.record(bench.permit(), Outcome::Success, Duration::from_secs(2), bench.clock.now());
    }
    bench.clock.advance(MINUTE);
    let slow = bench.breaker.record(bench.permit(), Outcome::Ignored, MINUTE, bench.clock.now());
    assert_eq!(slow, Some(Transition::Opened { reason: OpenReason::ProbeSlow, open_for: MINUTE }));
}

#[test]
fn open_time_grows_to_its_cap_and_is_back_at_the_base_after_stable_times() {
    let second = Duration::from_secs(1);
    let growth = OpenGrowth { factor: 2.0, cap: second * 5, stable_after: MINUTE };
    let bench = Bench::with(BreakerSettings {
        open_for: second,
        open_growth: Some(growth),
        successes_to_close: 1,
        ..BreakerSettings::default()
    });
    let open_for = || match bench.call(Outcome::Failure) {
        Some(Transition::Opened { open_for, .. }) => open_for,
        other => panic!("{other:?}"),
    };
    for _ in 0..4 {
        bench.call(Outcome::Failure);
    }
    let mut times = vec![open_for()];
    for _ in 0..3 {
        bench.clock.advance(second * 5);
        times.push(open_for());
    }
    assert_eq!(times, [second, second * 2, second * 4, second * 5]);
    bench.clock.advance(second * 5);
    bench.call(Outcome::Success);
    bench.clock.advance(MINUTE);
    for _ in 0..4 {
        bench.call(Outcome::Failure);
    }
    assert_eq!(open_for(), second);
}

#[test]
fn fewer_probes_may_be_under_way_than_are_needed() {
    let settings =
        BreakerSettings { permitted_probes: Some(1), successes_to_close: 3, ..BreakerSettings::default() };
    let bench = Bench::with(settings);
    bench.open();
    bench.clock.advance(MINUTE);
    for _ in 0..3 {
        let probe = bench.permit();
        assert!(bench.is_rejected());
        bench.breaker.record(probe, Outcome::Success, Duration::ZERO, bench.clock.now());
    }
    assert_eq!(bench.state(), Closed);
}

#[test]
fn a_year_of_idle_and_the_end_of_time_are_ordinary_moments() {
    let bench = Bench::with(rates(Some(50.0), Some(50.0)));
    let year = Duration::from_secs(365 * 86_400);
    bench.clock.advance(year);
    for _ in 0..10 {
        bench.call(Outcome::Failure);
    }
    bench.clock.advance(year);
    assert_eq!(bench.breaker.snapshot(bench.clock.now()).status.since, year);
    let end = Timestamp::from_nanos(u64::MAX);
    for _ in 0..100 {
        if let Ok((permit, _)) = bench.breaker.acquire(end) {
            bench.breaker.record(permit, Outcome::Failure, Duration::MAX, end);
        }
        bench.breaker.reset(end);
    }
    bench.breaker.snapshot(end).to_string();
}
