//! Modes, resets, guards and what people are told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rad_model::BreakerState::{Closed, HalfOpen, Open};

use super::{Bench, MINUTE, rates};
use crate::breaker::{
    Breaker, BreakerPolicy, BreakerSettings, Mode, OpenReason, Outcome, RejectionReason, SlidingWindow,
    Transition,
};
use crate::{Clock, ManualClock};

#[test]
fn forced_open_rejects_every_call_until_it_is_undone() {
    let bench = Bench::new();
    let earlier = bench.breaker.set_mode(Mode::ForcedOpen, bench.clock.now());
    let rejection = bench.breaker.acquire(bench.clock.now()).unwrap_err();
    assert_eq!(rejection.reason, RejectionReason::ForcedOpen);
    bench.clock.advance(MINUTE * 60);
    assert!(bench.is_rejected());
    assert_eq!(bench.breaker.set_mode(earlier, bench.clock.now()), Mode::ForcedOpen);
    assert!(!bench.is_rejected());
}

#[test]
fn a_disabled_breaker_allows_every_call_and_still_counts() {
    let bench = Bench::new();
    bench.breaker.set_mode(Mode::Disabled, bench.clock.now());
    for _ in 0..20 {
        assert_eq!(bench.call(Outcome::Failure), None);
    }
    let status = bench.breaker.status(bench.clock.now());
    assert_eq!((status.mode, status.state, status.failures), (Mode::Disabled, Closed, 20));
    bench.breaker.set_mode(Mode::Automatic, bench.clock.now());
    bench.call(Outcome::Failure);
    assert_eq!(bench.state(), Open);
}

#[test]
fn undoing_a_disabled_mode_finds_the_state_that_was_before() {
    let bench = Bench::new();
    bench.open();
    bench.breaker.set_mode(Mode::Disabled, bench.clock.now());
    assert_eq!(bench.call(Outcome::Success), None);
    bench.breaker.set_mode(Mode::Automatic, bench.clock.now());
    assert!(bench.is_rejected());
}

#[test]
fn a_call_that_was_allowed_while_disabled_takes_no_probe_away() {
    let bench = Bench::new();
    bench.open();
    bench.clock.advance(MINUTE);
    let _first = bench.permit();
    bench.breaker.set_mode(Mode::Disabled, bench.clock.now());
    let allowed = bench.permit();
    bench.breaker.set_mode(Mode::Automatic, bench.clock.now());
    let _second = bench.permit();
    bench.breaker.record(allowed, Outcome::Ignored, Duration::ZERO, bench.clock.now());
    assert!(bench.is_rejected());
    assert_eq!(bench.state(), HalfOpen);
}

#[test]
fn metrics_only_rejects_nothing_but_says_what_it_would_have_done() {
    let bench = Bench::new();
    bench.breaker.set_mode(Mode::MetricsOnly, bench.clock.now());
    bench.open();
    assert_eq!(bench.state(), Open);
    assert!(!bench.is_rejected());
    // Would have been rejected: counts neither for the state nor for the window.
    assert_eq!(bench.call(Outcome::Success), None);
    assert_eq!(bench.breaker.snapshot(bench.clock.now()).rejected, 2);
    bench.clock.advance(MINUTE);
    bench.call(Outcome::Success);
    assert_eq!(bench.call(Outcome::Success), Some(Transition::Closed { successes: 2 }));
}

#[test]
fn a_reset_closes_it_and_results_of_before_change_nothing() {
    let bench = Bench::new();
    let late = bench.permit();
    bench.open();
    assert_eq!(bench.breaker.reset(bench.clock.now()), Transition::Reset { from: Open });
    assert_eq!(bench.state(), Closed);
    bench.breaker.record(late, Outcome::Failure, Duration::ZERO, bench.clock.now());
    assert_eq!(bench.breaker.status(bench.clock.now()).failures, 0);
}

#[test]
fn listeners_are_told_of_everything_in_order() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let clock = ManualClock::default();
    let listener = Arc::clone(&told);
    let breaker = Breaker::new(BreakerPolicy::default())
        .on_transition(move |transition, _| listener.lock().unwrap().push(*transition));
    let bench = Bench { breaker, clock };
    bench.open();
    bench.clock.advance(MINUTE);
    bench.call(Outcome::Success);
    bench.call(Outcome::Success);
    bench.breaker.set_mode(Mode::Disabled, bench.clock.now());
    bench.breaker.set_mode(Mode::Disabled, bench.clock.now());
    bench.breaker.reset(bench.clock.now());
    assert_eq!(
        *told.lock().unwrap(),
        [
            Transition::Opened { reason: OpenReason::ConsecutiveFailures(5), open_for: MINUTE },
            Transition::HalfOpened { after: MINUTE },
            Transition::Closed { successes: 2 },
            Transition::ModeChanged { from: Mode::Automatic, to: Mode::Disabled },
            Transition::Reset { from: Closed },
        ]
    );
}

#[test]
fn a_guard_that_is_dropped_gives_its_probe_back() {
    let bench = Bench::new();
    bench.open();
    bench.clock.advance(MINUTE);
    let first = bench.breaker.permit(&bench.clock).unwrap();
    let second = bench.breaker.permit(&bench.clock).unwrap();
    assert!(bench.breaker.permit(&bench.clock).is_err());
    drop(first);
    second.record(Outcome::Success);
    let third = bench.breaker.permit(&bench.clock).unwrap();
    assert_eq!(third.record(Outcome::Success), Some(Transition::Closed { successes: 2 }));
}

#[test]
fn a_hang_whose_callers_all_leave_opens_it() {
    let bench = Bench::with(BreakerSettings { consecutive_failures: Some(5), ..rates(None, Some(50.0)) });
    for _ in 0..10 {
        let guard = bench.breaker.permit(&bench.clock).unwrap();
        bench.clock.advance(Duration::from_secs(3));
        drop(guard);
    }
    assert_eq!(bench.state(), Open);
    assert_eq!(
        bench.breaker.snapshot(bench.clock.now()).to_string(),
        "Open for another 60 s: slow-call rate 100 % of the last 10 calls (limit 50 %)"
    );
}

#[test]
fn every_state_says_what_it_needs_to_leave_it() {
    let bench = Bench::with(BreakerSettings { consecutive_failures: Some(5), ..rates(Some(50.0), None) });
    let says = || bench.breaker.snapshot(bench.clock.now()).to_string();
    for failed in [true, false, false, false, false] {
        bench.call(if failed { Outcome::Failure } else { Outcome::Success });
    }
    assert_eq!(
        says(),
        "Closed: 0 failures in a row (opens at 5); \
         failure rate 20 % of the last 5 calls (opens at 50 %, 10 calls at least)"
    );
    bench.open();
    bench.clock.advance(Duration::from_secs(48));
    assert_eq!(says(), "Open for another 12 s: 5 failures in a row (limit 5)");
    bench.clock.advance(Duration::from_secs(12));
    assert_eq!(says(), "Open until the next call, which is a probe: 5 failures in a row (limit 5)");
    bench.call(Outcome::Success);
    let probe = bench.permit();
    bench.clock.advance(Duration::from_secs(16));
    assert_eq!(says(), "Half-open: 1 of 2 probes succeeded, 1 under way; gives up in 14 s");
    bench.breaker.record(probe, Outcome::Failure, Duration::ZERO, bench.clock.now());
    assert_eq!(says(), "Open for another 60 s: a probe failed");
    bench.breaker.set_mode(Mode::ForcedOpen, bench.clock.now());
    assert_eq!(
        says(),
        "Forced open: every call is rejected until the mode is changed. \
         Underneath: Open for another 60 s: a probe failed"
    );
}

#[test]
fn a_window_of_time_is_told_as_such() {
    let duration = Duration::from_secs(30);
    let bench = Bench::with(BreakerSettings {
        sliding_window: SlidingWindow::TimeBased { duration },
        ..rates(Some(50.0), Some(80.0))
    });
    bench.call(Outcome::Success);
    assert_eq!(
        bench.breaker.snapshot(bench.clock.now()).to_string(),
        "Closed: failure rate 0 % of 1 call in the last 30 s (opens at 50 %, 10 calls at least); \
         slow-call rate 0 % of 1 call in the last 30 s (opens at 80 %, 10 calls at least)"
    );
}
