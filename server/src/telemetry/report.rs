//! `GET /api/metrics`: the counters since the start or the last reset.

use std::sync::{Arc, Mutex, PoisonError};

use rad_model::BreakerTick;
use rad_model::metrics::{
    BreakerMetrics, Counts as Summary, Metrics, RolloutMetrics, RouteMetrics, WebSocketMetrics,
};

use rad_resilience::{Clock, SystemClock};

use super::histogram::Counts;
use super::journal::Journal;
use super::registry::{Key, Registry, RouteTotals, Totals};
use super::unix_ms;
use crate::gateway::Plan;

/// Reads the registry for people. A reset moves the baseline here; the counters themselves, which
/// Prometheus reads, only grow.
#[derive(Debug)]
pub struct Report {
    plan: Arc<Plan>,
    registry: Arc<Registry>,
    journal: Arc<Journal>,
    clock: SystemClock,
    baseline: Mutex<(u64, Totals)>,
}

impl Report {
    #[must_use]
    pub fn new(plan: Arc<Plan>, registry: Arc<Registry>, journal: Arc<Journal>, clock: SystemClock) -> Self {
        let baseline = Mutex::new((unix_ms(), registry.totals()));
        Self { plan, registry, journal, clock, baseline }
    }

    /// Starts counting anew; returns since when it had counted and since when it does now, milliseconds since 1970.
    pub fn reset(&self) -> (u64, u64) {
        let now = unix_ms();
        let mut baseline = self.baseline.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, _) = std::mem::replace(&mut *baseline, (now, self.registry.totals()));
        (before, now)
    }

    /// The counters of each route since the start or the reset.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteTotals> {
        let before = self.baseline.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.registry.totals();
        now.routes.iter().zip(&before.1.routes).map(|(now, then)| difference(now, then)).collect()
    }

    /// The keys of a route that its limits rejected most often in the last minute.
    #[must_use]
    pub fn most_rejected(&self, route: usize, most: usize) -> Vec<(Key, u64)> {
        self.registry.most_rejected(route, most, self.clock.now())
    }

    /// All breakers at this moment, with their counts since the start.
    #[must_use]
    pub fn breakers(&self) -> Vec<BreakerMetrics> {
        let totals = self.registry.totals();
        (0..self.plan.targets.len()).map(|at| self.breaker(at, &totals)).collect()
    }

    fn breaker(&self, at: usize, totals: &Totals) -> BreakerMetrics {
        let target = self.plan.targets.get(at);
        BreakerMetrics {
            name: target.map(|target| target.name.clone()).unwrap_or_default(),
            trips: target.map_or(0, |target| target.trips()),
            now: self.breaker_now(at, totals),
        }
    }

    /// A breaker at this moment, with its counts since the start.
    fn breaker_now(&self, at: usize, totals: &Totals) -> BreakerTick {
        let clamp = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let mut now = self.plan.breaker_tick(at, self.clock.now());
        if let Some(target) = totals.targets.get(at) {
            now.requests = clamp(target.requests);
            now.failed = clamp(target.failed);
            now.rejected = clamp(target.rejected);
        }
        now
    }

    /// The counters and how things stand.
    #[must_use]
    pub fn metrics(&self, websocket: WebSocketMetrics) -> Metrics {
        let (since_ms, before) = self.baseline.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let totals = self.registry.totals();
        let snapshot = self.journal.snapshot();
        let empty = RouteTotals::default();
        let mut all = RouteTotals::default();
        let routes = snapshot
            .topology
            .routes
            .iter()
            .enumerate()
            .filter_map(|(at, route)| {
                let now = totals.routes.get(at)?;
                let since = difference(now, before.routes.get(at).unwrap_or(&empty));
                all.answered += since.answered;
                all.limited += since.limited;
                all.short_circuited += since.short_circuited;
                all.failed += since.failed;
                all.abandoned += since.abandoned;
                all.shed += since.shed;
                all.retries += since.retries;
                all.hedges += since.hedges;
                all.hedge_wins += since.hedge_wins;
                all.fallbacks += since.fallbacks;
                all.durations.add(&since.durations);
                Some(RouteMetrics {
                    path: route.path.clone(),
                    limits: route.limits.clone(),
                    counts: summary(&since, 0),
                })
            })
            .collect();
        let now = snapshot.now.as_ref();
        let breakers = (0..snapshot.topology.breakers.len()).map(|at| self.breaker(at, &totals));
        let rollouts = snapshot.topology.rollouts.iter().enumerate().map(|(at, rollout)| RolloutMetrics {
            name: rollout.name.clone(),
            now: now.and_then(|tick| tick.rollouts.get(at)).cloned().unwrap_or_default(),
        });
        Metrics {
            epoch: self.journal.epoch().to_owned(),
            at_ms: unix_ms(),
            since_ms,
            totals: summary(&all, totals.unmatched.saturating_sub(before.unmatched)),
            routes,
            breakers: breakers.collect(),
            rollouts: rollouts.collect(),
            websocket,
            live: None,
        }
    }
}

fn difference(now: &RouteTotals, then: &RouteTotals) -> RouteTotals {
    RouteTotals {
        answered: now.answered.saturating_sub(then.answered),
        limited: now.limited.saturating_sub(then.limited),
        blocked: now.blocked.saturating_sub(then.blocked),
        short_circuited: now.short_circuited.saturating_sub(then.short_circuited),
        failed: now.failed.saturating_sub(then.failed),
        abandoned: now.abandoned.saturating_sub(then.abandoned),
        shed: now.shed.saturating_sub(then.shed),
        shadow_rejected: now.shadow_rejected.saturating_sub(then.shadow_rejected),
        limit_waited: now.limit_waited.saturating_sub(then.limit_waited),
        retries: now.retries.saturating_sub(then.retries),
        hedges: now.hedges.saturating_sub(then.hedges),
        hedge_wins: now.hedge_wins.saturating_sub(then.hedge_wins),
        fallbacks: now.fallbacks.saturating_sub(then.fallbacks),
        cached: now.cached.saturating_sub(then.cached),
        loaded: now.loaded.saturating_sub(then.loaded),
        durations: now.durations.since(&then.durations),
    }
}

fn summary(totals: &RouteTotals, unmatched: u64) -> Summary {
    let let_in = totals.answered + totals.short_circuited + totals.failed;
    // Counts are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let success_rate = (let_in > 0).then(|| totals.answered as f64 / let_in as f64);
    let ms = |q| millis(&totals.durations, q);
    Summary {
        requests: let_in + totals.limited + totals.shed + totals.abandoned + unmatched,
        answered: totals.answered,
        limited: totals.limited,
        short_circuited: totals.short_circuited,
        failed: totals.failed,
        abandoned: totals.abandoned,
        unmatched,
        shed: totals.shed,
        retries: totals.retries,
        hedges: totals.hedges,
        hedge_wins: totals.hedge_wins,
        fallbacks: totals.fallbacks,
        success_rate,
        p50_ms: ms(0.5),
        p90_ms: ms(0.9),
        p99_ms: ms(0.99),
    }
}

fn millis(durations: &Counts, q: f64) -> f64 {
    f64::from(durations.quantile_us(q)) / 1_000.0
}
