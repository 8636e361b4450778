//! What a decision costs.

use divan::Bencher;
use rad_resilience::{Breaker, BreakerSettings, Outcome, Timestamp};

fn main() {
    divan::main();
}

#[divan::bench]
fn breaker_acquire_and_record(bencher: Bencher<'_, '_>) {
    let breaker = Breaker::new(BreakerSettings::default());
    let mut now = 0;
    bencher.bench_local(|| {
        now += 1;
        let now = Timestamp::from_nanos(now);
        let permit = breaker.acquire(now).map(|(permit, _)| permit);
        permit.map(|permit| breaker.record(permit, Outcome::Success, now))
    });
}
