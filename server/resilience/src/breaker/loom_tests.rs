//! What may not depend on how threads interleave. Run with `RUSTFLAGS="--cfg loom"`.

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;
use rad_model::{BreakerState, Share};

use super::window::{Call, Counts, Window};
use super::{Breaker, BreakerPolicy, BreakerSettings, Outcome, Permit, SlidingWindow, Transition};
use crate::Timestamp;
use crate::retry::{RetryBudget, RetryBudgetSettings};

const NOW: Timestamp = Timestamp::from_nanos(1_000_000_000);

fn breaker(settings: BreakerSettings) -> Arc<Breaker> {
    Arc::new(Breaker::new(BreakerPolicy::new(settings).unwrap()))
}

fn permit(breaker: &Breaker) -> Permit {
    breaker.acquire(NOW).unwrap().0
}

fn is_opening(transition: Option<Transition>) -> usize {
    usize::from(matches!(transition, Some(Transition::Opened { .. })))
}

/// Two threads with a failure each, at the threshold.
fn opens_once(settings: BreakerSettings) {
    loom::model(move || {
        let breaker = breaker(settings);
        let permits = [permit(&breaker), permit(&breaker)];
        let threads = permits.map(|permit| {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || is_opening(breaker.record(permit, Outcome::Failure, Duration::ZERO, NOW)))
        });
        let openings: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(openings, 1);
        assert_eq!(breaker.status(NOW).state, BreakerState::Open);
        assert_eq!(breaker.snapshot(NOW).trips, 1);
    });
}

#[test]
fn loom_two_failures_at_the_limit_open_it_once() {
    opens_once(BreakerSettings { consecutive_failures: Some(2), ..BreakerSettings::default() });
    opens_once(BreakerSettings { consecutive_failures: Some(1), ..BreakerSettings::default() });
}

fn rates(sliding_window: SlidingWindow) -> BreakerSettings {
    BreakerSettings {
        consecutive_failures: None,
        failure_rate_threshold: Share::from_percent(100.0),
        sliding_window,
        minimum_number_of_calls: 2,
        ..BreakerSettings::default()
    }
}

#[test]
fn loom_two_failures_that_make_the_rate_open_it_once() {
    opens_once(rates(SlidingWindow::CountBased { calls: 2 }));
}

#[test]
fn loom_two_failures_that_make_the_rate_of_a_time_open_it_once() {
    opens_once(rates(SlidingWindow::TimeBased { duration: Duration::from_secs(10) }));
}

#[test]
fn loom_half_open_lets_no_more_probes_through_than_permitted() {
    loom::model(|| {
        let settings = BreakerSettings {
            consecutive_failures: Some(1),
            open_for: Duration::from_millis(1),
            permitted_probes: Some(1),
            ..BreakerSettings::default()
        };
        let breaker = breaker(settings);
        breaker.record(permit(&breaker), Outcome::Failure, Duration::ZERO, Timestamp::default());
        let threads = [(); 2].map(|()| {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || match breaker.acquire(NOW) {
                Ok((_, transition)) => (1, usize::from(transition.is_some())),
                Err(_) => (0, 0),
            })
        });
        let [first, second] = threads.map(|thread| thread.join().unwrap());
        assert_eq!((first.0 + second.0, first.1 + second.1), (1, 1));
        assert_eq!(breaker.status(NOW).probes, 1);
    });
}

#[test]
fn loom_a_result_that_races_with_a_reset_does_not_reach_the_new_period() {
    loom::model(|| {
        let breaker = breaker(rates(SlidingWindow::CountBased { calls: 2 }));
        let late = permit(&breaker);
        let other = Arc::clone(&breaker);
        let recording = thread::spawn(move || other.record(late, Outcome::Failure, Duration::ZERO, NOW));
        breaker.reset(NOW);
        let fresh = permit(&breaker);
        breaker.record(fresh, Outcome::Success, Duration::ZERO, NOW);
        assert_eq!(recording.join().unwrap(), None);
        let window = breaker.snapshot(NOW).window.unwrap();
        assert_eq!((window.calls, window.failures), (1, 0));
        assert_eq!(breaker.status(NOW).failures, 0);
    });
}

#[test]
fn loom_a_ring_that_wraps_round_under_two_threads_keeps_its_sums() {
    loom::model(|| {
        let window = Arc::new(Window::new(SlidingWindow::CountBased { calls: 1 }));
        let threads = [true, false].map(|failed| {
            let window = Arc::clone(&window);
            thread::spawn(move || window.record(1, Call { failed, slow: !failed }, 0))
        });
        for thread in threads {
            thread.join().unwrap();
        }
        let Counts { calls, failures, slow } = window.counts(1, 0);
        assert_eq!((calls, failures + slow), (1, 1));
    });
}

#[test]
fn loom_two_retries_never_share_the_last_token() {
    loom::model(|| {
        let share = Share::from_percent(50.0).unwrap();
        let settings = RetryBudgetSettings { share, minimum_per_second: 0, ..RetryBudgetSettings::default() };
        let budget = Arc::new(RetryBudget::new(settings).unwrap());
        budget.deposit(NOW);
        budget.deposit(NOW);
        let threads = [(); 2].map(|()| {
            let budget = Arc::clone(&budget);
            thread::spawn(move || budget.withdraw(NOW))
        });
        let granted: u64 = threads.into_iter().map(|thread| u64::from(thread.join().unwrap())).sum();
        assert!(granted <= 1);
        assert_eq!((budget.refused(), budget.balance(NOW)), (2 - granted, 1 - granted));
    });
}
