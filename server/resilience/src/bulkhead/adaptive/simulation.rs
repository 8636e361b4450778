//! A target of known capacity, under load below and above it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::*;
use crate::bulkhead::{Bulkhead, BulkheadSettings, Priority};

/// So many requests at once, each so long; more wait at the target.
#[derive(Clone, Copy)]
struct Target {
    capacity: u32,
    service: Duration,
    /// The target gives up on a request that waited for so long.
    patience: Duration,
}

impl Target {
    fn per_second(self) -> f64 {
        f64::from(self.capacity) / self.service.as_secs_f64()
    }
}

struct Result {
    limit: u32,
    rejected: u64,
    served: u64,
}

/// Sends `rate` requests a second for `seconds`, in random distances.
fn simulate(bulkhead: &Bulkhead, target: Target, rate: f64, seconds: u64) -> Result {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let local = LocalSet::new();
    let served = Rc::new(Cell::new(0));
    local.block_on(&runtime, async {
        let start = Instant::now();
        let places = Rc::new(Semaphore::new(target.capacity as usize));
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut uniform = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            f64::from(u32::try_from(random >> 32).unwrap()) / f64::from(u32::MAX)
        };
        let mut at = 0.0;
        let mut tasks = Vec::new();
        while at < f64::from(u32::try_from(seconds).unwrap()) {
            at -= uniform().max(1e-9).ln() / rate;
            // Service times differ by half around their mean.
            let service = target.service.mul_f64(0.5 + uniform());
            let (bulkhead, places, served) = (bulkhead.clone(), Rc::clone(&places), Rc::clone(&served));
            sleep_until(start + Duration::from_secs_f64(at)).await;
            tasks.push(tokio::task::spawn_local(async move {
                let Ok(place) = bulkhead.acquire(Priority::Normal).await else { return };
                let sent = Instant::now();
                let taken = tokio::time::timeout(target.patience, places.acquire()).await;
                let dropped = taken.is_err();
                if !dropped {
                    sleep(service).await;
                    served.set(served.get() + 1);
                }
                drop(taken);
                let now = Timestamp::from_nanos(nanos(start.elapsed()));
                bulkhead.observe(Completion { latency: sent.elapsed(), dropped }, now);
                drop(place);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    let figures = bulkhead.figures();
    Result { limit: figures.limit, rejected: figures.rejected.iter().sum(), served: served.get() }
}

fn gradient(limit: u32) -> Bulkhead {
    let settings = BulkheadSettings { limit, ..Default::default() };
    Bulkhead::adaptive(settings, Gradient::default().into()).unwrap()
}

fn aimd(limit: u32) -> Bulkhead {
    let settings = BulkheadSettings { limit, ..Default::default() };
    Bulkhead::adaptive(settings, Aimd::new(LimitBounds::default(), 0.9).unwrap().into()).unwrap()
}

const TARGET: Target =
    Target { capacity: 50, service: Duration::from_millis(100), patience: Duration::from_secs(60) };

#[test]
fn below_capacity_the_gradient_rejects_nothing_even_from_a_low_start() {
    for limit in [20, 100, 1_000] {
        let result = simulate(&gradient(limit), TARGET, 0.8 * TARGET.per_second(), 60);
        assert_eq!(result.rejected, 0, "started at {limit}, now {}", result.limit);
    }
}

#[test]
fn above_capacity_the_gradient_settles_near_it_and_the_target_stays_busy() {
    let bulkhead = gradient(20);
    let result = simulate(&bulkhead, TARGET, 1.5 * TARGET.per_second(), 60);
    // A tolerance of 1.5 is a queue of half the capacity at the target, the root a little more.
    assert!((50..=110).contains(&result.limit), "{}", result.limit);
    assert!(result.rejected > 0);
    let share = result.served as f64 / (60.0 * TARGET.per_second());
    assert!(share > 0.95, "{share}");
}

#[test]
fn a_lasting_overload_does_not_become_the_new_normal() {
    let bulkhead = gradient(20);
    let result = simulate(&bulkhead, TARGET, 2.0 * TARGET.per_second(), 240);
    assert!((50..=110).contains(&result.limit), "{}", result.limit);
}

#[test]
fn a_target_that_gets_slower_for_good_is_learned_anew_within_a_minute() {
    let bulkhead = gradient(20);
    simulate(&bulkhead, TARGET, 400.0, 60);
    let slower = Target { capacity: 200, service: Duration::from_millis(400), ..TARGET };
    simulate(&bulkhead, slower, 400.0, 60);
    let before = bulkhead.figures().rejected.iter().sum::<u64>();
    let result = simulate(&bulkhead, slower, 400.0, 60);
    assert_eq!(result.rejected - before, 0, "limit {}", result.limit);
}

#[test]
fn a_target_that_gets_slower_under_more_load_than_the_limit_holds_is_learned_anew() {
    // From 100 to 300 ms, with the requests of some sixty clients: the limit must not stay where they queue.
    let bulkhead = gradient(20);
    let quick = Target { capacity: 1_000, ..TARGET };
    simulate(&bulkhead, quick, 300.0, 20);
    let slower = Target { capacity: 1_000, service: Duration::from_millis(300), ..TARGET };
    simulate(&bulkhead, slower, 200.0, 30);
    let before = bulkhead.figures().rejected.iter().sum::<u64>();
    let result = simulate(&bulkhead, slower, 200.0, 30);
    assert_eq!(result.rejected - before, 0, "limit {}", result.limit);
    assert!(result.limit >= 60, "{}", result.limit);
}

#[test]
fn below_capacity_aimd_rejects_nothing_even_from_a_low_start() {
    let result = simulate(&aimd(20), TARGET, 0.8 * TARGET.per_second(), 60);
    assert_eq!(result.rejected, 0, "{}", result.limit);
}

#[test]
fn above_capacity_aimd_keeps_the_target_busy_and_drops_few() {
    let target = Target { patience: Duration::from_millis(50), ..TARGET };
    let bulkhead = aimd(20);
    let result = simulate(&bulkhead, target, 1.5 * target.per_second(), 60);
    assert!((40..=110).contains(&result.limit), "{}", result.limit);
    let share = result.served as f64 / (60.0 * target.per_second());
    assert!(share > 0.9, "{share}");
}

#[test]
fn the_edges_of_time_and_number_do_not_panic() {
    for bulkhead in [gradient(1), aimd(1)] {
        for nanos in [0, u64::MAX, 5, 0, u64::MAX, 1] {
            for _ in 0..100 {
                let completion = Completion { latency: Duration::MAX, dropped: nanos == 5 };
                bulkhead.observe(completion, Timestamp::from_nanos(nanos));
                let completion = Completion { latency: Duration::ZERO, dropped: false };
                bulkhead.observe(completion, Timestamp::from_nanos(nanos));
            }
        }
        assert!((1..=1_000).contains(&bulkhead.figures().limit));
    }
}

#[test]
fn impossible_settings_are_refused_with_the_allowed_range() {
    assert!(LimitBounds::new(0, 5).is_err());
    assert!(LimitBounds::new(6, 5).is_err());
    assert!(LimitBounds::new(1, u32::MAX).is_err());
    let bounds = LimitBounds::default();
    assert_eq!(
        Gradient::new(bounds, 0.9, 0.2).unwrap_err().to_string(),
        "tolerance is 0.9; it must be 1 to 10, times the usual latency"
    );
    assert!(Gradient::new(bounds, f64::NAN, 0.2).is_err());
    assert!(Gradient::new(bounds, 1.5, 0.0).is_err());
    assert!(Aimd::new(bounds, 1.0).is_err());
}
