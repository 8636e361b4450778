//! Times are Tokio's, paused: nothing here waits.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use rad_model::Share;
use tokio::time::Instant;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::Timestamp;
use crate::layer::RetryLayer;

const SECOND: Duration = Duration::from_secs(1);

fn policy(settings: RetrySettings) -> RetryPolicy {
    RetryPolicy::new(settings).unwrap()
}

fn no_jitter() -> RetrySettings {
    RetrySettings { jitter: Jitter::Proportional(Share::NONE), ..RetrySettings::default() }
}

/// Fails as often as told, then succeeds.
async fn after(failures: u32, attempt: u32) -> Result<u32, &'static str> {
    if attempt <= failures { Err("down") } else { Ok(attempt) }
}

#[tokio::test(start_paused = true)]
async fn the_third_attempt_is_the_last_and_waits_are_one_and_two_seconds() {
    let started = Instant::now();
    let ended = retry(&policy(no_jitter()), Idempotency::Idempotent).run(|n| after(9, n)).await;
    assert_eq!(ended.result, Err(AttemptError::Failed("down")));
    assert_eq!((ended.attempts, ended.stopped), (3, StopReason::AttemptsExhausted));
    assert_eq!((ended.waited, started.elapsed()), (3 * SECOND, 3 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_idempotent_is_made_once_unless_nobody_took_it() {
    let policy = RetryPolicy::default();
    let once = retry(&policy, Idempotency::NotIdempotent).run(|n| after(1, n)).await;
    assert_eq!((once.attempts, once.stopped), (1, StopReason::NotIdempotent));
    let refused = |result: Result<&u32, &AttemptError<&str>>| match result {
        Ok(_) => Verdict::Done,
        Err(_) => Verdict::NotTaken,
    };
    let again = retry(&policy, Idempotency::NotIdempotent).retry_if(refused).run(|n| after(1, n)).await;
    assert_eq!((again.result, again.attempts), (Ok(2), 2));
    let allowed = self::policy(RetrySettings { retry_non_idempotent: true, ..no_jitter() });
    assert_eq!(retry(&allowed, Idempotency::NotIdempotent).run(|n| after(1, n)).await.attempts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_is_honoured_up_to_its_cap() {
    let ask = |seconds: u64| {
        move |result: Result<&u32, &AttemptError<&str>>| match result {
            Ok(_) => Verdict::Done,
            Err(_) => Verdict::RetryAfter(Duration::from_secs(seconds)),
        }
    };
    let policy = policy(no_jitter());
    for (asked, waited) in [(0, 1), (7, 7), (86_400 * 365, 60)] {
        let ended = retry(&policy, Idempotency::Idempotent).retry_if(ask(asked)).run(|n| after(1, n)).await;
        assert_eq!(ended.waited.as_secs(), waited);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_can_be_worth_another_attempt() {
    let unavailable = |result: Result<&u16, &AttemptError<()>>| match result {
        Ok(503) => Verdict::Retry,
        _ => Verdict::Done,
    };
    let policy = policy(no_jitter());
    let ended =
        retry(&policy, Idempotency::Idempotent).retry_if(unavailable).run(|_| async { Ok(503_u16) }).await;
    assert_eq!((ended.result, ended.stopped), (Ok(503), StopReason::AttemptsExhausted));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_given_up_and_made_again() {
    let policy = policy(RetrySettings { attempt_deadline: Some(2 * SECOND), ..no_jitter() });
    let started = Instant::now();
    let ended = retry(&policy, Idempotency::Idempotent)
        .run(|n| async move {
            if n == 1 {
                std::future::pending::<()>().await;
            }
            Ok::<_, ()>(n)
        })
        .await;
    assert_eq!((ended.result, started.elapsed()), (Ok(2), 3 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_that_would_come_after_the_overall_deadline() {
    let policy = policy(RetrySettings { overall_deadline: Some(2 * SECOND), ..no_jitter() });
    let started = Instant::now();
    let ended = retry(&policy, Idempotency::Idempotent).run(|n| after(9, n)).await;
    assert_eq!((ended.attempts, ended.stopped), (2, StopReason::DeadlineExceeded));
    assert_eq!(started.elapsed(), SECOND);
    let hang = |_| std::future::pending::<Result<(), ()>>();
    let hung = retry(&policy, Idempotency::Idempotent).run(hang).await;
    assert_eq!((hung.result, hung.stopped), (Err(AttemptError::TimedOut), StopReason::DeadlineExceeded));
}

#[tokio::test(start_paused = true)]
async fn retries_of_an_outage_stay_a_fifth_of_the_traffic() {
    let settings = RetryBudgetSettings { minimum_per_second: 0, ..RetryBudgetSettings::default() };
    let budget = RetryBudget::new(settings).unwrap();
    let policy = policy(RetrySettings { base: Duration::from_millis(1), ..no_jitter() });
    let (mut attempts, mut refused) = (0, 0);
    for _ in 0..100 {
        let ended = retry(&policy, Idempotency::Idempotent).budget(&budget).run(|n| after(9, n)).await;
        attempts += ended.attempts;
        refused += u64::from(ended.stopped == StopReason::BudgetExhausted);
    }
    assert_eq!(attempts, 120);
    assert_eq!(budget.refused(), refused);
}

#[tokio::test(start_paused = true)]
async fn the_layer_makes_requests_again_and_tells_of_it() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let observer = Arc::clone(&told);
    let layer = RetryLayer::new(policy(no_jitter()), |_: &u32| Idempotency::Idempotent)
        .on_finish(move |report| observer.lock().unwrap().push((report.attempts, report.stopped)));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let mut service = ServiceBuilder::new().layer(layer).service(service_fn(move |request: u32| {
        let seen = Arc::clone(&seen);
        async move {
            seen.lock().unwrap().push(request);
            if seen.lock().unwrap().len() < 3 { Err("down") } else { Ok(request * 2) }
        }
    }));
    assert_eq!(service.ready().await.unwrap().call(21).await, Ok(42));
    assert_eq!(*asked.lock().unwrap(), [21, 21, 21]);
    assert_eq!(*told.lock().unwrap(), [(3, StopReason::Done)]);
}

#[test]
fn impossible_settings_are_refused_with_name_value_and_range() {
    let base = RetrySettings::default();
    for (settings, expected) in [
        (RetrySettings { max_attempts: 101, ..base }, "max_attempts: 101 is outside 1 to 100"),
        (RetrySettings { base: Duration::ZERO, ..base }, "base: 0ns is outside 1 ms to 1 day"),
        (RetrySettings { multiplier: f64::NAN, ..base }, "multiplier: NaN is outside 1 to 100"),
        (RetrySettings { multiplier: 0.5, ..base }, "multiplier: 0.5 is outside 1 to 100"),
        (
            RetrySettings { cap: Duration::from_millis(10), ..base },
            "cap: 10ms is outside 1s, the base, to 1 day",
        ),
        (
            RetrySettings { overall_deadline: Some(Duration::MAX), ..base },
            "overall_deadline: 18446744073709551615.999999999s is outside 1 ms to 1 day",
        ),
    ] {
        assert_eq!(RetryPolicy::new(settings).unwrap_err().to_string(), expected);
    }
    let nothing = RetryBudgetSettings { share: Share::NONE, minimum_per_second: 0, window: SECOND };
    assert_eq!(
        RetryBudget::new(nothing).unwrap_err().to_string(),
        "share: 0 % is outside 0.01 % to 100 % where minimum_per_second is 0"
    );
}

#[test]
fn each_kind_of_jitter_has_its_range() {
    let delays = |jitter| {
        let policy = policy(RetrySettings { jitter, ..RetrySettings::default() });
        [0.0, 1.0].map(|random| policy.delay(2, 2 * SECOND, random).as_millis())
    };
    assert_eq!(delays(Jitter::Proportional(Share::from_percent(10.0).unwrap())), [1_800, 2_200]);
    assert_eq!(delays(Jitter::Full), [0, 2_000]);
    assert_eq!(delays(Jitter::Equal), [1_000, 2_000]);
    assert_eq!(delays(Jitter::Decorrelated), [1_000, 6_000]);
}

fn any_jitter() -> impl Strategy<Value = Jitter> {
    let share = (0_u16..=10_000).prop_map(|points| Share::from_basis_points(points).unwrap());
    prop_oneof![
        share.prop_map(Jitter::Proportional),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        Just(Jitter::Decorrelated)
    ]
}

/// Requests and retries as a list.
#[derive(Default)]
struct Ledger {
    requests: VecDeque<u64>,
    retries: VecDeque<u64>,
}

impl Ledger {
    fn balance(&mut self, slice: u64, share: u64, reserve: u64) -> u64 {
        let count = |list: &mut VecDeque<u64>| {
            list.retain(|at| at + 10 > slice);
            list.len() as u64
        };
        let allowed = count(&mut self.requests) * share / 10_000 + reserve;
        allowed.saturating_sub(count(&mut self.retries))
    }
}

proptest! {
    #[test]
    fn no_wait_exceeds_the_cap_by_more_than_its_jitter(
        jitter in any_jitter(),
        base_ms in 1_u64..10_000,
        more_ms in 0_u64..100_000,
        multiplier in 1.0_f64..100.0,
        retry in any::<u32>(),
        previous in any::<u64>(),
        random in any::<f64>(),
    ) {
        let base = Duration::from_millis(base_ms);
        let cap = Duration::from_millis(base_ms + more_ms);
        let policy = policy(RetrySettings { base, cap, multiplier, jitter, ..RetrySettings::default() });
        let random = if random.is_nan() { 0.5 } else { random };
        let wait = policy.delay(retry, Duration::from_nanos(previous), random);
        let most = match jitter {
            Jitter::Proportional(share) => cap.mul_f64(1.0 + share.percent() / 100.0),
            _ => cap,
        };
        prop_assert!(wait <= most + Duration::from_nanos(1_000));
        if jitter == Jitter::Decorrelated {
            prop_assert!(wait >= base);
        }
    }

    #[test]
    fn a_budget_is_what_its_ledger_says(
        share in 0_u16..=10_000,
        minimum_per_second in 1_u32..5,
        steps in prop::collection::vec((0_u64..2_000, any::<bool>()), 1..400),
    ) {
        let share = Share::from_basis_points(share).unwrap();
        let settings = RetryBudgetSettings { share, minimum_per_second, ..RetryBudgetSettings::default() };
        let budget = RetryBudget::new(settings).unwrap();
        let ledger = RefCell::new(Ledger::default());
        let (mut now_ms, mut refused) = (0, 0);
        for (pause, is_retry) in steps {
            // Mostly in bursts.
            now_ms += if pause < 1_500 { 0 } else { pause };
            let (now, slice) = (Timestamp::from_nanos(now_ms * 1_000_000), now_ms / 1_000);
            let mut ledger = ledger.borrow_mut();
            let reserve = u64::from(minimum_per_second) * 10;
            let balance = ledger.balance(slice, u64::from(share.basis_points()), reserve);
            prop_assert_eq!(budget.balance(now), balance);
            if !is_retry {
                budget.deposit(now);
                ledger.requests.push_back(slice);
            } else if balance > 0 {
                prop_assert!(budget.withdraw(now));
                ledger.retries.push_back(slice);
            } else {
                prop_assert!(!budget.withdraw(now));
                refused += 1;
            }
            prop_assert_eq!(budget.refused(), refused);
        }
    }
}
