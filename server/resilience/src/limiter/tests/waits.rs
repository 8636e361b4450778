use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::policy;
use crate::limiter::MAX_WAITING;
use crate::{Clock, DirectLimiter, Limiter, ManualClock, NotReady, Strategy, TokioClock};

const SECOND: Duration = Duration::from_secs(1);

fn limiter(strategy: Strategy, quotas: &[&str]) -> Arc<Limiter<u32>> {
    Arc::new(Limiter::new(policy(strategy, quotas), 100))
}

/// Starts a task that waits, and lets it take its place in the line.
async fn wait(
    limiter: &Arc<Limiter<u32>>,
    clock: TokioClock,
    n: u32,
    max_wait: Duration,
) -> tokio::task::JoinHandle<Result<Duration, NotReady>> {
    let limiter = Arc::clone(limiter);
    let started = Instant::now();
    let task = tokio::spawn(async move {
        limiter.until_ready_n(&1, n, &clock, max_wait).await.map(|_| started.elapsed())
    });
    tokio::task::yield_now().await;
    task
}

/// Whole seconds: the timer rings up to some milliseconds late.
fn seconds(waited: Result<Duration, NotReady>) -> u64 {
    let waited = waited.unwrap();
    assert!(waited.subsec_millis() < 50, "{waited:?}");
    waited.as_secs()
}

#[tokio::test(start_paused = true)]
async fn callers_are_served_in_order_each_in_its_turn() {
    for strategy in [Strategy::TokenBucket, Strategy::LeakyBucket] {
        let clock = TokioClock::new();
        let limiter = limiter(strategy, &["1/second"]);
        let mut tasks = Vec::new();
        for _ in 0..5 {
            tasks.push(wait(&limiter, clock, 1, 10 * SECOND).await);
        }
        for (expected, task) in (0..).zip(tasks) {
            assert_eq!(seconds(task.await.unwrap()), expected, "{strategy}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_strategy_charges_who_waited_exactly_once() {
    for strategy in Strategy::ALL {
        let clock = TokioClock::new();
        let limiter = limiter(strategy, &["5/10s"]);
        let mut tasks = Vec::new();
        for _ in 0..12 {
            tasks.push(wait(&limiter, clock, 1, 60 * SECOND).await);
        }
        let mut last = Duration::ZERO;
        for task in tasks {
            let waited = task.await.unwrap().unwrap();
            assert!(waited >= last, "{strategy}: {waited:?} after {last:?}");
            last = waited;
        }
        // Between the 14 s in which seven are refilled and two windows with what slides out of them.
        assert!((13..=26).contains(&last.as_secs()), "{strategy}: {last:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_too_long_is_refused_at_once_with_the_wait_needed() {
    let clock = TokioClock::new();
    let limiter = limiter(Strategy::TokenBucket, &["1/second"]);
    let _first = wait(&limiter, clock, 1, SECOND).await;
    let _second = wait(&limiter, clock, 1, SECOND).await;
    let started = Instant::now();
    let Err(NotReady::TooLong { needed, .. }) = limiter.until_ready(&1, &clock, SECOND).await else {
        panic!("the turn is 2 s away")
    };
    assert_eq!((needed, started.elapsed()), (2 * SECOND, Duration::ZERO));
    assert!(limiter.until_ready(&1, &clock, 2 * SECOND).await.is_ok());
    let never = limiter.until_ready_n(&1, 2, &clock, Duration::MAX - SECOND).await.unwrap_err();
    assert_eq!(never.decision().retry_after, Duration::MAX);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_pays_nothing_and_the_others_move_up() {
    let clock = TokioClock::new();
    let limiter = limiter(Strategy::LeakyBucket, &["1/second"]);
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(wait(&limiter, clock, 1, 10 * SECOND).await);
    }
    let last = tasks.pop().unwrap();
    // The head of the line, which sleeps, and one behind it.
    tokio::time::sleep(SECOND / 2).await;
    tasks[1].abort();
    tasks[2].abort();
    assert_eq!(seconds(last.await.unwrap()), 1);
    assert!(!limiter.lines.any());
    tokio::time::sleep(SECOND).await;
    assert!(limiter.check(&1, clock.now()).allowed);
}

#[tokio::test(start_paused = true)]
async fn nobody_overtakes_those_who_wait() {
    let clock = TokioClock::new();
    let limiter = limiter(Strategy::TokenBucket, &["1/second"]);
    let tasks = [wait(&limiter, clock, 1, SECOND * 9).await, wait(&limiter, clock, 1, SECOND * 9).await];
    tokio::time::advance(SECOND).await;
    // The second's turn has come, but its task has not run yet.
    let decision = limiter.check(&1, clock.now());
    assert!(!decision.allowed);
    assert_eq!(decision.retry_after, SECOND);
    assert!(limiter.check(&2, clock.now()).allowed, "other keys have no line");
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_has_an_end() {
    let clock = TokioClock::new();
    let limiter = limiter(Strategy::TokenBucket, &["1/second"]);
    let mut tasks = Vec::new();
    for _ in 0..=MAX_WAITING {
        tasks.push(wait(&limiter, clock, 1, 5_000 * SECOND).await);
    }
    let full = limiter.until_ready(&1, &clock, 5_000 * SECOND).await.unwrap_err();
    assert!(matches!(full, NotReady::LineFull { .. }), "{full}");
    drop(tasks);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_stands_still_ends_the_wait() {
    let limiter = DirectLimiter::new(policy(Strategy::FixedWindow, &["1/second"]));
    let clock = ManualClock::default();
    assert!(limiter.until_ready(&clock, SECOND).await.is_ok());
    assert!(matches!(limiter.until_ready(&clock, SECOND).await, Err(NotReady::TooLong { .. })));
}

#[test]
fn many_threads_together_get_no_more_than_allowed() {
    let limiter: Limiter<u32> =
        Limiter::new(policy(Strategy::SlidingWindow, &["1000/minute", "1500/hour"]), 100);
    let now = crate::Timestamp::default();
    let passed = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    passed.fetch_add(u32::from(limiter.check(&1, now).allowed), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(passed.into_inner(), 1_000);
}
