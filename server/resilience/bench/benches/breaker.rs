//! What a breaker costs a call while the target is well, beside those of `failsafe` and
//! `tower-resilience`.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use divan::Bencher;
use failsafe::StateMachine;
use rad_model::Share;
use rad_resilience::breaker::{BreakerPolicy, SlidingWindow};
use rad_resilience::layer::BreakerLayer;
use rad_resilience::{Breaker, BreakerSettings, Outcome, Timestamp};
use tower::{Layer, Service};
use tower_resilience_circuitbreaker::{CircuitBreakerLayer, SlidingWindowType};

const THREADS: [usize; 2] = [1, 2];

fn main() {
    divan::main();
}

fn with_rates(sliding_window: SlidingWindow) -> Breaker {
    let settings = BreakerSettings {
        failure_rate_threshold: Share::from_percent(50.0),
        slow_call_rate_threshold: Share::from_percent(80.0),
        sliding_window,
        minimum_number_of_calls: 20,
        ..BreakerSettings::default()
    };
    Breaker::new(BreakerPolicy::new(settings).unwrap_or_default())
}

/// A call of a microsecond every microsecond; those fail whose number has none of the bits of `well`.
fn calls(bencher: Bencher<'_, '_>, breaker: &Breaker, well: u64) {
    bencher.counter(1_u32).bench(|| {
        // Each thread has its own count: a shared one would be what is measured.
        let count = CALLS.get() + 1;
        CALLS.set(count);
        let now = Timestamp::from_nanos(count * 1_000);
        let outcome = if count & well == 0 { Outcome::Failure } else { Outcome::Success };
        let permit = breaker.acquire(black_box(now));
        let record = |permit| breaker.record(permit, outcome, Duration::from_micros(1), now).is_some();
        permit.is_ok_and(|(permit, _)| record(permit))
    });
}

std::thread_local! {
    static CALLS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// What the measuring itself costs: the count and the thread-local that it is in.
#[divan::bench(threads = THREADS, sample_size = 50_000, sample_count = 40)]
fn nothing(bencher: Bencher<'_, '_>) {
    bencher.counter(1_u32).bench(|| {
        let count = CALLS.get() + 1;
        CALLS.set(count);
        black_box(Timestamp::from_nanos(count * 1_000))
    });
}

#[divan::bench(threads = THREADS, sample_size = 50_000, sample_count = 40)]
fn consecutive(bencher: Bencher<'_, '_>) {
    calls(bencher, &Breaker::new(BreakerPolicy::default()), u64::MAX);
}

#[divan::bench(threads = THREADS, sample_size = 50_000, sample_count = 40)]
fn last_100_calls(bencher: Bencher<'_, '_>) {
    calls(bencher, &with_rates(SlidingWindow::CountBased { calls: 100 }), u64::MAX);
}

#[divan::bench(threads = THREADS, sample_size = 50_000, sample_count = 40)]
fn last_100_calls_of_which_an_eighth_fails(bencher: Bencher<'_, '_>) {
    calls(bencher, &with_rates(SlidingWindow::CountBased { calls: 100 }), 7);
}

#[divan::bench(threads = THREADS, sample_size = 50_000, sample_count = 40)]
fn last_minute(bencher: Bencher<'_, '_>) {
    calls(bencher, &with_rates(SlidingWindow::TimeBased { duration: Duration::from_secs(60) }), u64::MAX);
}

#[divan::bench(threads = THREADS, sample_size = 50_000, sample_count = 40)]
fn last_minute_of_which_an_eighth_fails(bencher: Bencher<'_, '_>) {
    calls(bencher, &with_rates(SlidingWindow::TimeBased { duration: Duration::from_secs(60) }), 7);
}

/// Rejections of an open breaker.
#[divan::bench(threads = THREADS, sample_size = 50_000, sample_count = 40)]
fn open(bencher: Bencher<'_, '_>) {
    let breaker = Breaker::new(BreakerPolicy::default());
    for _ in 0..5 {
        if let Ok((permit, _)) = breaker.acquire(Timestamp::default()) {
            breaker.record(permit, Outcome::Failure, Duration::ZERO, Timestamp::default());
        }
    }
    bencher.counter(1_u32).bench(|| breaker.acquire(black_box(Timestamp::default())).is_err());
}

#[divan::bench(threads = THREADS, sample_size = 50_000, sample_count = 40)]
fn failsafe_consecutive(bencher: Bencher<'_, '_>) {
    let backoff = failsafe::backoff::constant(Duration::from_secs(60));
    let policy = failsafe::failure_policy::consecutive_failures(5, backoff);
    let breaker = StateMachine::new(policy, ());
    bencher.counter(1_u32).bench(|| {
        let permitted = breaker.is_call_permitted();
        breaker.on_success();
        permitted
    });
}

#[divan::bench(threads = THREADS, sample_size = 50_000, sample_count = 40)]
fn failsafe_success_rate_over_time(bencher: Bencher<'_, '_>) {
    let backoff = failsafe::backoff::constant(Duration::from_secs(60));
    let minute = Duration::from_secs(60);
    let policy = failsafe::failure_policy::success_rate_over_time_window(0.5, 20, minute, backoff);
    let breaker = StateMachine::new(policy, ());
    bencher.counter(1_u32).bench(|| {
        let permitted = breaker.is_call_permitted();
        breaker.on_success();
        permitted
    });
}

/// A request through a layer to a service that answers at once.
fn requests<S>(bencher: Bencher<'_, '_>, service: &S)
where
    S: Service<u32, Response = u32> + Clone + Sync,
{
    bencher.counter(1_u32).with_inputs(|| service.clone()).bench_local_refs(|service| {
        let mut context = Context::from_waker(Waker::noop());
        let ready = service.poll_ready(&mut context).is_ready();
        let answer = pin!(service.call(black_box(1)));
        ready && matches!(answer.poll(&mut context), Poll::Ready(Ok(_)))
    });
}

async fn answer(request: u32) -> Result<u32, Infallible> {
    Ok(request)
}

#[divan::bench(sample_size = 10_000, sample_count = 40)]
fn layer_nothing(bencher: Bencher<'_, '_>) {
    requests(bencher, &tower::service_fn(answer));
}

#[divan::bench(sample_size = 10_000, sample_count = 40)]
fn layer_last_100_calls(bencher: Bencher<'_, '_>) {
    let breaker = with_rates(SlidingWindow::CountBased { calls: 100 });
    requests(bencher, &BreakerLayer::new(Arc::new(breaker)).layer(tower::service_fn(answer)));
}

#[divan::bench(sample_size = 10_000, sample_count = 40)]
fn layer_last_minute(bencher: Bencher<'_, '_>) {
    let breaker = with_rates(SlidingWindow::TimeBased { duration: Duration::from_secs(60) });
    requests(bencher, &BreakerLayer::new(Arc::new(breaker)).layer(tower::service_fn(answer)));
}

#[divan::bench(sample_size = 10_000, sample_count = 40)]
fn tower_resilience_last_100_calls(bencher: Bencher<'_, '_>) {
    let builder = CircuitBreakerLayer::builder().sliding_window_type(SlidingWindowType::CountBased);
    let layer =
        builder.sliding_window_size(100).failure_rate_threshold(0.5).minimum_number_of_calls(20).build();
    if let Ok(layer) = layer {
        requests(bencher, &layer.layer(tower::service_fn(answer)));
    }
}
