//! What the limits hold: who uses them, and how full their tables are.

mod words;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rad_model::metrics::{KeyUse, RejectedKey, RouteLimits};
use rad_resilience::Clock;

use super::Console;
use super::api::Shared;
use super::error::ApiError;
use crate::gateway::Route;
use crate::telemetry::registry::RouteTotals;

/// So many keys of a route are listed: those that use the largest share.
const TOP: usize = 20;

/// Looks at every remembered key, of which there may be millions: not on a thread that serves others.
pub async fn all(State(console): Shared) -> Result<Json<Vec<RouteLimits>>, ApiError> {
    let listed = tokio::task::spawn_blocking(move || list(&console)).await;
    listed
        .map(Json)
        .map_err(|_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the limits could not be listed"))
}

pub fn list(console: &Console) -> Vec<RouteLimits> {
    let totals = console.report.routes();
    let routes = console.plan.routes.iter().zip(&totals).enumerate();
    routes.filter_map(|(at, (route, totals))| route_limits(console, at, route, totals)).collect()
}

/// Keys that all limits remember together.
pub fn keys(console: &Console) -> usize {
    let limiters = console.plan.routes.iter().filter_map(|route| route.limiter.as_ref());
    limiters.map(|limiter| limiter.stats().keys).sum()
}

fn route_limits(console: &Console, at: usize, route: &Route, totals: &RouteTotals) -> Option<RouteLimits> {
    let limiter = route.limiter.as_ref()?;
    let (policy, stats) = (limiter.policy(), limiter.stats());
    let top = limiter.listing(TOP, console.clock.now()).into_iter().map(|usage| KeyUse {
        key: usage.key.to_string(),
        limit: usage.quota,
        used: usage.used,
        capacity: usage.capacity,
        reset_ms: millis(usage.reset_after),
        says: words::used(usage.used, usage.capacity, usage.quota),
    });
    let most_rejected = console.report.most_rejected(at, TOP).into_iter();
    let shortest = policy.quotas().iter().min_by_key(|quota| quota.window_s());
    let mut limits = RouteLimits {
        path: route.path.clone(),
        limits: policy.quotas().to_vec(),
        key: route.key.to_string(),
        strategy: policy.strategy().as_str().to_owned(),
        burst: shortest
            .filter(|quota| policy.capacity(**quota) != quota.requests())
            .map(|quota| policy.capacity(*quota)),
        shadow: policy.is_shadow(),
        rejected: totals.limited.saturating_sub(totals.blocked),
        blocked: totals.blocked,
        shadow_rejected: totals.shadow_rejected,
        limit_waited: totals.limit_waited,
        limit_waiting: route.limit_wait.as_ref().map_or(0, |wait| wait.waiting() as u64),
        keys: stats.keys as u64,
        max_keys: stats.max_keys as u64,
        evicted: stats.evicted_total,
        memory_bytes: stats.memory_bytes as u64,
        top: top.collect(),
        most_rejected: most_rejected
            .map(|(key, rejected)| RejectedKey { key: key.to_string(), rejected })
            .collect(),
        ..RouteLimits::default()
    };
    limits.says = words::says(&limits);
    limits.counted = words::counts(&limits);
    Some(limits)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
