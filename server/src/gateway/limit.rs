//! The step that limits.

mod fields;

use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderValue, request};
use rad_resilience::{Decision, Limiter, Standings, Timestamp};
use tokio::sync::Semaphore;

use super::plan::Route;
use super::worker::Worker;
use super::{block, client};
use crate::config::LimitWaitSettings;
use crate::telemetry::log::{Level, Line, Value};
use crate::telemetry::registry::{Counter, Key, LimitStanding};
pub use fields::{LimitFields, ceil_s, tell};

/// What a limit decided about a request, and what its caller is told of.
#[derive(Clone, Copy, Debug)]
pub struct Limited {
    pub decision: Decision,
    /// Of every window, where they are told.
    standings: Standings,
    /// When it was decided.
    pub at: Timestamp,
}

/// Requests over their limit that wait for their turn instead of being rejected.
#[derive(Debug)]
pub struct LimitWait {
    max_wait: Duration,
    places: Semaphore,
    count: usize,
}

impl LimitWait {
    #[must_use]
    pub fn new(settings: LimitWaitSettings) -> Self {
        let LimitWaitSettings { max_wait, waiting: count } = settings;
        Self { max_wait, places: Semaphore::new(count), count }
    }

    /// How many wait at this moment.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.count.saturating_sub(self.places.available_permits())
    }
}

/// Asks the limits of a route; none if it has none. Where the route lets requests wait for their turn, so long
/// as that takes.
pub async fn limit(
    worker: &Worker,
    at: usize,
    client: IpAddr,
    parts: &request::Parts,
    id: &HeaderValue,
    now: Timestamp,
) -> Option<Limited> {
    let route = &worker.plan.routes[at];
    let limiter = route.limiter.as_ref()?;
    let key = client::key(&route.key, client, &parts.headers);
    let mut limited = check(route, limiter, &key, now);
    if !limited.decision.allowed
        && let Some(wait) = &route.limit_wait
    {
        // Few requests wait: the others need not carry what it takes.
        limited = Box::pin(turn(worker, at, limiter, wait, &key, limited)).await;
    }
    let Limited { decision, at: now, .. } = limited;
    let counters = &worker.shard.routes[at];
    let (limit, used, capacity) = (decision.quota, decision.used(), decision.capacity);
    counters.fullest.note(&key, LimitStanding { limit, used, capacity });
    if decision.shadow_rejected {
        counters.shadow_rejected.add();
        counters.rejected_keys.count(&key, now);
    }
    if !decision.allowed {
        counters.limited.add();
        counters.rejected_keys.count(&key, now);
        worker.limit_reached(at, &key, decision.quota);
        block::rejected(worker, client, now);
        log(worker, route, client, parts, id, &decision);
    }
    Some(limited)
}

fn check(route: &Route, limiter: &Limiter<Key>, key: &Key, at: Timestamp) -> Limited {
    let (decision, standings) = if route.limit_fields.as_ref().is_some_and(LimitFields::list_windows) {
        limiter.check_all(key, at)
    } else {
        (limiter.check(key, at), Standings::default())
    };
    Limited { decision, standings, at }
}

/// Waits for the turn of a request that was `refused`, if that comes in time and there is a place to wait.
async fn turn(
    worker: &Worker,
    at: usize,
    limiter: &Limiter<Key>,
    wait: &LimitWait,
    key: &Key,
    refused: Limited,
) -> Limited {
    if refused.decision.retry_after > wait.max_wait {
        return refused;
    }
    let Ok(_place) = wait.places.try_acquire() else { return refused };
    let counters = &worker.shard.routes[at];
    // No ticket is open yet that would count it.
    let leaving = Leaving { abandoned: &counters.abandoned };
    let decided = limiter.until_ready(key, worker.clock(), wait.max_wait).await;
    std::mem::forget(leaving);
    let decision = match decided {
        Ok(decision) => {
            counters.limit_waited.add();
            decision
        }
        Err(not_ready) => Decision { allowed: false, ..*not_ready.decision() },
    };
    let at = worker.now();
    Limited { decision, standings: limiter.standings(key, at), at }
}

/// A request that waits, and is counted if its client goes away meanwhile.
struct Leaving<'a> {
    abandoned: &'a Counter,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.abandoned.add();
    }
}

fn log(
    worker: &Worker,
    route: &Route,
    client: IpAddr,
    parts: &request::Parts,
    id: &HeaderValue,
    decision: &Decision,
) {
    if worker.is_silent() {
        return;
    }
    let retry_after_us = u64::try_from(decision.retry_after.as_micros()).unwrap_or(u64::MAX);
    let fields = [
        ("request_id", Value::Text(id.to_str().unwrap_or(""))),
        ("method", Value::Text(parts.method.as_str())),
        ("path", Value::Text(parts.uri.path())),
        ("client_ip", Value::Display(&client as &dyn std::fmt::Display)),
        ("route", Value::Text(&route.path)),
        ("limit", Value::Display(&decision.quota)),
        ("retry_after_ms", Value::Micros(retry_after_us)),
    ];
    worker.log(&Line { level: Level::Warn, event: "rate_limit_exceeded", fields: &fields });
}
