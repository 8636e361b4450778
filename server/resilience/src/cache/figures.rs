//! What a cache counts.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use moka::notification::RemovalCause;

use super::CacheKey;

/// A cache at a moment, and what it did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheFigures {
    /// Answers that were fresh.
    pub hits: u64,
    /// Old answers that were served while they were loaded anew.
    pub stale_hits: u64,
    /// Old answers that were served because their load failed.
    pub stale_on_error: u64,
    /// Lookups that found nothing to serve.
    pub misses: u64,
    /// Misses that were answered by somebody else's load.
    pub coalesced: u64,
    /// Misses that had to ask for themselves, because the answer to the same was for its asker alone.
    pub passed: u64,
    /// Loads that were begun.
    pub loads: u64,
    pub load_failures: u64,
    /// Values that left for want of room.
    pub evictions: u64,
    /// Values that were not kept because they are too large.
    pub too_large: u64,
    /// Invalidations, whatever they concerned.
    pub invalidations: u64,
    pub entries: u64,
    /// Bytes of all values with what it takes to keep them.
    pub bytes: u64,
}

impl CacheFigures {
    /// Lookups.
    #[must_use]
    pub fn lookups(&self) -> u64 {
        self.hits.saturating_add(self.stale_hits).saturating_add(self.misses)
    }

    /// The part of lookups that were served at once, 0 to 1; 0 if there were none.
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        ratio(self.hits.saturating_add(self.stale_hits), self.lookups())
    }

    /// The part of lookups that cost no load of their own, 0 to 1; 0 if there were none.
    #[must_use]
    pub fn saved(&self) -> f64 {
        ratio(self.lookups().saturating_sub(self.loads).saturating_sub(self.passed), self.lookups())
    }
}

#[allow(clippy::cast_precision_loss)] // A share for people.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A key that is asked for often.
#[derive(Clone, Debug)]
pub struct Popular<V> {
    pub key: CacheKey,
    pub value: V,
    /// How often it was asked for since its value came, and half of what its predecessor was.
    pub asked: u32,
    /// How long it will be fresh; zero if it is not.
    pub fresh_for: Duration,
}

/// What every lookup counts, once for several threads: one counter for all would be what they wait for.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Stripe {
    hits: AtomicU64,
    stale_hits: AtomicU64,
    misses: AtomicU64,
}

const STRIPES: usize = 16;

static NEXT_STRIPE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static STRIPE: usize = NEXT_STRIPE.fetch_add(1, Ordering::Relaxed) % STRIPES;
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    stripes: [Stripe; STRIPES],
    stale_on_error: AtomicU64,
    coalesced: AtomicU64,
    passed: AtomicU64,
    loads: AtomicU64,
    load_failures: AtomicU64,
    evictions: AtomicU64,
    too_large: AtomicU64,
    invalidations: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    fn stripe(&self) -> &Stripe {
        // A thread at its end has no number any more.
        &self.stripes[STRIPE.try_with(|at| *at).unwrap_or(0)]
    }

    pub(super) fn hit(&self) {
        count(&self.stripe().hits);
    }
    pub(super) fn stale(&self) {
        count(&self.stripe().stale_hits);
    }
    pub(super) fn stale_on_error(&self) {
        count(&self.stale_on_error);
    }
    pub(super) fn miss(&self) {
        count(&self.stripe().misses);
    }
    pub(super) fn coalesced(&self) {
        count(&self.coalesced);
    }
    pub(super) fn passed(&self) {
        count(&self.passed);
    }
    pub(super) fn load(&self) {
        count(&self.loads);
    }
    /// A load turned out to be needless before it began.
    pub(super) fn load_spared(&self) {
        self.loads.fetch_sub(1, Ordering::Relaxed);
        self.coalesced();
    }
    pub(super) fn load_failed(&self) {
        count(&self.load_failures);
    }
    pub(super) fn too_large(&self) {
        count(&self.too_large);
    }
    pub(super) fn invalidated(&self) {
        count(&self.invalidations);
    }
    pub(super) fn removed(&self, cause: RemovalCause) {
        if cause == RemovalCause::Size {
            count(&self.evictions);
        }
    }

    pub(super) fn figures(&self, entries: u64, bytes: u64) -> CacheFigures {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sum = |counter: fn(&Stripe) -> &AtomicU64| {
            self.stripes.iter().map(|stripe| load(counter(stripe))).fold(0, u64::saturating_add)
        };
        CacheFigures {
            hits: sum(|stripe| &stripe.hits),
            stale_hits: sum(|stripe| &stripe.stale_hits),
            stale_on_error: load(&self.stale_on_error),
            misses: sum(|stripe| &stripe.misses),
            coalesced: load(&self.coalesced),
            passed: load(&self.passed),
            loads: load(&self.loads),
            load_failures: load(&self.load_failures),
            evictions: load(&self.evictions),
            too_large: load(&self.too_large),
            invalidations: load(&self.invalidations),
            entries,
            bytes,
        }
    }
}
