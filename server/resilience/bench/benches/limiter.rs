//! What a decision of the limiter costs: two windows, keyed, beside governor alone with one window and its
//! own stores. A decision of ours does what two of governor's would.

#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up is to stop")]
#![allow(clippy::cast_possible_truncation, reason = "the high half of a product")]

use std::hint::black_box;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use divan::Bencher;
use governor::clock::FakeRelativeClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::{DashMapStateStore, HashMapStateStore};
use governor::{Quota, RateLimiter};
use rad_resilience::{BlockPolicy, Blocklist, DirectLimiter, Limiter, Policy, Strategy, Timestamp};

fn main() {
    divan::main();
}

const KEYS: [u64; 3] = [1, 1_000, 1_000_000];
const THREADS: [usize; 2] = [1, 2];

/// A key of so many, in no order that a cache could guess; each thread its own sequence.
fn next_key(keys: u64) -> u64 {
    thread_local! {
        static SENT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }
    static THREAD: AtomicU64 = AtomicU64::new(1);
    let sent = match SENT.get() {
        0 => THREAD.fetch_add(1, Ordering::Relaxed) << 40,
        sent => sent + 1,
    };
    SENT.set(sent);
    ((u128::from(sent.wrapping_mul(0x9e37_79b9_7f4a_7c15)) * u128::from(keys)) >> 64) as u64
}

fn policy(strategy: Strategy) -> Policy {
    let quotas: Vec<_> =
        ["4000000000/minute", "4000000000/hour"].iter().filter_map(|text| text.parse().ok()).collect();
    Policy::new(strategy, &quotas).expect("two windows")
}

fn filled(strategy: Strategy, keys: u64) -> Limiter<u64> {
    let limiter = Limiter::new(policy(strategy), 1_100_000);
    for key in 0..keys {
        limiter.check(&key, Timestamp::from_nanos(1_000_000));
    }
    limiter
}

#[divan::bench(args = KEYS, threads = THREADS, sample_count = 50, sample_size = 20_000)]
fn a_two_windows_token_bucket(bencher: Bencher<'_, '_>, keys: u64) {
    two_windows(bencher, Strategy::TokenBucket, keys);
}

#[divan::bench(args = KEYS, threads = THREADS, sample_count = 50, sample_size = 20_000)]
fn b_two_windows_sliding(bencher: Bencher<'_, '_>, keys: u64) {
    two_windows(bencher, Strategy::SlidingWindow, keys);
}

#[divan::bench(args = KEYS, threads = THREADS, sample_count = 50, sample_size = 20_000)]
fn c_two_windows_fixed(bencher: Bencher<'_, '_>, keys: u64) {
    two_windows(bencher, Strategy::FixedWindow, keys);
}

fn two_windows(bencher: Bencher<'_, '_>, strategy: Strategy, keys: u64) {
    let limiter = filled(strategy, keys);
    let now = Timestamp::from_nanos(1_000_000_000);
    bencher.bench(|| limiter.check(black_box(&next_key(keys)), black_box(now)));
}

/// What the harness itself costs: choosing a key.
#[divan::bench(args = KEYS, threads = THREADS, sample_count = 50, sample_size = 20_000)]
fn z_choose_a_key(bencher: Bencher<'_, '_>, keys: u64) {
    bencher.bench(|| next_key(black_box(keys)));
}

fn quota() -> Quota {
    Quota::per_minute(std::num::NonZeroU32::new(4_000_000_000).expect("not zero"))
}

type Governor<S> = RateLimiter<u64, S, FakeRelativeClock, NoOpMiddleware<governor::nanos::Nanos>>;

#[divan::bench(args = KEYS, threads = THREADS, sample_count = 50, sample_size = 20_000)]
fn d_governor_dashmap_one_window(bencher: Bencher<'_, '_>, keys: u64) {
    let limiter: Governor<DashMapStateStore<u64>> =
        RateLimiter::new(quota(), DashMapStateStore::default(), FakeRelativeClock::default());
    for key in 0..keys {
        limiter.check_key(&key).ok();
    }
    bencher.bench(|| limiter.check_key(black_box(&next_key(keys))).is_ok());
}

#[divan::bench(args = KEYS, threads = THREADS, sample_count = 50, sample_size = 20_000)]
fn e_governor_hashmap_one_window(bencher: Bencher<'_, '_>, keys: u64) {
    let limiter: Governor<HashMapStateStore<u64>> =
        RateLimiter::new(quota(), HashMapStateStore::default(), FakeRelativeClock::default());
    for key in 0..keys {
        limiter.check_key(&key).ok();
    }
    bencher.bench(|| limiter.check_key(black_box(&next_key(keys))).is_ok());
}

#[divan::bench(args = KEYS, threads = THREADS, sample_count = 50, sample_size = 20_000)]
fn f_governor_dashmap_two_windows(bencher: Bencher<'_, '_>, keys: u64) {
    static CLOCK: LazyLock<FakeRelativeClock> = LazyLock::new(FakeRelativeClock::default);
    let limiters = [(), ()].map(|()| -> Governor<DashMapStateStore<u64>> {
        RateLimiter::new(quota(), DashMapStateStore::default(), CLOCK.clone())
    });
    for key in 0..keys {
        limiters.iter().for_each(|limiter| drop(limiter.check_key(&key)));
    }
    bencher.bench(|| {
        let key = next_key(keys);
        limiters.iter().all(|limiter| limiter.check_key(black_box(&key)).is_ok())
    });
}

/// The same without a key.
#[divan::bench(threads = THREADS, sample_count = 50, sample_size = 20_000)]
fn g_direct_two_windows(bencher: Bencher<'_, '_>) {
    let limiter = DirectLimiter::new(policy(Strategy::TokenBucket));
    let now = Timestamp::from_nanos(1_000_000_000);
    bencher.bench(|| limiter.check(black_box(now)));
}

/// A flood: each key is new, the table is full, and one has to leave for it.
#[divan::bench(args = [100_000, 1_000_000], sample_count = 50, sample_size = 20_000)]
fn h_flood_of_new_keys(bencher: Bencher<'_, '_>, max_keys: usize) {
    let limiter: Limiter<u64> = Limiter::new(policy(Strategy::TokenBucket), max_keys);
    let mut key = 0_u64;
    let mut one = || {
        key += 1;
        limiter.check(black_box(&key), Timestamp::from_nanos(key))
    };
    for _ in 0..2 * max_keys {
        one();
    }
    bencher.bench_local(one);
}

/// Whether a key is blocked, with so many blocked.
#[divan::bench(args = [0, 1, 10_000], sample_count = 50, sample_size = 20_000)]
fn i_blocklist_check(bencher: Bencher<'_, '_>, blocked: u64) {
    let list: Blocklist<u64> = Blocklist::new(BlockPolicy::default(), 100_000);
    let now = Timestamp::from_nanos(1);
    for key in 0..blocked {
        list.block(&key, "benchmark", None, now).expect("room");
    }
    bencher.bench(|| list.check(black_box(&next_key(1_000_000)), now));
}

/// The ten keys that use most, out of so many.
#[divan::bench(args = [1_000, 1_000_000], sample_count = 10, sample_size = 1)]
fn j_listing(bencher: Bencher<'_, '_>, keys: u64) {
    let limiter = filled(Strategy::TokenBucket, keys);
    bencher.bench(|| limiter.listing(10, Timestamp::from_nanos(1_000_000)));
}
