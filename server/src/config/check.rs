//! From what is written to what can be relied on.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use rad_model::Quota;
use rad_resilience::cache::Tier;
use rad_resilience::{Policy, Strategy};

mod breaker;
mod cache;
mod flag;
mod limit;
mod rollout;
mod route;
mod shadow;

use super::file::{self, File, MAX_WORKERS};
use super::read::Problems;
use super::{
    Action, GatewaySettings, KeySource, LimitHeaders, RolloutSettings, RouteCacheSettings, RouteSettings,
    SampleSettings, Settings, TargetSettings, UpstreamSettings,
};
use crate::rollout::Stages;

/// Routes of the console's API that go through the gateway.
const SEARCH_ROUTE: (&str, &str) = ("/api/fetch-kibana-data", "10/minute");
const TEST_ROUTE: (&str, &str) = ("/api/test-rate-limit", "5/minute");

/// Checks what one key alone does not tell. Where anything is wrong the settings are not to be used.
pub(super) fn check(file: File, problems: &mut Problems) -> Settings {
    let File { console, gateway, telemetry, storage, cache, sample, upstreams, rollouts, routes, flags } =
        file;
    let collecting_bytes = cache::collecting(&cache, problems);

    let is_local = console.listen.ip().is_loopback();
    let auth = console.auth.map(|auth| auth.check(is_local, problems));
    if !is_local && auth.is_none() {
        problems.add(
            "console.listen",
            format!(
                "{} is outside loopback, and no authentication is configured: whoever reaches the console could \
                 move traffic. Write [console.auth] (all its keys have defaults; the first start tells where the \
                 administrator's password is), or listen on 127.0.0.1 or [::1]",
                console.listen
            ),
        );
    }
    let taken = [Some(console.listen), telemetry.prometheus];
    if gateway.listen.port() != 0 && taken.contains(&Some(gateway.listen)) {
        problems.add(
            "gateway.listen",
            format!("{} is listened on already; each needs its own port", gateway.listen),
        );
    }
    if console.listen.port() != 0 && telemetry.prometheus == Some(console.listen) {
        problems.add(
            "telemetry.prometheus",
            format!("{} is the console's; each needs its own port", console.listen),
        );
    }
    let sample = sample.map(|sample| check_sample(&sample, problems));
    let upstream_names = upstreams.keys().cloned().enumerate().map(|(at, name)| (name, at)).collect();
    let upstreams: Vec<_> =
        upstreams.into_iter().map(|(name, upstream)| check_upstream(name, upstream, problems)).collect();
    let rollout_names = rollouts.keys().cloned().enumerate().map(|(at, name)| (name, at)).collect();
    let rollouts: Vec<_> = rollouts
        .into_iter()
        .map(|(name, rollout)| check_rollout(name, rollout, &upstream_names, problems))
        .collect();
    let mut seen = HashSet::new();
    let mut checked = Vec::new();
    for route in routes {
        if !seen.insert(normal(&route.path)) {
            problems.add(
                format!("{}.path", route.key),
                "is the path of an earlier route too; each path may stand once",
            );
        }
        let action = route::action(&route, &upstream_names, &rollout_names, problems);
        let timeout = route::longest_timeout(action, &upstreams, &rollouts);
        let limit_headers = route.limit_headers.unwrap_or(gateway.limit_headers);
        let (key, hedge) = (route.key.clone(), route.hedge);
        let route = check_route(route, action, timeout, &upstream_names, problems);
        let asked = asked(route.action, &upstreams, &rollouts);
        let hedge = hedge.and_then(|hedge| route::hedge(&key, &hedge, &asked, problems));
        checked.push(RouteSettings { limit_headers, hedge, ..route });
    }
    add_console_routes(&mut checked, &seen, &upstream_names, gateway.limit_headers);

    let workers = match gateway.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS as usize),
        workers => workers as usize,
    };
    Settings {
        profile: None,
        console: console.listen,
        hosts: console.hosts,
        auth,
        origins: console.origins,
        gateway: GatewaySettings {
            listen: gateway.listen,
            workers,
            trusted_proxies: gateway.trusted_proxies,
            max_keys: gateway.max_keys as usize,
            block: gateway.block.map(|block| block.check(problems)),
        },
        prometheus: telemetry.prometheus,
        log: telemetry.log,
        storage: storage.path,
        sample,
        cache: cache.kept,
        collecting_bytes,
        upstreams,
        rollouts,
        routes: checked,
        flags: flag::check(flags, problems),
    }
}

fn check_sample(sample: &file::Sample, problems: &mut Problems) -> SampleSettings {
    for (key, address) in [("sample.legacy", sample.legacy), ("sample.candidate", sample.candidate)] {
        if !address.ip().is_loopback() {
            problems.add(
                key,
                "is outside loopback: sample upstreams are for this machine only, as in \"127.0.0.1:9201\"",
            );
        }
    }
    if sample.legacy == sample.candidate && sample.legacy.port() != 0 {
        problems.add("sample.candidate", "is the address of sample.legacy too; each needs its own");
    }
    SampleSettings {
        legacy: sample.legacy,
        candidate: sample.candidate,
        requests_per_second: sample.requests_per_second,
    }
}

fn check_name(key: &str, name: &str, problems: &mut Problems) {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        problems.add(key, "is no name: 1 to 64 letters, digits, '-', '_' or '.'");
    }
}

fn check_upstream(name: String, upstream: file::Upstream, problems: &mut Problems) -> UpstreamSettings {
    let key = format!("upstreams.{name}");
    check_name(&key, &name, problems);
    if upstream.targets.is_empty() && !problems.concern(&format!("{key}.targets")) {
        problems
            .add(format!("{key}.targets"), "is empty: name at least one, as in [\"http://127.0.0.1:9200\"]");
    }
    let mut targets = Vec::new();
    for (at, text) in upstream.targets.iter().enumerate() {
        match target(text) {
            Ok(target) => targets.push(target),
            Err(wrong) => problems.add(format!("{key}.targets[{at}]"), wrong),
        }
    }
    let breaker = breaker::policy(&format!("{key}.breaker"), &upstream, problems);
    let file::Upstream { timeout, connect_timeout, .. } = upstream;
    UpstreamSettings { name, targets, timeout, connect_timeout, breaker }
}

/// Errors leave out the text itself: it may hold a password.
fn target(text: &str) -> Result<TargetSettings, String> {
    let allowed = "write http://HOST:PORT, as in \"http://127.0.0.1:9200\"";
    let url = url::Url::parse(text).map_err(|error| format!("is no address ({error}): {allowed}"))?;
    if url.scheme() == "https" {
        return Err(format!("https towards upstreams is not supported yet: {allowed}"));
    }
    if url.scheme() != "http" {
        return Err(format!("is no http address: {allowed}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("must not hold a user name or password: {allowed}"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("must not hold a query or fragment: {allowed}"));
    }
    let host = url.host_str().ok_or_else(|| format!("has no host: {allowed}"))?.to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    Ok(TargetSettings { host, port, base: url.path().trim_end_matches('/').to_owned() })
}

fn check_rollout(
    name: String,
    rollout: file::Rollout,
    upstreams: &BTreeMap<String, usize>,
    problems: &mut Problems,
) -> RolloutSettings {
    let key = format!("rollouts.{name}");
    check_name(&key, &name, problems);
    let mut side = |field: &str, upstream: &str| {
        upstreams.get(upstream).copied().unwrap_or_else(|| {
            problems.add(format!("{key}.{field}"), unknown("upstream", upstream, upstreams));
            0
        })
    };
    let legacy = side("legacy", &rollout.legacy);
    let candidate = side("candidate", &rollout.candidate);
    if rollout.legacy == rollout.candidate {
        problems.add(format!("{key}.candidate"), "is the legacy upstream too; a rollout needs two");
    }
    let mut stages = Stages::new(&rollout.stages, rollout.bake).unwrap_or_else(|wrong| {
        if !problems.concern(&format!("{key}.stages")) {
            problems.add(format!("{key}.stages"), format!("{wrong}, as in [10, 25, 50, 100]"));
        }
        Stages::to_all(rollout.bake)
    });
    stages.gated = rollout.gated;
    stages.rolls_back = rollout.rolls_back;
    rollout::empty_tables(&key, &rollout, problems);
    shadow::check(&key, &rollout.shadow, problems);
    RolloutSettings {
        name,
        legacy,
        candidate,
        share: rollout.percent,
        stages,
        least: rollout.least.into(),
        target: rollout.target,
        assign: rollout.assign,
        overrides: rollout.overrides,
        latency: rollout.latency,
        start_at: rollout.start_at,
        calendar: rollout.calendar,
        shadow: rollout.shadow,
    }
}

fn check_route(
    route: file::Route,
    action: Action,
    timeout: Option<Duration>,
    upstreams: &BTreeMap<String, usize>,
    problems: &mut Problems,
) -> RouteSettings {
    let key = &route.key;
    if !is_path(&route.path) {
        problems.add(format!("{key}.path"), "must begin with / and hold no space, ?, # or control character");
    }
    if route.rewrite.as_deref().is_some_and(|rewrite| !is_path(rewrite)) {
        problems
            .add(format!("{key}.rewrite"), "must begin with / and hold no space, ?, # or control character");
    }
    let policy = limit::policy(key, &route, problems);
    let limit_wait = limit::wait(key, &route, policy.as_ref(), problems);
    let queue = route.queue.as_ref().and_then(|queue| route::queue(key, queue, problems));
    let cache = route.cache.as_ref().and_then(|cache| route::cache(key, cache, problems));
    let retry = route.retry.as_ref().and_then(|retry| route::retry(key, retry, timeout, problems));
    let fallback = route.fallback.as_ref();
    let fallback = fallback.and_then(|fallback| route::fallback(key, fallback, action, upstreams, problems));
    let path = normal(&route.path);
    let rewrite = route.rewrite;
    let limit_headers = route.limit_headers.unwrap_or_default();
    let source = route.counted_by;
    RouteSettings {
        path,
        action,
        rewrite,
        policy,
        key: source,
        limit_headers,
        limit_wait,
        queue,
        cache,
        retry,
        hedge: None,
        fallback,
    }
}

/// The upstreams that an action may ask.
fn asked<'u>(
    action: Action,
    upstreams: &'u [UpstreamSettings],
    rollouts: &[RolloutSettings],
) -> Vec<&'u UpstreamSettings> {
    let positions = match action {
        Action::Ok => Vec::new(),
        Action::Upstream(at) => vec![at],
        Action::Rollout(at) => {
            rollouts.get(at).map(|rollout| vec![rollout.legacy, rollout.candidate]).unwrap_or_default()
        }
    };
    positions.into_iter().filter_map(|at| upstreams.get(at)).collect()
}

/// That a name is not known, and which are.
fn unknown(what: &str, name: &str, known: &BTreeMap<String, usize>) -> String {
    let names: Vec<_> = known.keys().map(|name| format!("{name:?}")).collect();
    let names = if names.is_empty() { "none is configured".to_owned() } else { names.join(", ") };
    format!("no {what} is named {name:?}; known: {names}")
}

fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '?' | '#'))
        && path.is_ascii()
}

/// A prefix means the same with and without a slash at its end.
fn normal(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}

/// The parts of the console's API that run through the gateway's pipeline, unless the operator has said
/// otherwise about their paths.
fn add_console_routes(
    routes: &mut Vec<RouteSettings>,
    seen: &HashSet<String>,
    upstreams: &BTreeMap<String, usize>,
    limit_headers: LimitHeaders,
) {
    let mut add = |(path, limit): (&str, &str), action, rewrite: Option<&str>, cache| {
        if !seen.contains(path) {
            let limits: Vec<Quota> = limit.parse().into_iter().collect();
            let policy = Policy::new(Strategy::TokenBucket, &limits).ok();
            let rewrite = rewrite.map(ToOwned::to_owned);
            routes.push(RouteSettings {
                path: path.to_owned(),
                action,
                rewrite,
                policy,
                key: KeySource::Client,
                limit_headers,
                limit_wait: None,
                queue: None,
                cache,
                retry: None,
                hedge: None,
                fallback: None,
            });
        }
    };
    if let Some(search) = upstreams.get("search") {
        let tier = Tier::SearchResults;
        let cache = RouteCacheSettings {
            freshness: tier.freshness(),
            tags: vec![tier.tag().to_owned()],
            methods: vec![http::Method::POST],
        };
        add(SEARCH_ROUTE, Action::Upstream(*search), Some("/_search"), Some(cache));
    }
    add(TEST_ROUTE, Action::Ok, None, None);
}
