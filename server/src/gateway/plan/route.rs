//! What a request goes through on a route.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rad_resilience::{Bulkhead, CachePolicy, HedgeDelay, Limiter, Priority, RetryBudget, RetryPolicy};

use crate::config::{Action, FallbackSettings, HedgeSettings, KeySource, QueueSettings, RouteSettings};
use crate::gateway::cached::AnswerCache;
use crate::gateway::limit::{LimitFields, LimitWait};
use crate::telemetry::registry::Key;

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
    /// Whether requests with a body may have to be copied.
    pub copies_bodies: bool,
}

impl Route {
    /// A route as it is configured, that remembers so many keys of its limits, and keeps answers in this cache.
    pub(super) fn new(route: &RouteSettings, max_keys: usize, cache: &AnswerCache) -> Self {
        Self {
            path: route.path.clone(),
            action: route.action,
            rewrite: route.rewrite.clone(),
            limiter: route.policy.clone().map(|policy| Limiter::new(policy, max_keys)),
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
            copies_bodies: false,
        }
    }

    /// Whether time may pass between the start of a request and its way to the upstream.
    pub fn may_have_waited(&self) -> bool {
        self.limit_wait.is_some() || self.queue.is_some() || self.keeps_bodies()
    }

    /// Whether small bodies are collected, because they may have to be said again or are part of a key.
    pub fn keeps_bodies(&self) -> bool {
        self.cache.is_some() || self.retry.is_some() || self.fallback.is_some() || self.copies_bodies
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
