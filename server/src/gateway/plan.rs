//! The configuration in the form that requests run through.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use ipnet::IpNet;
use rad_model::{BreakerInfo, BreakerTick, Destination, EventKind, RolloutInfo, Topology};
use rad_resilience::cache::InvalidCache;
use rad_resilience::{
    Breaker, Bulkhead, CachePolicy, HedgeDelay, Limiter, Priority, RetryBudget, RetryPolicy, Timestamp,
    Transition,
};

use super::block::Blocks;
use super::cached::{AnswerCache, Room};
use super::limit::{LimitFields, LimitWait};
use super::router::Router;
use crate::config::{
    Action, FallbackSettings, HedgeSettings, KeySource, QueueSettings, Settings, TargetSettings,
    UpstreamSettings,
};
use crate::rollout::Rollout;
use crate::storage::{Storage, StorageError};
use crate::telemetry::journal::Journal;
use crate::telemetry::registry::Key;
use crate::telemetry::unix_ms;

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

#[derive(Debug)]
pub struct Route {
    pub path: String,
    pub action: Action,
    /// What the matched prefix is replaced with.
    pub rewrite: Option<String>,
    /// `None` where nothing is limited.
    pub limiter: Option<Limiter<Key>>,
    /// How its callers are told of the limits; none where these are in shadow, and nobody's business.
    pub limit_fields: Option<LimitFields>,
    /// Who is over a limit waits here; without it, is rejected at once.
    pub limit_wait: Option<LimitWait>,
    pub limits: Vec<rad_model::Quota>,
    pub key: KeySource,
    pub queue: Option<Queue>,
    pub cache: Option<RouteCache>,
    pub retry: Option<Retry>,
    pub hedge: Option<Hedge>,
    pub fallback: Option<Fallback>,
}

impl Route {
    /// Whether time may pass between the start of a request and its way to the upstream.
    pub fn may_have_waited(&self) -> bool {
        self.limit_wait.is_some() || self.queue.is_some() || self.keeps_bodies()
    }

    /// Whether small bodies are collected, because they may have to be said again or are part of a key.
    pub fn keeps_bodies(&self) -> bool {
        self.cache.is_some() || self.retry.is_some() || self.fallback.is_some()
    }
}

/// Bounds what is in flight on a route.
#[derive(Debug)]
pub struct Queue {
    pub bulkhead: Bulkhead,
    /// The header that says how urgent a request is.
    priority: Option<HeaderName>,
}

impl Queue {
    /// How urgent a request is: normal, unless its header says otherwise.
    pub fn priority(&self, headers: &HeaderMap) -> Priority {
        let said = self.priority.as_ref().and_then(|name| headers.get(name));
        match said.map(|value| value.as_bytes().to_ascii_lowercase()).as_deref() {
            Some(b"critical") => Priority::Critical,
            Some(b"high") => Priority::High,
            Some(b"low") => Priority::Low,
            _ => Priority::Normal,
        }
    }
}

/// The headers by which clients are told apart. The organisation is a part of every key, and a request with a
/// cookie is kept for nobody.
fn headers(key: &KeySource) -> Vec<HeaderName> {
    match key {
        KeySource::Header(name) => vec![name.clone()],
        KeySource::Composite(parts) => parts.iter().flat_map(headers).collect(),
        KeySource::Client | KeySource::Org | KeySource::Cookie(_) | KeySource::Route | KeySource::Global => {
            Vec::new()
        }
    }
}

/// Which answers of a route are kept, and for how long.
#[derive(Debug)]
pub struct RouteCache {
    pub policy: CachePolicy,
    pub tags: Vec<String>,
    pub methods: Vec<Method>,
    /// Headers that tell clients of the route apart, as its limits count them: they are answered apart, too.
    pub by: Vec<HeaderName>,
}

/// How a route tries again.
#[derive(Debug)]
pub struct Retry {
    pub policy: RetryPolicy,
    /// Answers that are worth another attempt.
    pub statuses: Vec<u16>,
    pub budget: RetryBudget,
}

impl Retry {
    pub fn allows(&self, is_idempotent: bool) -> bool {
        is_idempotent || self.policy.settings().retry_non_idempotent
    }

    /// The wait after so many attempts, of which the last asked to wait for `asked`; none to give up.
    pub fn wait(&self, attempts: u32, previous: Duration, asked: Duration) -> Option<Duration> {
        let settings = self.policy.settings();
        if attempts >= settings.max_attempts {
            return None;
        }
        let previous = previous.max(settings.base);
        let backoff = self.policy.delay(attempts, previous, fastrand::f64());
        Some(backoff.max(asked.min(settings.retry_after_cap)))
    }
}

/// How a route asks once more before the first answer is there.
#[derive(Debug)]
pub struct Hedge {
    pub delay: HedgeDelay,
    /// Attempts beyond the first.
    pub max: u32,
    /// How many of the requests may be asked for more than once, where the route has no retry that says so.
    pub budget: RetryBudget,
}

/// What stands in for an upstream that fails.
#[derive(Debug)]
pub enum Fallback {
    Answer {
        status: StatusCode,
        content_type: HeaderValue,
        body: Bytes,
    },
    /// Position in [`Plan::upstreams`].
    Upstream(usize),
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
    /// The positions of all targets: beginning with another one for each request, and for its further attempts
    /// with the one `after` the last. If those took their turns from the requests, of two targets the one that
    /// fails would be asked first each time.
    pub fn rotation(&self, after: Option<usize>) -> impl Iterator<Item = usize> + use<> {
        let Range { start, end } = self.targets.clone();
        let count = end - start;
        let first = match after {
            Some(target) => target.saturating_sub(start) + 1,
            None if count > 1 => self.next.fetch_add(1, Ordering::Relaxed) % count,
            None => 0,
        };
        (0..count).map(move |step| start + (first + step) % count)
    }
}

impl Plan {
    /// The plan of a checked configuration, with the rollouts as they were last left.
    ///
    /// # Errors
    /// If the rollouts cannot be read, or the cache cannot be made.
    pub fn new(settings: &Settings, storage: &Storage) -> Result<Self, PlanError> {
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
        let cache = AnswerCache::new(settings.cache, |stored| stored.weight())?;
        let routes = settings
            .routes
            .iter()
            .map(|route| Route {
                path: route.path.clone(),
                action: route.action,
                rewrite: route.rewrite.clone(),
                limiter: route.policy.clone().map(|policy| Limiter::new(policy, settings.gateway.max_keys)),
                limit_fields: route
                    .policy
                    .as_ref()
                    .filter(|policy| !policy.is_shadow())
                    .map(|_| LimitFields::new(route.limit_headers, route.limits())),
                limit_wait: route.limit_wait.map(LimitWait::new),
                limits: route.limits().to_vec(),
                key: route.key.clone(),
                queue: route
                    .queue
                    .clone()
                    .map(|QueueSettings { bulkhead, priority }| Queue { bulkhead, priority }),
                cache: route.cache.as_ref().map(|settings| RouteCache {
                    policy: cache.policy(
                        settings.freshness,
                        &settings.tags.iter().map(String::as_str).collect::<Vec<_>>(),
                    ),
                    tags: settings.tags.clone(),
                    methods: settings.methods.clone(),
                    by: headers(&route.key),
                }),
                retry: route.retry.as_ref().map(|settings| Retry {
                    policy: settings.policy,
                    statuses: settings.statuses.clone(),
                    budget: RetryBudget::new(settings.budget).unwrap_or_default(),
                }),
                hedge: route.hedge.and_then(|HedgeSettings { after, max }| {
                    let delay = HedgeDelay::new(after).ok()?;
                    Some(Hedge { delay, max, budget: RetryBudget::default() })
                }),
                fallback: route.fallback.as_ref().map(|fallback| match fallback {
                    FallbackSettings::Upstream(at) => Fallback::Upstream(*at),
                    FallbackSettings::Answer { status, content_type, body } => Fallback::Answer {
                        status: *status,
                        content_type: content_type.clone(),
                        body: Bytes::from(body.clone()),
                    },
                }),
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
