//! Counters, one shard a worker.
//!
//! A shard is written by its worker alone, so that counting is a load and a store without a bus lock, and
//! no cache line travels between cores. Readers sum the shards.

mod clients;
mod keys;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rad_resilience::Timestamp;

use super::browsers::Browsers;
use super::histogram::{Counts, Histogram};
use crate::rollout::verdict::sample_ratio::SampleRatio;
use crate::rollout::{Evidence, Tally};
pub use clients::ClientSamples;
pub use keys::{Fullest, Key, LimitStanding, RejectedKeys};

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
    browsers: Browsers,
}

impl Registry {
    #[must_use]
    pub fn new(workers: usize, routes: usize, targets: usize, rollouts: usize) -> Self {
        let shards = (0..workers).map(|_| Arc::new(Shard::new(routes, targets, rollouts))).collect();
        Self { shards, browsers: Browsers::new(rollouts) }
    }

    /// The shard of a worker.
    ///
    /// # Panics
    /// If there is no such worker.
    #[must_use]
    pub fn shard(&self, worker: usize) -> Arc<Shard> {
        Arc::clone(&self.shards[worker])
    }

    /// What browsers of pages outside tell: not of the gateway's own counting.
    #[must_use]
    pub fn browsers(&self) -> &Browsers {
        &self.browsers
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
    /// Who asks each rollout.
    pub clients: Box<[ClientSamples]>,
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
            clients: (0..rollouts).map(|_| ClientSamples::default()).collect(),
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
    /// Turned away by a limit, or because their client is blocked.
    pub limited: Counter,
    /// Of these, those whose client is blocked.
    pub blocked: Counter,
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
    pub rejected_keys: RejectedKeys,
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
    /// Of these, those whose side was not drawn, but chosen: they are not judged.
    pub chosen: Counter,
    pub chosen_failed: Counter,
    /// From the first question to the side until the head of the answer, of those whose side was drawn.
    pub heads: Histogram,
}

impl SideCounters {
    /// Counts a request, and whether it failed.
    pub fn count(&self, failed: bool, is_drawn: bool) {
        self.requests.add();
        if failed {
            self.failed.add();
        }
        if !is_drawn {
            self.chosen.add();
            if failed {
                self.chosen_failed.add();
            }
        }
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
    pub blocked: u64,
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
    /// The `most` keys of a route that its limits rejected most often in the last minute.
    #[must_use]
    pub fn most_rejected(&self, route: usize, most: usize, now: Timestamp) -> Vec<(Key, u64)> {
        let mut sums: HashMap<Key, u64> = HashMap::new();
        for counters in self.shards.iter().filter_map(|shard| shard.routes.get(route)) {
            for (key, count) in counters.rejected_keys.all(now) {
                *sums.entry(key).or_default() += count;
            }
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        // Those that come equally often in one order, so that a list does not jump.
        sums.sort_by(|(a, more), (b, less)| less.cmp(more).then_with(|| a.to_string().cmp(&b.to_string())));
        sums.truncate(most);
        sums
    }

    /// What is known of a rollout.
    #[must_use]
    pub fn evidence(&self, rollout: usize) -> impl Evidence {
        Seen { shards: &self.shards, rollout }
    }

    /// Sums the shards.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for shard in &self.shards {
            totals.routes.resize_with(shard.routes.len(), RouteTotals::default);
            for (sum, route) in totals.routes.iter_mut().zip(&shard.routes) {
                sum.answered += route.answered.get();
                sum.limited += route.limited.get();
                sum.blocked += route.blocked.get();
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

/// What was counted of one rollout.
#[derive(Clone, Copy, Debug)]
struct Seen<'a> {
    shards: &'a [Arc<Shard>],
    rollout: usize,
}

impl Seen<'_> {
    fn sides(&self) -> impl Iterator<Item = &[SideCounters; 2]> {
        self.shards.iter().filter_map(|shard| shard.rollouts.get(self.rollout))
    }

    fn clients(&self) -> impl Iterator<Item = &ClientSamples> {
        self.shards.iter().filter_map(|shard| shard.clients.get(self.rollout))
    }
}

impl Evidence for Seen<'_> {
    fn tallies(&self) -> [Tally; 2] {
        let mut sides = [Tally::default(); 2];
        for counters in self.sides() {
            for (sum, side) in sides.iter_mut().zip(counters) {
                // Read first what is written last, so that neither is more than all.
                let (chosen_failed, chosen) = (side.chosen_failed.get(), side.chosen.get());
                let (bad, requests) = (side.failed.get(), side.requests.get());
                sum.requests += requests.saturating_sub(chosen);
                sum.bad += bad.saturating_sub(chosen_failed);
            }
        }
        sides
    }

    fn latencies(&self) -> [Counts; 2] {
        let mut sides = [Counts::default(), Counts::default()];
        for counters in self.sides() {
            for (sum, side) in sides.iter_mut().zip(counters) {
                side.heads.add_to(sum);
            }
        }
        sides
    }

    fn clients(&self, check: &mut SampleRatio) {
        for (bin, answered, left) in Seen::clients(self).flat_map(ClientSamples::least) {
            check.see(bin, answered, left);
        }
    }

    fn forget_clients(&self) {
        Seen::clients(self).for_each(ClientSamples::forget);
    }
}
