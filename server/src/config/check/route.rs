//! What a route does besides limiting.

use std::collections::BTreeMap;
use std::time::Duration;

use rad_resilience::bulkhead::adaptive::{Adaptive, Aimd, Gradient, LimitBounds};
use rad_resilience::cache::Freshness;
use rad_resilience::retry::{Jitter, RetryBudget};
use rad_resilience::{Bulkhead, RetryPolicy, RetrySettings};

use super::super::file;
use super::super::read::Problems;
use super::super::{
    Action, FallbackSettings, HedgeSettings, QueueSettings, RetryRouteSettings, RolloutSettings,
    RouteCacheSettings, UpstreamSettings,
};
use super::unknown;

/// Where a route leads.
pub fn action(
    route: &file::Route,
    upstreams: &BTreeMap<String, usize>,
    rollouts: &BTreeMap<String, usize>,
    problems: &mut Problems,
) -> Action {
    let key = &route.key;
    let action = match (&route.upstream, &route.rollout) {
        (Some(name), None) => upstreams
            .get(name)
            .copied()
            .map(Action::Upstream)
            .ok_or_else(|| (".upstream", unknown("upstream", name, upstreams))),
        (None, Some(name)) => rollouts
            .get(name)
            .copied()
            .map(Action::Rollout)
            .ok_or_else(|| (".rollout", unknown("rollout", name, rollouts))),
        (Some(_), Some(_)) => {
            Err((".rollout", "stands beside upstream; a route leads to one of them".to_owned()))
        }
        (None, None) => Err(("", "leads nowhere: name an upstream or a rollout".to_owned())),
    };
    action.unwrap_or_else(|(field, wrong)| {
        // A name that could not be read leads nowhere, too: that has been said.
        if !field.is_empty()
            || !["upstream", "rollout"].iter().any(|name| problems.concern(&format!("{key}.{name}")))
        {
            problems.add(format!("{key}{field}"), wrong);
        }
        Action::Ok
    })
}

/// The longest time that what a route leads to may take.
pub fn longest_timeout(
    action: Action,
    upstreams: &[UpstreamSettings],
    rollouts: &[RolloutSettings],
) -> Option<Duration> {
    let asked = match action {
        Action::Ok => Vec::new(),
        Action::Upstream(at) => vec![at],
        Action::Rollout(at) => rollouts.get(at).map_or(Vec::new(), |both| vec![both.legacy, both.candidate]),
    };
    asked.into_iter().filter_map(|at| upstreams.get(at)).map(|upstream| upstream.timeout).max()
}

pub fn queue(key: &str, queue: &file::Queue, problems: &mut Problems) -> Option<QueueSettings> {
    let key = format!("{key}.queue");
    let (min, max) = file::Queue::ADAPTIVE_BOUNDS;
    if queue.adaptive.is_some() && !(min..=max).contains(&queue.bounds.limit) {
        let limit = queue.bounds.limit;
        problems.add(
            format!("{key}.limit"),
            format!("{limit} is where an adaptive limit cannot go; allowed beside adaptive: {min} to {max}"),
        );
        return None;
    }
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
    if cache.methods.is_empty() && !problems.concern(&format!("{key}.methods")) {
        problems.add(
            format!("{key}.methods"),
            "is empty: nothing would be kept; write [\"GET\"], or leave it out",
        );
    }
    if cache.ttl.is_some() && cache.tier.is_some() {
        problems.add(format!("{key}.tier"), "stands beside ttl; write one of them");
    }
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
    let mut tags: Vec<String> = cache.tags.iter().cloned().chain(tier).collect();
    tags.sort_unstable();
    tags.dedup();
    Some(RouteCacheSettings { freshness, tags, methods: cache.methods.clone() })
}

/// `timeout` is the longest that the upstream may take, if the route leads to one.
pub fn retry(
    key: &str,
    retry: &file::Retry,
    timeout: Option<Duration>,
    problems: &mut Problems,
) -> Option<RetryRouteSettings> {
    let key = format!("{key}.retry");
    if retry.statuses.is_empty() && !problems.concern(&format!("{key}.statuses")) {
        let wrong = "is empty; write at least one, such as [503], or leave it out: 502, 503 and 504";
        problems.add(format!("{key}.statuses"), wrong);
    }
    for (name, kind) in &retry.idle {
        problems.add(format!("{key}.{name}"), format!("changes nothing: jitter_kind is \"{kind}\""));
    }
    if let (Some(deadline), Some(timeout)) = (retry.settings.attempt_deadline, timeout)
        && deadline > timeout
    {
        let [deadline, timeout] = [deadline, timeout].map(humantime::format_duration);
        problems.add(
            format!("{key}.attempt_deadline"),
            format!("{deadline} is longer than all attempts may take: the upstream's timeout is {timeout}"),
        );
    }
    if let Some(timeout) = timeout
        && retry.settings.max_attempts > 1
        && shortest_wait(&retry.settings) >= timeout
        && !problems.concern(&format!("{key}.base"))
    {
        let [base, timeout] = [retry.settings.base, timeout].map(humantime::format_duration);
        problems.add(
            format!("{key}.base"),
            format!(
                "{base} leaves no time for another attempt: all of them share the upstream's timeout, {timeout}"
            ),
        );
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

/// The shortest time before a second attempt.
fn shortest_wait(settings: &RetrySettings) -> Duration {
    match settings.jitter {
        Jitter::Proportional(share) => settings.base.mul_f64((1.0 - share.percent() / 100.0).max(0.0)),
        Jitter::Full => Duration::ZERO,
        Jitter::Equal => settings.base / 2,
        Jitter::Decorrelated => settings.base,
    }
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
    action: Action,
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
            Some(at) if action == Action::Upstream(*at) => {
                problems
                    .add(format!("{key}.upstream"), "is the route's own; another one must stand in for it");
                None
            }
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
            let content_type = content_type.parse().ok().filter(|_| is_media_type(content_type));
            if content_type.is_none() {
                let wrong = "is no media type; write TYPE/SUBTYPE, such as \"application/json\"";
                problems.add(format!("{key}.content_type"), wrong);
            }
            let status = fallback.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
            let body = fallback.body.clone().unwrap_or_default();
            if matches!(status, 204 | 205 | 304) && !body.is_empty() {
                let wrong =
                    format!("{status} has no content, but body has; write another status, or body = \"\"");
                problems.add(format!("{key}.status"), wrong);
            }
            let status = http::StatusCode::from_u16(status).unwrap_or_default();
            Some(FallbackSettings::Answer { status, content_type: content_type?, body })
        }
    }
}

/// Whether a text is a type and a subtype (RFC 9110 §8.3.1), with or without parameters.
fn is_media_type(text: &str) -> bool {
    let is_token = |part: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !part.is_empty() && part.bytes().all(fits)
    };
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}
