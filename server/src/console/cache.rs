//! `/api/cache`, `/api/refresh` and `/api/queues`: what is kept, and what waits.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use rad_model::format::count;
use rad_model::metrics::{CacheMetrics, CachedRoute, QueueMetrics, Rejected, Waiting};
use rad_resilience::Priority;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Console;
use super::act::Why;
use super::audit::{Deed, alone};
use super::error::{ApiError, parse};
use super::take::Body;

type Shared = State<Arc<Console>>;

/// The cache at a moment, and what it did since the start.
pub fn figures(console: &Console) -> CacheMetrics {
    let figures = console.plan.cache.figures();
    let totals = console.report.routes();
    let routes = console.plan.routes.iter().zip(&totals).filter_map(|(route, totals)| {
        let cache = route.cache.as_ref()?;
        let freshness = cache.policy.freshness();
        let (while_revalidated, if_error) = freshness.stale_for();
        Some(CachedRoute {
            path: route.path.clone(),
            ttl_ms: millis(freshness.ttl()),
            stale_while_revalidate_ms: millis(while_revalidated),
            stale_if_error_ms: millis(if_error),
            tags: cache.tags.clone(),
            methods: cache.methods.iter().map(ToString::to_string).collect(),
            served: totals.cached,
            loaded: totals.loaded,
        })
    });
    CacheMetrics {
        entries: figures.entries,
        bytes: figures.bytes,
        max_bytes: console.plan.max_cache_bytes,
        hit_rate: figures.hit_rate(),
        saved: figures.saved(),
        hits: figures.hits,
        stale_hits: figures.stale_hits,
        stale_on_error: figures.stale_on_error,
        misses: figures.misses,
        coalesced: figures.coalesced,
        passed: figures.passed,
        loads: figures.loads,
        load_failures: figures.load_failures,
        evictions: figures.evictions,
        too_large: figures.too_large,
        invalidations: figures.invalidations,
        routes: routes.collect(),
    }
}

pub async fn state(State(console): Shared) -> Json<CacheMetrics> {
    Json(figures(&console))
}

/// What is to be forgotten: one of these, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forget {
    /// Everything with this tag.
    tag: Option<String>,
    /// Everything of this organisation, as `X-Org-Id` names it.
    organisation: Option<String>,
    all: Option<bool>,
    #[serde(default)]
    reason: String,
}

enum What {
    Tag(String),
    Organisation(String),
    All,
}

pub async fn invalidate(
    State(console): Shared,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let unclear = || {
        ApiError::bad_request(
            "the body is one of {\"tag\": \"…\"}, {\"organisation\": \"…\"} and {\"all\": true}",
        )
    };
    let Forget { tag, organisation, all, reason } = parse(&body).map_err(|_: ApiError| unclear())?;
    let what = match (tag, organisation, all) {
        (Some(tag), None, None) => What::Tag(tag),
        (None, Some(organisation), None) => What::Organisation(organisation),
        (None, None, Some(true)) => What::All,
        (None, None, Some(false)) => return Err(ApiError::bad_request("all is true or is left out")),
        _ => return Err(unclear()),
    };
    if let What::Tag(tag) = &what {
        let routes = console.plan.routes.iter().filter_map(|route| route.cache.as_ref());
        let mut known: Vec<_> = routes.flat_map(|cache| &cache.tags).collect();
        known.sort_unstable();
        known.dedup();
        if !known.contains(&tag) {
            return Err(ApiError::not_found(format!("no route has the tag {tag:?}; known: {known:?}")));
        }
    }
    let reason = deed.why(&console, &reason)?;
    // Said of an organisation of whom there is nothing.
    let of = match &what {
        What::Organisation(organisation) => format!(" of an organisation named {organisation}"),
        What::Tag(_) | What::All => String::new(),
    };
    let (forgotten, removed) = alone(console, move |console| forget(console, &what, &deed, &reason)).await?;
    let says = match removed {
        0 => format!("No answer{of} is kept: there was nothing to invalidate."),
        1 => "Invalidated 1 answer.".to_owned(),
        more => format!("Invalidated {} answers.", count(u64::try_from(more).unwrap_or(u64::MAX))),
    };
    Ok(Json(json!({"invalidated": forgotten, "removed": removed, "says": says})))
}

/// Forgets everything, so that the next answers are new.
pub async fn refresh(State(console): Shared, deed: Deed, Body(body): Body) -> Result<Json<Value>, ApiError> {
    let Why { reason } = Why::read(&body)?;
    let reason = deed.why(&console, &reason)?;
    let (forgotten, removed) =
        alone(console, move |console| forget(console, &What::All, &deed, &reason)).await?;
    Ok(Json(json!({"invalidated": forgotten, "removed": removed})))
}

/// What was forgotten, and how many answers that were.
fn forget(console: &Console, what: &What, deed: &Deed, reason: &str) -> Result<(Value, usize), ApiError> {
    let cache = &console.plan.cache;
    let (forgotten, object) = match what {
        What::Tag(tag) => {
            cache.invalidate_tag(tag);
            (json!({"tag": tag}), format!("tag {tag}"))
        }
        What::Organisation(organisation) => {
            cache.invalidate_organisation(organisation);
            (json!({"organisation": organisation}), format!("organisation {organisation}"))
        }
        What::All => {
            cache.invalidate_all();
            (json!({"all": true}), "everything".to_owned())
        }
    };
    let removed = console.sweep_cache();
    let change = (Value::Null, json!({"removed": removed}));
    console.record(&deed.entry(("cache.invalidate", &object), change, reason, None))?;
    Ok((forgotten, removed))
}

/// Every queue at a moment, and what it did since the start.
pub fn queue_figures(console: &Console) -> Vec<QueueMetrics> {
    let queues = console.plan.routes.iter().filter_map(|route| {
        let queue = route.queue.as_ref()?;
        let figures = queue.bulkhead.figures();
        let waiting = |priority: Priority| clamp(figures.waiting[priority.index()]);
        let [full, waited_too_long, shed] = figures.rejected;
        Some(QueueMetrics {
            path: route.path.clone(),
            in_flight: figures.in_flight,
            limit: figures.limit,
            is_adaptive: queue.bulkhead.is_adaptive(),
            capacity: queue.bulkhead.settings().queue,
            waiting: Waiting {
                low: waiting(Priority::Low),
                normal: waiting(Priority::Normal),
                high: waiting(Priority::High),
                critical: waiting(Priority::Critical),
            },
            backpressure: figures.backpressure,
            rejected: Rejected { full, waited_too_long, shed },
            waited: figures.waited,
            waited_ms_total: millis(figures.waited_total),
            waited_ms_longest: millis(figures.waited_longest),
        })
    });
    queues.collect()
}

pub async fn queues(State(console): Shared) -> Json<Vec<QueueMetrics>> {
    Json(queue_figures(&console))
}

fn clamp(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
