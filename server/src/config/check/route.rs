//! What a route does besides limiting.

use std::collections::BTreeMap;

use rad_resilience::bulkhead::adaptive::{Adaptive, Aimd, Gradient, LimitBounds};
use rad_resilience::cache::Freshness;
use rad_resilience::retry::RetryBudget;
use rad_resilience::{Bulkhead, RetryPolicy};

use super::super::file;
use super::super::read::Problems;
use super::super::{
    FallbackSettings, HedgeSettings, QueueSettings, RetryRouteSettings, RouteCacheSettings, UpstreamSettings,
};
use super::unknown;

pub fn queue(key: &str, queue: &file::Queue, problems: &mut Problems) -> Option<QueueSettings> {
    let key = format!("{key}.queue");
    let (min, max) = file::Queue::ADAPTIVE_BOUNDS;
    let adaptive = match queue.adaptive {
        None => None,
        Some(kind) => {
            let made = LimitBounds::new(min, max).and_then(|bounds| {
                Ok(match kind {
                    file::Adaptive::Gradient => Adaptive::from(Gradient::new(bounds, 1.5, 0.2)?),
                    file::Adaptive::Aimd => Adaptive::from(Aimd::new(bounds, 0.9)?),
                })
            });
            Some(made.map_err(|wrong| problems.add(format!("{key}.adaptive"), wrong.to_string())).ok()?)
        }
    };
    let bulkhead = match adaptive {
        None => Bulkhead::new(queue.bounds),
        Some(adaptive) => Bulkhead::adaptive(queue.bounds, adaptive),
    };
    let bulkhead = bulkhead.map_err(|wrong| problems.add(key.clone(), wrong.to_string())).ok()?;
    let priority = match &queue.priority {
        None => None,
        Some(name) => Some(
            name.parse()
                .map_err(|_| {
                    problems.add(format!("{key}.priority"), format!("{name:?} is no name of a header"))
                })
                .ok()?,
        ),
    };
    Some(QueueSettings { bulkhead, priority })
}

pub fn cache(key: &str, cache: &file::RouteCache, problems: &mut Problems) -> Option<RouteCacheSettings> {
    let key = format!("{key}.cache");
    let ttl = match (cache.ttl, cache.tier) {
        (Some(ttl), _) => ttl,
        (None, Some(tier)) => tier.freshness().ttl(),
        (None, None) => {
            if !problems.concern(&key) {
                problems.add(key, "says not for how long: write ttl, such as ttl = \"30s\", or tier");
            }
            return None;
        }
    };
    let freshness = Freshness::new(ttl)
        .and_then(|freshness| freshness.stale_while_revalidate(cache.stale_while_revalidate))
        .and_then(|freshness| freshness.stale_if_error(cache.stale_if_error))
        .map_err(|wrong| problems.add(key, wrong.to_string()))
        .ok()?;
    let tier = cache.tier.map(|tier| tier.tag().to_owned());
    let tags = cache.tags.iter().cloned().chain(tier).collect();
    Some(RouteCacheSettings { freshness, tags, methods: cache.methods.clone() })
}

pub fn retry(key: &str, retry: &file::Retry, problems: &mut Problems) -> Option<RetryRouteSettings> {
    let key = format!("{key}.retry");
    if let Some(kind) = retry.idle_jitter {
        problems.add(format!("{key}.jitter"), format!("has nothing to say: jitter_kind is {kind}"));
    }
    for (at, status) in retry.statuses.iter().enumerate() {
        if retry.statuses[..at].contains(status) {
            problems.add(format!("{key}.statuses[{at}]"), format!("{status} stands twice; once is enough"));
        }
    }
    let policy =
        RetryPolicy::new(retry.settings).map_err(|wrong| problems.add(key.clone(), wrong.to_string()));
    let budget = RetryBudget::new(retry.budget)
        .map_err(|wrong| problems.add(format!("{key}.budget"), wrong.to_string()));
    budget.ok()?;
    Some(RetryRouteSettings { policy: policy.ok()?, statuses: retry.statuses.clone(), budget: retry.budget })
}

/// `upstreams` are those that the route may ask.
pub fn hedge(
    key: &str,
    hedge: &file::Hedge,
    upstreams: &[&UpstreamSettings],
    problems: &mut Problems,
) -> Option<HedgeSettings> {
    let after = hedge.after?;
    if let Some(upstream) = upstreams.iter().find(|upstream| upstream.timeout <= after) {
        let timeout = humantime::format_duration(upstream.timeout);
        problems.add(
            format!("{key}.hedge.after"),
            format!("is not before the timeout of {} ({timeout}): it would never happen", upstream.name),
        );
    }
    Some(HedgeSettings { after, max: hedge.max })
}

pub fn fallback(
    key: &str,
    fallback: &file::Fallback,
    upstreams: &BTreeMap<String, usize>,
    problems: &mut Problems,
) -> Option<FallbackSettings> {
    let key = format!("{key}.fallback");
    let has_answer = fallback.status.is_some() || fallback.body.is_some() || fallback.content_type.is_some();
    match &fallback.upstream {
        Some(_) if has_answer => {
            problems.add(key, "holds an upstream and an answer; write one of them");
            None
        }
        Some(name) => match upstreams.get(name) {
            Some(at) => Some(FallbackSettings::Upstream(*at)),
            None => {
                problems.add(format!("{key}.upstream"), unknown("upstream", name, upstreams));
                None
            }
        },
        None if fallback.body.is_none() => {
            if !problems.concern(&key) {
                problems.add(key, "is empty: write body (and status, content_type), or upstream");
            }
            None
        }
        None => {
            let content_type = fallback.content_type.as_deref().unwrap_or("application/json");
            let content_type = content_type
                .parse()
                .map_err(|_| problems.add(format!("{key}.content_type"), "is no media type"))
                .ok()?;
            let status = fallback.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
            Some(FallbackSettings::Answer {
                status: http::StatusCode::from_u16(status).unwrap_or_default(),
                content_type,
                body: fallback.body.clone().unwrap_or_default(),
            })
        }
    }
}
