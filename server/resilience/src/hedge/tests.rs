//! Times are Tokio's, paused: nothing here waits.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use rad_model::Share;
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::layer::HedgeLayer;
use crate::retry::RetryBudgetSettings;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn delay() -> HedgeDelay {
    HedgeDelay::new(ms(50)).unwrap()
}

/// Attempts that take so long and end so.
fn answers(
    plan: &[(u64, Result<u32, u32>)],
) -> impl FnMut(u32) -> std::pin::Pin<Box<dyn Future<Output = Result<u32, u32>>>> + use<> {
    let plan = plan.to_vec();
    move |attempt| {
        let (takes, result) = plan[attempt as usize - 1];
        Box::pin(async move {
            sleep(ms(takes)).await;
            result
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_fast_answer_needs_no_second_attempt() {
    let ended = hedge(&delay()).run(answers(&[(49, Ok(1))])).await;
    assert_eq!(ended, Hedged { result: Ok(1), attempts: 1, winner: 1 });
}

#[tokio::test(start_paused = true)]
async fn the_first_good_answer_wins_whichever_it_is() {
    let started = Instant::now();
    let ended = hedge(&delay()).run(answers(&[(900, Ok(1)), (20, Ok(2))])).await;
    assert_eq!((ended.result, ended.winner, started.elapsed()), (Ok(2), 2, ms(70)));
    let ended = hedge(&delay()).run(answers(&[(60, Ok(1)), (20, Ok(2))])).await;
    assert_eq!((ended.result, ended.attempts, ended.winner), (Ok(1), 2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_error_wins_only_when_nothing_else_is_under_way() {
    let ended = hedge(&delay()).run(answers(&[(90, Ok(1)), (10, Err(2))])).await;
    assert_eq!((ended.result, ended.winner), (Ok(1), 1));
    let ended = hedge(&delay()).run(answers(&[(60, Err(1)), (30, Err(2))])).await;
    assert_eq!((ended.result, ended.winner), (Err(2), 2));
    let early = hedge(&delay()).run(answers(&[(10, Err(1))])).await;
    assert_eq!((early.result, early.attempts), (Err(1), 1));
}

#[tokio::test(start_paused = true)]
async fn the_attempt_that_lost_is_dropped() {
    struct Dropped<'a>(&'a Cell<u32>);
    impl Drop for Dropped<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let dropped = Cell::new(0);
    let ended = hedge(&delay())
        .run(|attempt| {
            let guard = Dropped(&dropped);
            async move {
                let _guard = guard;
                sleep(ms(if attempt == 1 { 9_000 } else { 1 })).await;
                Ok::<_, ()>(attempt)
            }
        })
        .await;
    assert_eq!((ended.result, dropped.get()), (Ok(2), 2));
}

#[tokio::test(start_paused = true)]
async fn more_attempts_follow_each_after_the_delay_up_to_their_number() {
    let started = Instant::now();
    let slow = answers(&[(900, Ok(1)), (900, Ok(2)), (30, Ok(3))]);
    let ended = hedge(&delay()).at_most(2).run(slow).await;
    assert_eq!((ended, started.elapsed()), (Hedged { result: Ok(3), attempts: 3, winner: 3 }, ms(130)));
    let ended = hedge(&delay()).at_most(3).run(answers(&[(70, Ok(1)), (900, Ok(2))])).await;
    assert_eq!((ended.attempts, ended.winner), (2, 1));
    // One fails; those under way are waited for, and one more may follow.
    let ended = hedge(&delay()).at_most(2).run(answers(&[(60, Err(1)), (900, Ok(2)), (10, Ok(3))])).await;
    assert_eq!((ended.result, ended.attempts, ended.winner), (Ok(3), 3, 3));
    // All that were made have failed: no further one is begun.
    let ended = hedge(&delay()).at_most(3).run(answers(&[(60, Err(1)), (20, Err(2))])).await;
    assert_eq!((ended.result, ended.attempts), (Err(2), 2));
}

#[tokio::test(start_paused = true)]
async fn without_budget_the_first_attempt_is_waited_for() {
    let share = Share::from_percent(1.0).unwrap();
    let settings = RetryBudgetSettings { share, minimum_per_second: 0, window: Duration::from_secs(10) };
    let budget = RetryBudget::new(settings).unwrap();
    let ended = hedge(&delay()).budget(&budget).run(answers(&[(900, Ok(1))])).await;
    assert_eq!((ended.result, ended.attempts, budget.refused()), (Ok(1), 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_percentile_that_is_fed_changes_the_delay() {
    let delay = delay();
    delay.set(ms(500));
    assert_eq!(hedge(&delay).run(answers(&[(499, Ok(1))])).await.attempts, 1);
    delay.set(Duration::ZERO);
    assert_eq!(delay.get(), ms(1));
    assert!(HedgeDelay::new(Duration::ZERO).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_layer_hedges_only_what_it_may() {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let layer = HedgeLayer::new(Arc::new(delay()), |method: &&str| *method == "GET");
    let mut service = ServiceBuilder::new().layer(layer).service(service_fn(move |_: &'static str| {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            sleep(ms(if number == 0 { 900 } else { 100 })).await;
            Ok::<_, ()>(number)
        }
    }));
    assert_eq!(service.ready().await.unwrap().call("GET").await, Ok(1));
    assert_eq!(service.ready().await.unwrap().call("POST").await, Ok(2));
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}
