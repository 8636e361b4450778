//! The configuration in the form that requests run through.

mod route;
mod upstream;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ipnet::IpNet;
use rad_model::{BreakerInfo, BreakerTick, Destination, EventKind, RolloutInfo, Topology};
use rad_resilience::cache::InvalidCache;
use rad_resilience::{Timestamp, Transition};

use super::block::Blocks;
use super::cached::{AnswerCache, Room};
use super::router::Router;
use crate::config::{Action, Settings};
use crate::rollout::Rollout;
use crate::rollout::shadow::Shadow;
use crate::storage::{PastChange, Storage, StorageError};
use crate::telemetry::journal::Journal;
use crate::telemetry::unix_ms;
pub use route::{Fallback, Hedge, Retry, Route, RouteCache};
pub use upstream::{Target, Upstream};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("cache: {0}")]
    Cache(#[from] InvalidCache),
}

/// Everything that the workers share and nobody changes, but for atomics within.
#[derive(Debug)]
pub struct Plan {
    pub routes: Vec<Route>,
    pub router: Router,
    pub upstreams: Vec<Upstream>,
    /// The targets of all upstreams, in the order of the upstreams.
    pub targets: Vec<Target>,
    pub rollouts: Vec<Rollout>,
    /// Of each rollout, what is copied to its candidate.
    pub shadows: Vec<Arc<Shadow>>,
    pub trusted_proxies: Vec<IpNet>,
    /// Of all routes that keep answers.
    pub cache: AnswerCache,
    /// What all kept answers may take, bytes.
    pub max_cache_bytes: u64,
    /// The longest answer that is kept, bytes.
    pub max_cached_bytes: usize,
    /// For answers while they are collected.
    pub collecting: Arc<Room>,
    pub blocks: Blocks,
    infos: Vec<RolloutInfo>,
}

impl Plan {
    /// The plan of a checked configuration, with the rollouts as they were last left.
    ///
    /// # Errors
    /// If the rollouts cannot be read, or the cache cannot be made.
    pub fn new(settings: &Settings, storage: &Storage) -> Result<Self, PlanError> {
        let mut targets = Vec::new();
        let upstreams =
            settings.upstreams.iter().map(|upstream| Upstream::new(upstream, &mut targets)).collect();
        let mut rollouts = Vec::new();
        let mut shadows = Vec::new();
        let mut infos = Vec::new();
        for rollout in &settings.rollouts {
            let stored = storage.rollout(&rollout.name, rollout.share)?;
            let (legacy, candidate) = (rollout.legacy, rollout.candidate);
            let starts_at = storage.start(&rollout.name, rollout.start_at, unix_ms())?;
            let last = storage.rollout_history(&rollout.name, 1)?.into_iter().next();
            rollouts.push(Rollout::new(rollout, &stored, starts_at).last_moved(last.map(PastChange::cause)));
            let stored = storage.shadow(&rollout.name, rollout.shadow.share, unix_ms())?;
            shadows.push(Arc::new(Shadow::new(&rollout.name, rollout.shadow.clone(), stored, unix_ms())));
            infos.push(RolloutInfo {
                name: rollout.name.clone(),
                legacy: settings.upstreams[legacy].name.clone(),
                candidate: settings.upstreams[candidate].name.clone(),
                stages: rollout.stages.shares().to_vec(),
                target_success: rollout.target.share(),
            });
        }
        let cache = AnswerCache::new(settings.cache, |stored| stored.weight())?;
        let routes = settings
            .routes
            .iter()
            .map(|route| {
                let copies_bodies = match route.action {
                    Action::Rollout(at) => settings.rollouts[at].shadow.takes_bodies(),
                    Action::Upstream(_) | Action::Ok => false,
                };
                Route { copies_bodies, ..Route::new(route, settings.gateway.max_keys, &cache) }
            })
            .collect();
        let router =
            settings.routes.iter().enumerate().map(|(at, route)| (route.path.as_str(), at)).collect();
        let trusted_proxies = settings.gateway.trusted_proxies.clone();
        let blocks = Blocks::new(settings.gateway.block, settings.gateway.max_keys);
        let max_cached_bytes = settings.cache.max_entry_bytes as usize;
        Ok(Self {
            routes,
            router,
            upstreams,
            targets,
            rollouts,
            shadows,
            trusted_proxies,
            cache,
            max_cache_bytes: settings.cache.max_bytes,
            max_cached_bytes,
            collecting: Room::new(settings.collecting_bytes),
            blocks,
            infos,
        })
    }

    /// What people may know of the plan.
    #[must_use]
    pub fn topology(&self, lab: bool) -> Topology {
        let routes = self.routes.iter().map(|route| rad_model::Route {
            path: route.path.clone(),
            to: match route.action {
                Action::Upstream(at) => Destination::Upstream(self.upstreams[at].name.clone()),
                Action::Rollout(at) => Destination::Rollout(self.rollouts[at].name().to_owned()),
                Action::Ok => Destination::Static,
            },
            limits: route.limits.clone(),
            key: route.key.to_string(),
            shadow: route.limiter.as_ref().is_some_and(|limiter| limiter.policy().is_shadow()),
        });
        let breakers = self.targets.iter().map(|target| BreakerInfo {
            name: target.name.clone(),
            upstream: target.upstream.clone(),
            consecutive_failures: target.breaker.settings().consecutive_failures,
            successes_to_close: target.breaker.settings().successes_to_close,
        });
        Topology {
            routes: routes.collect(),
            breakers: breakers.collect(),
            rollouts: self.infos.clone(),
            lab,
            ..Topology::default()
        }
    }

    /// A breaker at a moment, without counts.
    #[must_use]
    pub fn breaker_tick(&self, target: usize, now: Timestamp) -> BreakerTick {
        let status = self.targets[target].breaker.status(now);
        BreakerTick {
            state: status.state,
            mode: status.mode,
            failures: status.failures,
            successes: status.successes,
            next_ms: status.next.map(millis),
            since_ms: unix_ms().saturating_sub(millis(status.since)),
            ..BreakerTick::default()
        }
    }

    /// Counts and tells of a breaker's change of state.
    pub fn announce(&self, target: usize, transition: &Transition, journal: &Journal) {
        let target = &self.targets[target];
        let breaker = target.name.clone();
        if matches!(transition, Transition::Opened { .. }) {
            target.trips.fetch_add(1, Ordering::Relaxed);
        }
        journal.event(match transition {
            Transition::Opened { reason, open_for } => {
                EventKind::BreakerOpened { breaker, reason: *reason, open_for_ms: millis(*open_for) }
            }
            Transition::HalfOpened { after } => {
                EventKind::BreakerHalfOpen { breaker, after_ms: millis(*after) }
            }
            Transition::Closed { successes } => EventKind::BreakerClosed { breaker, successes: *successes },
            // What people do is told where they do it, with who they are.
            Transition::Reset { .. } | Transition::ModeChanged { .. } => return,
        });
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
