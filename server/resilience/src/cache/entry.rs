//! A value that is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::policy::{CachePolicy, Freshness};
use super::scope::Scope;
use super::{CacheKey, REFRESH_PAUSE};
use crate::Timestamp;

#[derive(Debug)]
pub(super) struct Entry<V> {
    pub(super) value: V,
    pub(super) stored: Timestamp,
    pub(super) freshness: Freshness,
    pub(super) organisation: Arc<Scope>,
    pub(super) tags: Arc<[Arc<Scope>]>,
    pub(super) epoch: u64,
    pub(super) bytes: u32,
    asked: AtomicU32,
    /// When the next refresh may begin; [`BUSY`] while one is under way.
    refresh_at: AtomicU64,
}

const BUSY: u64 = u64::MAX;

impl<V> Entry<V> {
    pub(super) fn new(
        value: V,
        policy: &CachePolicy,
        organisation: Arc<Scope>,
        epoch: u64,
        now: Timestamp,
    ) -> Self {
        Self {
            value,
            stored: now,
            freshness: policy.freshness,
            organisation,
            tags: Arc::clone(&policy.tags),
            epoch,
            bytes: 0,
            asked: AtomicU32::new(0),
            refresh_at: AtomicU64::new(0),
        }
    }

    pub(super) fn policy(&self) -> CachePolicy {
        CachePolicy::new(self.freshness, Arc::clone(&self.tags))
    }

    pub(super) fn count_asked(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Takes over half of what the predecessor was asked for, so that popularity outlives a value and fades.
    pub(super) fn inherit(&self, predecessor: &Self) {
        self.asked.fetch_max(predecessor.asked() / 2, Ordering::Relaxed);
    }

    /// The right to refresh this entry, for one at a time.
    pub(super) fn claim(self: &Arc<Self>, now: Timestamp) -> Option<Claim<V>> {
        let at = self.refresh_at.load(Ordering::Acquire);
        let wait = Timestamp::from_nanos(at).since(now);
        // A longer wait than the pause comes from a clock that went backwards.
        if at == BUSY || (!wait.is_zero() && wait <= REFRESH_PAUSE) {
            return None;
        }
        self.refresh_at.compare_exchange(at, BUSY, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        Some(Claim { entry: Arc::clone(self), next: 0 })
    }
}

/// The right to refresh an entry; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Claim<V> {
    entry: Arc<Entry<V>>,
    next: u64,
}

impl<V> Claim<V> {
    /// The entry has been replaced: nobody needs to refresh it.
    pub(super) fn done(mut self) {
        self.next = BUSY;
    }

    /// The refresh failed: the next one may begin after a pause.
    pub(super) fn failed(mut self, now: Timestamp) {
        self.next = now.after(REFRESH_PAUSE).as_nanos().min(BUSY - 1);
    }
}

impl<V> Drop for Claim<V> {
    fn drop(&mut self) {
        self.entry.refresh_at.store(self.next, Ordering::Release);
    }
}

/// moka forgets an entry when it is of no use any more, by its own clock.
#[derive(Debug)]
pub(super) struct Backstop;

impl<V> moka::Expiry<CacheKey, Arc<Entry<V>>> for Backstop {
    fn expire_after_create(&self, _: &CacheKey, entry: &Arc<Entry<V>>, _: Instant) -> Option<Duration> {
        Some(entry.freshness.dead_at())
    }

    fn expire_after_update(
        &self,
        _: &CacheKey,
        entry: &Arc<Entry<V>>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.freshness.dead_at())
    }
}
