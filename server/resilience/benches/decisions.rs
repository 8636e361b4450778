//! What a decision costs.

use std::hint::black_box;

use divan::Bencher;
use rad_resilience::{Limiter, Timestamp};

fn main() {
    divan::main();
}

/// Two windows, keyed: what the gateway asks for every request.
#[divan::bench(args = [1, 1_000, 1_000_000])]
fn limiter_two_windows(bencher: Bencher<'_, '_>, keys: u64) {
    let quotas: Vec<_> =
        ["4000000000/minute", "4000000000/hour"].iter().filter_map(|text| text.parse().ok()).collect();
    let limiter: Limiter<u64> = Limiter::new(&quotas, 2_000_000);
    for key in 0..keys {
        limiter.check(&key, Timestamp::default());
    }
    let mut sent = 0_u64;
    bencher.bench_local(|| {
        sent += 1;
        // An odd multiplier visits the keys in no order that a cache could guess.
        let key = sent.wrapping_mul(0x9e37_79b9_7f4a_7c15) % keys;
        limiter.check(black_box(&key), Timestamp::from_nanos(sent))
    });
}
