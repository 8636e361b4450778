//! What a place costs, beside tokio's semaphore.

use std::sync::Arc;

use divan::Bencher;
use rad_resilience::{Bulkhead, BulkheadSettings};
use tokio::sync::Semaphore;

fn main() {
    divan::main();
}

#[divan::bench(threads = [1, 2], sample_size = 2_000)]
fn acquire_and_release(bencher: Bencher<'_, '_>) {
    let Ok(bulkhead) = Bulkhead::new(BulkheadSettings::default()) else { return };
    bencher.bench(|| bulkhead.try_acquire().is_some());
}

#[divan::bench(threads = [1, 2], sample_size = 2_000)]
fn acquire_and_release_of_tokios_semaphore(bencher: Bencher<'_, '_>) {
    let semaphore = Arc::new(Semaphore::new(100));
    bencher.bench(|| Arc::clone(&semaphore).try_acquire_owned().is_ok());
}
