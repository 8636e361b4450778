//! Counters, one shard a worker.
//!
//! A shard is written by its worker alone, so that counting is a load and a store without a bus lock, and
//! no cache line travels between cores. Readers sum the shards.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use compact_str::CompactString;
use rad_model::{LimitUse, Quota};

use super::histogram::{Counts, Histogram};

/// A number that only grows, written by one thread.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one. Only the shard's own worker may call this.
    pub fn add(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All counters of the gateway.
#[derive(Debug)]
pub struct Registry {
    shards: Box<[Arc<Shard>]>,
}

impl Registry {
    #[must_use]
    pub fn new(workers: usize, routes: usize, targets: usize, rollouts: usize) -> Self {
        Self { shards: (0..workers).map(|_| Arc::new(Shard::new(routes, targets, rollouts))).collect() }
    }

    /// The shard of a worker.
    ///
    /// # Panics
    /// If there is no such worker.
    #[must_use]
    pub fn shard(&self, worker: usize) -> Arc<Shard> {
        Arc::clone(&self.shards[worker])
    }

    #[must_use]
    pub fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }
}

/// The counters of one worker. Aligned so that two workers never share a cache line.
#[derive(Debug)]
#[repr(align(128))]
pub struct Shard {
    pub routes: Box<[RouteCounters]>,
    pub targets: Box<[TargetCounters]>,
    /// Legacy and candidate of each rollout.
    pub rollouts: Box<[[SideCounters; 2]]>,
    pub unmatched: Counter,
    /// Requests under way.
    pub in_flight: AtomicI64,
    /// Log lines that were thrown away because their reader was too slow.
    pub log_lines_lost: Counter,
}

impl Shard {
    fn new(routes: usize, targets: usize, rollouts: usize) -> Self {
        Self {
            routes: (0..routes).map(|_| RouteCounters::default()).collect(),
            targets: (0..targets).map(|_| TargetCounters::default()).collect(),
            rollouts: (0..rollouts).map(|_| Default::default()).collect(),
            unmatched: Counter::default(),
            in_flight: AtomicI64::new(0),
            log_lines_lost: Counter::default(),
        }
    }
}

/// Requests by route and by how they ended.
#[derive(Debug, Default)]
pub struct RouteCounters {
    pub answered: Counter,
    pub limited: Counter,
    pub short_circuited: Counter,
    pub failed: Counter,
    /// The client went away first.
    pub abandoned: Counter,
    /// Turned away by the queue.
    pub shed: Counter,
    /// Let in, though a limit in shadow mode would have rejected them.
    pub shadow_rejected: Counter,
    /// Let in after they had waited for their turn at a limit.
    pub limit_waited: Counter,
    /// Attempts after the first.
    pub retries: Counter,
    /// Attempts made because the one before was slow, and those of them that answered first.
    pub hedges: Counter,
    pub hedge_wins: Counter,
    /// Answered by something else than the upstream that was asked.
    pub fallbacks: Counter,
    /// Lookups that the cache answered, and those that went to the upstream.
    pub cached: Counter,
    pub loaded: Counter,
    /// Of the answered and the failed.
    pub durations: Histogram,
    pub fullest: Fullest,
}

/// Requests that reached a target.
#[derive(Debug, Default)]
pub struct TargetCounters {
    pub requests: Counter,
    pub failed: Counter,
    pub rejected: Counter,
}

/// Requests that reached one side of a rollout.
#[derive(Debug, Default)]
pub struct SideCounters {
    pub requests: Counter,
    pub failed: Counter,
    pub durations: Histogram,
}

/// Who a limit counts by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A client; IPv6 by /64, because that is what one subscriber gets.
    Address(IpAddr),
    /// A header's or a cookie's value, or what stands for it; or several keys with [`Key::BETWEEN`] between
    /// them, of which one that is missing is empty. Up to 24 bytes are kept in place.
    Text(CompactString),
    /// Everybody together, or a request without the header that the limit counts by.
    Global,
}

impl Key {
    /// What no header can hold.
    pub const BETWEEN: char = '\n';
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "{address}/64"),
            Self::Address(address) => address.fmt(f),
            Self::Text(text) => {
                for (at, part) in text.split(Self::BETWEEN).enumerate() {
                    f.write_str(if at > 0 { " + " } else { "" })?;
                    f.write_str(if part.is_empty() { "(none)" } else { part })?;
                }
                Ok(())
            }
            Self::Global => f.write_str("everybody"),
        }
    }
}

/// The fullest limit since the sampler last looked, and whose it is.
#[derive(Debug, Default)]
pub struct Fullest {
    share: AtomicU32,
    whose: Mutex<Option<(Key, LimitStanding)>>,
}

/// How much of a limit is used, and what it allows at once.
#[derive(Clone, Copy, Debug)]
pub struct LimitStanding {
    pub limit: Quota,
    pub used: u32,
    pub capacity: u32,
}

impl Fullest {
    /// Notes how much of a limit a key has used. Takes the lock only when it is fuller than all before.
    pub fn note(&self, key: &Key, standing: LimitStanding) {
        // A share of at most 1 in ten-thousandths.
        let share = u64::from(standing.used) * 10_000 / u64::from(standing.capacity.max(1));
        let share = u32::try_from(share).unwrap_or(u32::MAX).max(1);
        if share > self.share.load(Ordering::Relaxed) {
            self.share.store(share, Ordering::Relaxed);
            let mut whose = self.whose.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *whose {
                Some((known, noted)) if known == key => *noted = standing,
                other => *other = Some((key.clone(), standing)),
            }
        }
    }

    /// Takes the note away and starts anew.
    pub fn take(&self) -> Option<LimitUse> {
        if self.share.swap(0, Ordering::Relaxed) == 0 {
            return None;
        }
        let (key, LimitStanding { limit, used, capacity }) =
            self.whose.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(LimitUse { key: key.to_string(), limit, used, capacity })
    }
}

/// The sums of all shards at a moment.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub routes: Vec<RouteTotals>,
    pub targets: Vec<TargetTotals>,
    pub rollouts: Vec<[SideTotals; 2]>,
    pub unmatched: u64,
    pub in_flight: i64,
    pub log_lines_lost: u64,
}

#[derive(Clone, Debug, Default)]
pub struct RouteTotals {
    pub answered: u64,
    pub limited: u64,
    pub short_circuited: u64,
    pub failed: u64,
    pub abandoned: u64,
    pub shed: u64,
    pub shadow_rejected: u64,
    pub limit_waited: u64,
    pub retries: u64,
    pub hedges: u64,
    pub hedge_wins: u64,
    pub fallbacks: u64,
    pub cached: u64,
    pub loaded: u64,
    pub durations: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct TargetTotals {
    pub requests: u64,
    pub failed: u64,
    pub rejected: u64,
}

#[derive(Clone, Debug, Default)]
pub struct SideTotals {
    pub requests: u64,
    pub failed: u64,
    pub durations: Counts,
}

impl Registry {
    /// Sums the shards.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for shard in &self.shards {
            totals.routes.resize_with(shard.routes.len(), RouteTotals::default);
            for (sum, route) in totals.routes.iter_mut().zip(&shard.routes) {
                sum.answered += route.answered.get();
                sum.limited += route.limited.get();
                sum.short_circuited += route.short_circuited.get();
                sum.failed += route.failed.get();
                sum.abandoned += route.abandoned.get();
                sum.shed += route.shed.get();
                sum.shadow_rejected += route.shadow_rejected.get();
                sum.limit_waited += route.limit_waited.get();
                sum.retries += route.retries.get();
                sum.hedges += route.hedges.get();
                sum.hedge_wins += route.hedge_wins.get();
                sum.fallbacks += route.fallbacks.get();
                sum.cached += route.cached.get();
                sum.loaded += route.loaded.get();
                route.durations.add_to(&mut sum.durations);
            }
            totals.targets.resize_with(shard.targets.len(), TargetTotals::default);
            for (sum, target) in totals.targets.iter_mut().zip(&shard.targets) {
                sum.requests += target.requests.get();
                sum.failed += target.failed.get();
                sum.rejected += target.rejected.get();
            }
            totals.rollouts.resize_with(shard.rollouts.len(), Default::default);
            for (sum, sides) in totals.rollouts.iter_mut().zip(&shard.rollouts) {
                for (sum, side) in sum.iter_mut().zip(sides) {
                    sum.requests += side.requests.get();
                    sum.failed += side.failed.get();
                    side.durations.add_to(&mut sum.durations);
                }
            }
            totals.unmatched += shard.unmatched.get();
            totals.in_flight += shard.in_flight.load(Ordering::Relaxed);
            totals.log_lines_lost += shard.log_lines_lost.get();
        }
        totals
    }
}
