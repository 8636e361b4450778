//! Once a second: sums the counters, compares with a second ago, and publishes the difference.

use std::sync::Arc;
use std::time::Duration;

use rad_model::{BreakerTick, LimitUse, RolloutTick, RouteTick, SideTick, Tick, format};
use rad_resilience::{Clock, SystemClock};

use super::gauge::Gauge;
use super::histogram::Counts;
use super::journal::{INTERVAL_MS, Journal};
use super::registry::{Registry, RouteTotals, SideTotals, Totals};
use super::unix_ms;
use crate::gateway::Plan;
use crate::rollout::{Figures, Standing, Switches};

/// Turns counters into ticks.
#[derive(Debug)]
pub struct Sampler {
    plan: Arc<Plan>,
    registry: Arc<Registry>,
    journal: Arc<Journal>,
    clock: SystemClock,
    switches: Switches,
    before: Totals,
    /// One a route.
    gauges: Vec<Gauge>,
}

impl Sampler {
    #[must_use]
    pub fn new(
        plan: Arc<Plan>,
        registry: Arc<Registry>,
        journal: Arc<Journal>,
        switches: Switches,
        clock: SystemClock,
    ) -> Self {
        let before = registry.totals();
        let gauges = plan.routes.iter().map(|_| Gauge::default()).collect();
        Self { plan, registry, journal, clock, switches, before, gauges }
    }

    /// Samples once an interval, forever.
    pub async fn run(mut self) {
        let mut interval = tokio::time::interval(Duration::from_millis(u64::from(INTERVAL_MS)));
        // After a stall the next tick is late, not two at once.
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        interval.tick().await;
        loop {
            interval.tick().await;
            self.sample();
        }
    }

    /// Publishes what happened since the last call.
    pub fn sample(&mut self) {
        let now = self.clock.now();
        for (position, target) in self.plan.targets.iter().enumerate() {
            if let Some(transition) = target.breaker.expire(now) {
                self.plan.announce(position, &transition, &self.journal);
            }
        }
        let totals = self.registry.totals();
        let tick = self.tick(&totals);
        self.before = totals;
        self.journal.tick(tick);
        for route in &self.plan.routes {
            if let Some(limiter) = &route.limiter {
                limiter.sweep(now);
            }
        }
        self.plan.blocks.list.sweep(now);
    }

    fn tick(&mut self, totals: &Totals) -> Tick {
        let mut durations = Counts::default();
        let mut sums =
            rad_model::Totals { in_flight: clamp_i64(totals.in_flight), ..rad_model::Totals::default() };
        let mut routes = Vec::new();
        let moment = self.clock.now();
        for (at, (now, then)) in totals.routes.iter().zip(&self.before.routes).enumerate() {
            let fullest = self.registry.shards().iter().filter_map(|shard| shard.routes[at].fullest.take());
            let fullest = fullest.max_by(|a, b| a.share().total_cmp(&b.share()));
            let fullest = self.gauges[at].update(fullest, moment);
            let (tick, spent) = route_tick(at, now, then, fullest);
            sums.answered += clamp(now.answered - then.answered);
            sums.limited += tick.limited;
            sums.shed += clamp(now.shed - then.shed);
            sums.cached += clamp(now.cached - then.cached);
            sums.loaded += clamp(now.loaded - then.loaded);
            sums.short_circuited += clamp(now.short_circuited - then.short_circuited);
            sums.failed += clamp(now.failed - then.failed);
            sums.abandoned += clamp(now.abandoned - then.abandoned);
            if let Some(spent) = &spent {
                durations.add(spent);
            }
            if tick.requests > 0 || tick.fullest.is_some() {
                routes.push(tick);
            }
        }
        sums.unmatched = clamp(totals.unmatched - self.before.unmatched);
        sums.p50_us = durations.quantile_us(0.5);
        sums.p90_us = durations.quantile_us(0.9);
        sums.p99_us = durations.quantile_us(0.99);
        sums.dashboards = self.journal.listeners();
        for queue in self.plan.routes.iter().filter_map(|route| route.queue.as_ref()) {
            let figures = queue.bulkhead.figures();
            sums.running = sums.running.saturating_add(figures.in_flight);
            sums.waiting = sums.waiting.saturating_add(clamp(figures.waiting.iter().sum::<usize>() as u64));
        }
        Tick {
            seq: 0,
            at_ms: unix_ms(),
            totals: sums,
            routes,
            breakers: self.breakers(totals),
            rollouts: self.rollouts(totals),
        }
    }

    fn breakers(&self, totals: &Totals) -> Vec<BreakerTick> {
        let now = self.clock.now();
        let counts = totals.targets.iter().zip(&self.before.targets).enumerate();
        counts
            .map(|(at, (after, before))| BreakerTick {
                requests: clamp(after.requests - before.requests),
                failed: clamp(after.failed - before.failed),
                rejected: clamp(after.rejected - before.rejected),
                ..self.plan.breaker_tick(at, now)
            })
            .collect()
    }

    fn rollouts(&self, totals: &Totals) -> Vec<RolloutTick> {
        let sides = totals.rollouts.iter().zip(&self.before.rollouts);
        let rollouts = self.plan.rollouts.iter().zip(sides);
        rollouts
            .map(|(rollout, (after, before))| {
                let standing = Standing::of(rollout, &self.switches, unix_ms());
                RolloutTick {
                    candidate_share: standing.place.share,
                    phase: standing.phase(),
                    legacy: side_tick(&after[0], &before[0], standing.legacy),
                    candidate: side_tick(&after[1], &before[1], standing.candidate),
                    says: standing.says,
                }
            })
            .collect()
    }
}

fn route_tick(
    at: usize,
    now: &RouteTotals,
    then: &RouteTotals,
    fullest: Option<LimitUse>,
) -> (RouteTick, Option<Counts>) {
    let requests = |totals: &RouteTotals| {
        let refused = totals.limited + totals.shed + totals.short_circuited;
        totals.answered + refused + totals.failed + totals.abandoned
    };
    let requests = clamp(requests(now) - requests(then));
    let spent = (requests > 0).then(|| now.durations.since(&then.durations));
    let tick = RouteTick {
        route: u32::try_from(at).unwrap_or(u32::MAX),
        requests,
        limited: clamp(now.limited - then.limited),
        failed: clamp(now.failed - then.failed) + clamp(now.short_circuited - then.short_circuited),
        p99_us: spent.as_ref().map_or(0, |spent| spent.quantile_us(0.99)),
        fullest,
    };
    (tick, spent)
}

fn side_tick(now: &SideTotals, then: &SideTotals, seen: Figures) -> SideTick {
    // From percent, of which there are at most a hundred.
    let millionths = |percent: f64| clamp(format::whole(percent * 10_000.0));
    SideTick {
        requests: clamp(now.requests - then.requests),
        failed: clamp(now.failed - then.failed),
        p99_us: now.durations.since(&then.durations).quantile_us(0.99),
        total_requests: seen.requests,
        total_failed: seen.failed,
        success_from: millionths(seen.low),
        success_to: millionths(seen.high),
    }
}

fn clamp(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn clamp_i64(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}
