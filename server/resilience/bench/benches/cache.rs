//! What a cache hit costs, beside moka alone.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use divan::Bencher;
use rad_resilience::cache::Load;
use rad_resilience::{Cache, CacheKey, CacheSettings, Tier, Timestamp};

fn main() {
    divan::main();
}

const KEYS: u32 = 1_000;
const THREADS: [usize; 2] = [1, 2];

type Body = Arc<[u8]>;

fn keys() -> Vec<CacheKey> {
    (0..KEYS).map(|number| CacheKey::new("acme", &[b"GET", &number.to_le_bytes()])).collect()
}

fn body() -> Body {
    Arc::from([0_u8; 1_000])
}

/// An odd multiplier visits the keys in no order that a cache could guess.
fn pick(keys: &[CacheKey], sent: &mut u32) -> CacheKey {
    *sent = sent.wrapping_add(0x9e37_79b1);
    keys[*sent as usize % keys.len()]
}

static THREAD: AtomicU32 = AtomicU32::new(0);

std::thread_local! {
    // Each thread starts somewhere else.
    static SENT: std::cell::Cell<u32> = std::cell::Cell::new(THREAD.fetch_add(0x1234_5677, Ordering::Relaxed));
}

fn next(keys: &[CacheKey]) -> CacheKey {
    SENT.with(|sent| {
        let mut at = sent.get();
        let key = pick(keys, &mut at);
        sent.set(at);
        key
    })
}

#[divan::bench(threads = THREADS, sample_size = 2_000)]
fn hit(bencher: Bencher<'_, '_>) {
    let cache: Cache<Body, Infallible> = match Cache::new(CacheSettings::default(), |body: &Body| body.len())
    {
        Ok(cache) => cache,
        Err(_) => return,
    };
    let (keys, policy) = (keys(), cache.tier(Tier::SearchResults));
    for key in &keys {
        cache.insert(key, &policy, body(), Timestamp::default());
    }
    let _ = cache.figures();
    bencher.bench(|| cache.lookup(black_box(&next(&keys)), Timestamp::default()));
}

/// The same, with a time to live for each entry.
#[divan::bench(threads = THREADS, sample_size = 2_000)]
fn hit_in_moka_with_expiry(bencher: Bencher<'_, '_>) {
    struct Each;
    impl moka::Expiry<CacheKey, Body> for Each {
        fn expire_after_create(&self, _: &CacheKey, _: &Body, _: std::time::Instant) -> Option<Duration> {
            Some(Duration::from_secs(120))
        }
    }
    let cache: moka::sync::Cache<CacheKey, Body, _> = moka::sync::Cache::builder()
        .max_capacity(64 << 20)
        .weigher(|_, body: &Body| u32::try_from(body.len()).unwrap_or(u32::MAX))
        .expire_after(Each)
        .build_with_hasher(foldhash::fast::RandomState::default());
    let keys = keys();
    for key in &keys {
        cache.insert(*key, body());
    }
    cache.run_pending_tasks();
    bencher.bench(|| cache.get(black_box(&next(&keys))));
}

/// The same keys, hasher, bound and time to live.
#[divan::bench(threads = THREADS, sample_size = 2_000)]
fn hit_in_moka_alone(bencher: Bencher<'_, '_>) {
    let cache: moka::sync::Cache<CacheKey, Body, _> = moka::sync::Cache::builder()
        .max_capacity(64 << 20)
        .weigher(|_, body: &Body| u32::try_from(body.len()).unwrap_or(u32::MAX))
        .time_to_live(Duration::from_secs(120))
        .build_with_hasher(foldhash::fast::RandomState::default());
    let keys = keys();
    for key in &keys {
        cache.insert(*key, body());
    }
    cache.run_pending_tasks();
    bencher.bench(|| cache.get(black_box(&next(&keys))));
}

#[divan::bench(args = [64, 1_000, 10_000])]
fn key_of_a_body(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = vec![7_u8; bytes];
    bencher.bench(|| CacheKey::new("acme", &[b"POST", b"/_search", b"", black_box(&body)]));
}

/// A miss that leads, and keeps what it got.
#[divan::bench(sample_size = 500)]
fn miss_and_insert(bencher: Bencher<'_, '_>) {
    let cache: Cache<Body, Infallible> = match Cache::new(CacheSettings::default(), |body: &Body| body.len())
    {
        Ok(cache) => cache,
        Err(_) => return,
    };
    let (keys, policy, body) = (keys(), cache.tier(Tier::SearchResults), body());
    bencher.bench_local(|| {
        let key = next(&keys);
        cache.invalidate_key(&key);
        if let Load::Lead(leader) = cache.begin_load(&key, &policy, Timestamp::default()) {
            leader.insert(Arc::clone(&body), Timestamp::default());
        }
    });
}

#[divan::bench(sample_size = 500)]
fn insert_in_moka_alone(bencher: Bencher<'_, '_>) {
    let cache: moka::sync::Cache<CacheKey, Body, _> = moka::sync::Cache::builder()
        .max_capacity(64 << 20)
        .weigher(|_, body: &Body| u32::try_from(body.len()).unwrap_or(u32::MAX))
        .time_to_live(Duration::from_secs(120))
        .build_with_hasher(foldhash::fast::RandomState::default());
    let (keys, body) = (keys(), body());
    bencher.bench_local(|| {
        let key = next(&keys);
        cache.invalidate(&key);
        cache.insert(key, Arc::clone(&body));
    });
}
