use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::advance;

use super::*;

fn bulkhead(limit: u32, queue: u32) -> Bulkhead {
    let max_wait = Duration::from_secs(5);
    Bulkhead::new(BulkheadSettings { limit, queue, max_wait, ..Default::default() }).unwrap()
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn reason<T>(result: Poll<Result<T, BulkheadRejection>>) -> Option<RejectReason> {
    match result {
        Poll::Ready(Err(rejection)) => Some(rejection.reason),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_are_in_flight_than_the_limit_says() {
    let bulkhead = bulkhead(2, 10);
    let first = bulkhead.try_acquire().unwrap();
    let second = bulkhead.try_acquire().unwrap();
    assert!(bulkhead.try_acquire().is_none());
    drop(first);
    assert!(bulkhead.try_acquire().is_some());
    drop(second);
    assert_eq!(bulkhead.figures().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn the_more_urgent_go_first_and_equals_in_the_order_of_their_arrival() {
    let bulkhead = bulkhead(1, 10);
    let mut held = bulkhead.try_acquire();
    let mut low = pin!(bulkhead.acquire(Priority::Low));
    let mut first = pin!(bulkhead.acquire(Priority::Normal));
    let mut second = pin!(bulkhead.acquire(Priority::Normal));
    assert!(poll(low.as_mut()).is_pending());
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    assert_eq!(bulkhead.figures().waiting, [1, 2, 0, 0]);
    drop(held.take());
    assert!(poll(low.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    let Poll::Ready(Ok(place)) = poll(first.as_mut()) else { panic!("the first is next") };
    drop(place);
    assert!(poll(low.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_ready());
    assert!(poll(low.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_low_priority_does_not_starve_behind_an_endless_stream_of_urgent_ones() {
    let bulkhead = bulkhead(1, 10);
    let mut place = bulkhead.try_acquire();
    let mut low = pin!(bulkhead.acquire(Priority::Low));
    assert!(poll(low.as_mut()).is_pending());
    for _ in 0..4 {
        let mut urgent = Box::pin(bulkhead.acquire(Priority::Critical));
        assert!(poll(urgent.as_mut()).is_pending());
        drop(place.take());
        if poll(low.as_mut()).is_ready() {
            return;
        }
        let Poll::Ready(Ok(next)) = poll(urgent.as_mut()) else { panic!("one of the two is next") };
        place = Some(next);
    }
    panic!("four places went to others");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_rejects_at_once_and_says_when_to_come_back() {
    let bulkhead = bulkhead(1, 1);
    let held = bulkhead.try_acquire();
    let mut waiting = pin!(bulkhead.acquire(Priority::Normal));
    assert!(poll(waiting.as_mut()).is_pending());
    let rejection = bulkhead.acquire(Priority::Normal).await.unwrap_err();
    assert_eq!(rejection.reason, RejectReason::Full);
    assert_eq!(rejection.retry_after, Duration::from_secs(5), "nothing known but the longest wait");
    advance(Duration::from_secs(2)).await;
    drop(held);
    let _place = waiting.await.unwrap();
    let rejection = bulkhead.acquire_within(Priority::Low, Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(rejection.reason, RejectReason::WaitedTooLong);
    assert_eq!(rejection.retry_after, Duration::from_secs(2), "a place took two seconds");
    let figures = bulkhead.figures();
    assert_eq!(figures.rejected, [1, 1, 0]);
    assert_eq!((figures.waited, figures.waited_longest), (1, Duration::from_secs(2)));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_allowed_and_who_gives_up_leaves_the_queue() {
    let bulkhead = bulkhead(1, 10);
    let held = bulkhead.try_acquire();
    let start = Instant::now();
    let rejection = bulkhead.acquire(Priority::Normal).await.unwrap_err();
    assert_eq!((rejection.reason, start.elapsed()), (RejectReason::WaitedTooLong, Duration::from_secs(5)));
    assert_eq!(bulkhead.figures().waiting, [0; 4]);
    drop(held);
    assert!(bulkhead.try_acquire().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_more_urgent_request_takes_the_queue_place_of_the_latest_of_the_least_urgent() {
    let bulkhead = bulkhead(1, 2);
    let _held = bulkhead.try_acquire();
    let mut early = pin!(bulkhead.acquire(Priority::Low));
    let mut late = pin!(bulkhead.acquire(Priority::Low));
    assert!(poll(early.as_mut()).is_pending());
    assert!(poll(late.as_mut()).is_pending());
    let mut urgent = pin!(bulkhead.acquire(Priority::High));
    assert!(poll(urgent.as_mut()).is_pending());
    assert_eq!(reason(poll(late.as_mut())), Some(RejectReason::Shed));
    assert!(poll(early.as_mut()).is_pending());
    let mut equal = pin!(bulkhead.acquire(Priority::Low));
    assert_eq!(reason(poll(equal.as_mut())), Some(RejectReason::Full));
    assert_eq!(bulkhead.figures().waiting, [1, 0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_dropped_while_it_waits_loses_no_place() {
    let bulkhead = bulkhead(1, 10);
    let held = bulkhead.try_acquire();
    let mut gone = Box::pin(bulkhead.acquire(Priority::Normal));
    assert!(poll(gone.as_mut()).is_pending());
    drop(gone);
    assert_eq!(bulkhead.figures().waiting, [0; 4]);
    drop(held);
    assert_eq!(bulkhead.figures().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_dropped_in_the_moment_of_being_served_hands_its_place_on() {
    let bulkhead = bulkhead(1, 10);
    let held = bulkhead.try_acquire();
    let mut gone = Box::pin(bulkhead.acquire(Priority::Normal));
    let mut next = pin!(bulkhead.acquire(Priority::Normal));
    assert!(poll(gone.as_mut()).is_pending());
    assert!(poll(next.as_mut()).is_pending());
    drop(held);
    drop(gone);
    let Poll::Ready(Ok(place)) = poll(next.as_mut()) else { panic!("the place was lost") };
    drop(place);
    assert_eq!(bulkhead.figures().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn the_signal_rises_at_the_high_water_mark_and_falls_at_the_low_one() {
    let settings = BulkheadSettings { limit: 1, queue: 10, ..Default::default() };
    let settings = BulkheadSettings { high_water: Some(4), low_water: Some(2), ..settings };
    let bulkhead = Bulkhead::new(settings).unwrap();
    let _held = bulkhead.try_acquire();
    let mut waiting = Vec::new();
    for expected in [false, false, false, true, true] {
        let mut future = Box::pin(bulkhead.acquire(Priority::Normal));
        assert!(poll(future.as_mut()).is_pending());
        waiting.push(future);
        assert_eq!(bulkhead.backpressure(), expected);
    }
    for expected in [true, true, false, false] {
        waiting.pop();
        assert_eq!(bulkhead.backpressure(), expected, "{} wait", waiting.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_higher_limit_lets_the_waiting_in_and_a_lower_one_sends_nobody_away() {
    let bulkhead = bulkhead(1, 10);
    let held = bulkhead.try_acquire();
    let mut first = pin!(bulkhead.acquire(Priority::Normal));
    let mut second = pin!(bulkhead.acquire(Priority::Normal));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    bulkhead.set_limit(2);
    let Poll::Ready(Ok(place)) = poll(first.as_mut()) else { panic!("there is room for the first") };
    bulkhead.set_limit(1);
    drop(place);
    assert!(poll(second.as_mut()).is_pending(), "the place is gone with the old limit");
    drop(held);
    assert!(poll(second.as_mut()).is_ready());
}

#[test]
fn impossible_settings_are_refused_with_the_allowed_range() {
    let refusal = |settings: BulkheadSettings| Bulkhead::new(settings).unwrap_err().to_string();
    let good = BulkheadSettings::default();
    assert_eq!(
        refusal(BulkheadSettings { limit: 0, ..good }),
        "limit is 0; it must be 1 to 16777215 requests in flight"
    );
    assert_eq!(
        refusal(BulkheadSettings { queue: 65_536, ..good }),
        "queue is 65536; it must be 0 to 65535 waiting requests"
    );
    assert_eq!(
        refusal(BulkheadSettings { max_wait: Duration::ZERO, ..good }),
        "max_wait is 0ns; it must be 1 ms to 1 h (for no waiting at all set queue to 0)"
    );
    assert_eq!(
        refusal(BulkheadSettings { high_water: Some(101), ..good }),
        "high_water is 101; it must be 1 to 100, the length of the queue"
    );
    assert_eq!(
        refusal(BulkheadSettings { low_water: Some(80), ..good }),
        "low_water is 80; it must be below high_water, 0 to 79"
    );
    assert!(Bulkhead::new(BulkheadSettings { queue: 0, ..good }).is_ok());
    assert!(Bulkhead::new(BulkheadSettings { queue: 1, ..good }).is_ok());
}

/// Several single-threaded runtimes share it, as the workers of a gateway do.
#[test]
fn threads_with_runtimes_of_their_own_share_the_places_and_lose_none() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let bulkhead = bulkhead(3, 1_000);
    let (now, most) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                let local = tokio::task::LocalSet::new();
                local.block_on(&runtime, async {
                    for round in 0..500_u32 {
                        let mut futures: Vec<_> =
                            (0..6).map(|_| Box::pin(bulkhead.acquire(Priority::Normal))).collect();
                        for future in &mut futures {
                            let _ = poll(future.as_mut());
                        }
                        // Half of them change their mind, some of them with a place in their hands.
                        let rest = futures.split_off(3);
                        drop(futures);
                        for future in rest {
                            // Polled to its end already if it got its place at once.
                            if round % 2 == 0 {
                                drop(future);
                            }
                        }
                        let place = bulkhead.acquire(Priority::Normal).await.unwrap();
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        now.fetch_sub(1, Ordering::SeqCst);
                        drop(place);
                    }
                });
            });
        }
    });
    assert!(most.into_inner() <= 3);
    let figures = bulkhead.figures();
    assert_eq!((figures.in_flight, figures.waiting), (0, [0; 4]));
}

#[test]
fn a_place_can_be_awaited_and_given_back_on_any_thread() {
    fn on_any_thread<T: Send>(_: T) {}
    let bulkhead = bulkhead(1, 1);
    on_any_thread(bulkhead.acquire(Priority::Normal));
    on_any_thread(bulkhead.try_acquire());
}
