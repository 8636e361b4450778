//! The configuration in the form that requests run through.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;
use rad_model::{BreakerInfo, BreakerTick, Destination, EventKind, RolloutInfo, Topology};
use rad_resilience::{Breaker, Limiter, Timestamp, Transition};

use super::block::Blocks;
use super::router::Router;
use crate::config::{Action, KeySource, Settings, TargetSettings, UpstreamSettings};
use crate::rollout::Rollout;
use crate::storage::{Storage, StorageError};
use crate::telemetry::journal::Journal;
use crate::telemetry::registry::Key;
use crate::telemetry::unix_ms;

/// Everything that the workers share and nobody changes, but for atomics within.
#[derive(Debug)]
pub struct Plan {
    pub routes: Vec<Route>,
    pub router: Router,
    pub upstreams: Vec<Upstream>,
    /// The targets of all upstreams, in the order of the upstreams.
    pub targets: Vec<Target>,
    pub rollouts: Vec<Rollout>,
    pub trusted_proxies: Vec<IpNet>,
    pub blocks: Blocks,
    infos: Vec<RolloutInfo>,
}

#[derive(Debug)]
pub struct Route {
    pub path: String,
    pub action: Action,
    /// What the matched prefix is replaced with.
    pub rewrite: Option<String>,
    /// `None` where nothing is limited.
    pub limiter: Option<Limiter<Key>>,
    pub limits: Vec<rad_model::Quota>,
    pub key: KeySource,
}

#[derive(Debug)]
pub struct Upstream {
    pub name: String,
    /// Positions in [`Plan::targets`].
    pub targets: Range<usize>,
    pub timeout: Duration,
    pub connect_timeout: Duration,
    next: AtomicUsize,
}

#[derive(Debug)]
pub struct Target {
    /// The name of its breaker.
    pub name: String,
    pub upstream: String,
    pub host: String,
    pub port: u16,
    pub base: String,
    /// The `Host` header of requests to it.
    pub authority: HeaderValue,
    pub breaker: Breaker,
    trips: AtomicU64,
}

impl Target {
    /// How often its breaker has opened.
    pub fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }
}

impl Upstream {
    /// The positions of all targets, beginning with another one each time.
    pub fn rotation(&self) -> impl Iterator<Item = usize> + use<> {
        let Range { start, end } = self.targets.clone();
        let count = end - start;
        let first = if count > 1 { self.next.fetch_add(1, Ordering::Relaxed) % count } else { 0 };
        (0..count).map(move |step| start + (first + step) % count)
    }
}

impl Plan {
    /// The plan of a checked configuration, with the rollouts as they were last left.
    ///
    /// # Errors
    /// If the rollouts cannot be read.
    pub fn new(settings: &Settings, storage: &Storage) -> Result<Self, StorageError> {
        let mut targets = Vec::new();
        let upstreams =
            settings.upstreams.iter().map(|upstream| add_upstream(upstream, &mut targets)).collect();
        let mut rollouts = Vec::new();
        let mut infos = Vec::new();
        for rollout in &settings.rollouts {
            let stored = storage.rollout(&rollout.name, rollout.share)?;
            let (legacy, candidate) = (rollout.legacy, rollout.candidate);
            rollouts.push(Rollout::new(rollout.name.clone(), legacy, candidate, stored.seed, stored.share));
            infos.push(RolloutInfo {
                name: rollout.name.clone(),
                legacy: settings.upstreams[legacy].name.clone(),
                candidate: settings.upstreams[candidate].name.clone(),
                stages: rollout.stages.clone(),
                target_success: rollout.target_success,
            });
        }
        let routes = settings
            .routes
            .iter()
            .map(|route| Route {
                path: route.path.clone(),
                action: route.action,
                rewrite: route.rewrite.clone(),
                limiter: route.policy.clone().map(|policy| Limiter::new(policy, settings.gateway.max_keys)),
                limits: route.limits().to_vec(),
                key: route.key.clone(),
            })
            .collect();
        let router =
            settings.routes.iter().enumerate().map(|(at, route)| (route.path.as_str(), at)).collect();
        let trusted_proxies = settings.gateway.trusted_proxies.clone();
        let blocks = Blocks::new(settings.gateway.block, settings.gateway.max_keys);
        Ok(Self { routes, router, upstreams, targets, rollouts, trusted_proxies, blocks, infos })
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
        });
        let breakers = self.targets.iter().map(|target| BreakerInfo {
            name: target.name.clone(),
            upstream: target.upstream.clone(),
            consecutive_failures: target.breaker.settings().consecutive_failures,
            successes_to_close: target.breaker.settings().successes_to_close,
        });
        Topology { routes: routes.collect(), breakers: breakers.collect(), rollouts: self.infos.clone(), lab }
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

fn add_upstream(upstream: &UpstreamSettings, targets: &mut Vec<Target>) -> Upstream {
    let first = targets.len();
    for (at, TargetSettings { host, port, base }) in upstream.targets.iter().enumerate() {
        let name = if upstream.targets.len() == 1 {
            upstream.name.clone()
        } else {
            format!("{} {}", upstream.name, at + 1)
        };
        let authority = if *port == 80 { host.clone() } else { format!("{host}:{port}") };
        targets.push(Target {
            name,
            upstream: upstream.name.clone(),
            // Only an address in a URL wears brackets.
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: *port,
            base: base.clone(),
            authority: HeaderValue::from_str(&authority).unwrap_or(HeaderValue::from_static("upstream")),
            breaker: Breaker::new(upstream.breaker),
            trips: AtomicU64::new(0),
        });
    }
    Upstream {
        name: upstream.name.clone(),
        targets: first..targets.len(),
        timeout: upstream.timeout,
        connect_timeout: upstream.connect_timeout,
        next: AtomicUsize::new(0),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
