//! `/api/cache`, `/api/refresh` and `/api/queues`: what is kept, and what waits.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use rad_resilience::Priority;
use rad_resilience::bulkhead::RejectReason;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Console;
use super::error::{ApiError, parse};
use super::take::Body;

type Shared = State<Arc<Console>>;

pub async fn state(State(console): Shared) -> Json<Value> {
    let figures = console.plan.cache.figures();
    let routes = console.plan.routes.iter().filter_map(|route| {
        let cache = route.cache.as_ref()?;
        Some(json!({
            "path": route.path,
            "ttl_ms": millis(cache.policy.freshness().ttl()),
            "tags": cache.tags,
            "methods": cache.methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(),
        }))
    });
    Json(json!({
        "entries": figures.entries,
        "bytes": figures.bytes,
        "max_bytes": console.plan.max_cache_bytes,
        "hit_rate": figures.hit_rate(),
        "saved": figures.saved(),
        "hits": figures.hits,
        "stale_hits": figures.stale_hits,
        "stale_on_error": figures.stale_on_error,
        "misses": figures.misses,
        "coalesced": figures.coalesced,
        "passed": figures.passed,
        "loads": figures.loads,
        "load_failures": figures.load_failures,
        "evictions": figures.evictions,
        "too_large": figures.too_large,
        "invalidations": figures.invalidations,
        "routes": routes.collect::<Vec<_>>(),
    }))
}

/// What is to be forgotten: one of these.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// Everything with this tag.
    Tag(String),
    /// Everything of this organisation, as `X-Org-Id` names it.
    Organisation(String),
    All(bool),
}

pub async fn invalidate(State(console): Shared, Body(body): Body) -> Result<Json<Value>, ApiError> {
    let cache = &console.plan.cache;
    let forgotten = match parse(&body)? {
        What::Tag(tag) => {
            let mut known: Vec<_> = console
                .plan
                .routes
                .iter()
                .filter_map(|route| route.cache.as_ref())
                .flat_map(|cache| &cache.tags)
                .collect();
            known.sort_unstable();
            known.dedup();
            if !known.contains(&&tag) {
                return Err(ApiError::not_found(format!("no route has the tag {tag:?}; known: {known:?}")));
            }
            cache.invalidate_tag(&tag);
            json!({"tag": tag})
        }
        What::Organisation(organisation) => {
            cache.invalidate_organisation(&organisation);
            json!({"organisation": organisation})
        }
        What::All(true) => {
            cache.invalidate_all();
            json!({"all": true})
        }
        What::All(false) => return Err(ApiError::bad_request("all is true or is left out")),
    };
    Ok(Json(json!({"invalidated": forgotten, "removed": console.sweep_cache()})))
}

/// Forgets everything, so that the next answers are new.
pub async fn refresh(State(console): Shared) -> Json<Value> {
    console.plan.cache.invalidate_all();
    Json(json!({"invalidated": {"all": true}, "removed": console.sweep_cache()}))
}

pub async fn queues(State(console): Shared) -> Json<Value> {
    let queues = console.plan.routes.iter().filter_map(|route| {
        let queue = route.queue.as_ref()?;
        let figures = queue.bulkhead.figures();
        let waiting = Priority::ALL.iter().zip(figures.waiting);
        let rejected = RejectReason::ALL.iter().zip(figures.rejected);
        Some(json!({
            "path": route.path,
            "in_flight": figures.in_flight,
            "limit": figures.limit,
            "capacity": queue.bulkhead.settings().queue,
            "waiting": waiting.map(|(priority, count)| (word(priority), json!(count))).collect::<serde_json::Map<_, _>>(),
            "backpressure": figures.backpressure,
            "rejected": rejected.map(|(reason, count)| (word(reason), json!(count))).collect::<serde_json::Map<_, _>>(),
            "waited": figures.waited,
            "waited_ms_total": millis(figures.waited_total),
            "waited_ms_longest": millis(figures.waited_longest),
        }))
    });
    Json(queues.collect())
}

/// `WaitedTooLong` as `waited_too_long`.
fn word(name: impl std::fmt::Debug) -> String {
    let mut word = String::new();
    for letter in format!("{name:?}").chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
