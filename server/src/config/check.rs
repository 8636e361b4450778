//! From what is written to what can be relied on.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use rad_model::{Quota, Share};
use rad_resilience::BreakerSettings;
use rad_resilience::limiter::MAX_WINDOWS;

use super::file::{self, File};
use super::{
    Action, GatewaySettings, KeySource, Problem, RolloutSettings, RouteSettings, SampleSettings, Settings,
    TargetSettings, UpstreamSettings, names,
};

const MAX_WORKERS: usize = 256;
const MAX_DURATION: Duration = Duration::from_secs(86_400);

/// The limits of a route that names none: SPEC'd defaults of the product.
const DEFAULT_LIMITS: [&str; 2] = ["200/minute", "1000/hour"];
/// Routes of the console's API that go through the gateway.
const SEARCH_ROUTE: (&str, &str) = ("/api/fetch-kibana-data", "10/minute");
const TEST_ROUTE: (&str, &str) = ("/api/test-rate-limit", "5/minute");

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, key: impl Into<String>, wrong: impl Into<String>) {
        self.0.push(Problem { key: key.into(), wrong: wrong.into() });
    }
}

pub(super) fn check(file: File) -> Result<Settings, Vec<Problem>> {
    let mut problems = Problems::default();
    let File { console, gateway, telemetry, storage, sample, upstreams, rollouts, routes } = file;

    if !console.listen.ip().is_loopback() {
        problems.add(
            "console.listen",
            format!(
                "{} is outside loopback, and no authentication is configured: whoever reaches the console could \
                 move traffic. This version has no login of its own yet; listen on 127.0.0.1 or [::1], and put a \
                 proxy that authenticates in front (a reverse proxy with single sign-on, or an SSH tunnel)",
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
    if gateway.workers > MAX_WORKERS {
        problems.add(
            "gateway.workers",
            format!("{} is too many: 0 (one per core) to {MAX_WORKERS}", gateway.workers),
        );
    }
    if !(1_000..=50_000_000).contains(&gateway.max_keys) {
        problems.add("gateway.max_keys", format!("{} is outside 1,000 to 50,000,000", gateway.max_keys));
    }
    if storage.path.as_os_str().is_empty() {
        problems.add("storage.path", "is empty: name a file, for example \"rad-monitor.db\"");
    }
    let sample = sample.map(|sample| check_sample(&sample, &mut problems));
    let upstream_names = upstreams.keys().cloned().enumerate().map(|(at, name)| (name, at)).collect();
    let upstreams: Vec<_> =
        upstreams.into_iter().map(|(name, upstream)| check_upstream(name, upstream, &mut problems)).collect();
    let rollout_names = rollouts.keys().cloned().enumerate().map(|(at, name)| (name, at)).collect();
    let rollouts = rollouts
        .into_iter()
        .map(|(name, rollout)| check_rollout(name, rollout, &upstream_names, &mut problems))
        .collect();
    let mut seen = HashSet::new();
    let mut checked = Vec::new();
    for (at, route) in routes.into_iter().enumerate() {
        let key = format!("routes[{at}] ({:?})", route.path);
        if !seen.insert(normal(&route.path)) {
            problems
                .add(format!("{key}.path"), "is the path of an earlier route too; each path may stand once");
        }
        checked.push(check_route(&key, route, &upstream_names, &rollout_names, &mut problems));
    }
    add_console_routes(&mut checked, &seen, &upstream_names);

    if !problems.0.is_empty() {
        return Err(problems.0);
    }
    let workers = match gateway.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS),
        workers => workers,
    };
    Ok(Settings {
        console: console.listen,
        gateway: GatewaySettings {
            listen: gateway.listen,
            workers,
            trusted_proxies: gateway.trusted_proxies,
            max_keys: gateway.max_keys,
        },
        prometheus: telemetry.prometheus,
        log: telemetry.log,
        storage: storage.path,
        sample,
        upstreams,
        rollouts,
        routes: checked,
    })
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
    if sample.requests_per_second > rad_model::LabState::MAX_RATE {
        problems.add(
            "sample.requests_per_second",
            format!("{} is too many: 0 to {}", sample.requests_per_second, rad_model::LabState::MAX_RATE),
        );
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
    if upstream.targets.is_empty() {
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
    let mut bounded = |field: &str, value: Duration| {
        if value < Duration::from_millis(1) || value > MAX_DURATION {
            problems.add(
                format!("{key}.{field}"),
                format!("{} is outside 1ms to 1day", humantime::format_duration(value)),
            );
        }
    };
    bounded("timeout", upstream.timeout);
    bounded("connect_timeout", upstream.connect_timeout);
    bounded("breaker.open_for", upstream.breaker.open_for);
    bounded("breaker.half_open_for", upstream.breaker.half_open_for);
    let mut counted = |field: &str, value: u32, most: u32| {
        if !(1..=most).contains(&value) {
            problems.add(format!("{key}.breaker.{field}"), format!("{value} is outside 1 to {most}"));
        }
    };
    counted("consecutive_failures", upstream.breaker.consecutive_failures, BreakerSettings::MAX_FAILURES);
    counted("successes_to_close", upstream.breaker.successes_to_close, BreakerSettings::MAX_PROBES);
    UpstreamSettings {
        name,
        targets,
        timeout: upstream.timeout,
        connect_timeout: upstream.connect_timeout,
        breaker: BreakerSettings {
            consecutive_failures: upstream.breaker.consecutive_failures,
            open_for: upstream.breaker.open_for,
            successes_to_close: upstream.breaker.successes_to_close,
            half_open_for: upstream.breaker.half_open_for,
        },
    }
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
            problems.add(
                format!("{key}.{field}"),
                format!("no upstream is named {upstream:?}; known: {}", names(upstreams)),
            );
            0
        })
    };
    let legacy = side("legacy", &rollout.legacy);
    let candidate = side("candidate", &rollout.candidate);
    if rollout.legacy == rollout.candidate {
        problems.add(format!("{key}.candidate"), "is the legacy upstream too; a rollout needs two");
    }
    let rises = rollout.stages.is_sorted_by(|a, b| a < b);
    if rollout.stages.is_empty() || !rises || rollout.stages.first() == Some(&Share::NONE) {
        problems
            .add(format!("{key}.stages"), "must rise from above 0 to at most 100, as in [10, 25, 50, 100]");
    }
    if !(rollout.target_success > 0.0 && rollout.target_success <= 1.0) {
        problems.add(
            format!("{key}.target_success"),
            format!("{} is outside 0 (excluded) to 1, as in 0.995", rollout.target_success),
        );
    }
    RolloutSettings {
        name,
        legacy,
        candidate,
        share: rollout.percent,
        stages: rollout.stages,
        target_success: rollout.target_success,
    }
}

fn check_route(
    key: &str,
    route: file::Route,
    upstreams: &BTreeMap<String, usize>,
    rollouts: &BTreeMap<String, usize>,
    problems: &mut Problems,
) -> RouteSettings {
    if !is_path(&route.path) {
        problems.add(format!("{key}.path"), "must begin with / and hold no space, ?, # or control character");
    }
    let action =
        match (&route.upstream, &route.rollout) {
            (Some(name), None) => upstreams.get(name).copied().map(Action::Upstream).ok_or_else(|| {
                (".upstream", format!("no upstream is named {name:?}; known: {}", names(upstreams)))
            }),
            (None, Some(name)) => rollouts.get(name).copied().map(Action::Rollout).ok_or_else(|| {
                (".rollout", format!("no rollout is named {name:?}; known: {}", names(rollouts)))
            }),
            (Some(_), Some(_)) => {
                Err((".rollout", "stands beside upstream; a route leads to one of them".to_owned()))
            }
            (None, None) => Err(("", "leads nowhere: name an upstream or a rollout".to_owned())),
        };
    let action = action.unwrap_or_else(|(field, wrong)| {
        problems.add(format!("{key}{field}"), wrong);
        Action::Ok
    });
    if route.rewrite.as_deref().is_some_and(|rewrite| !is_path(rewrite)) {
        problems
            .add(format!("{key}.rewrite"), "must begin with / and hold no space, ?, # or control character");
    }
    let limits =
        route.limits.unwrap_or_else(|| DEFAULT_LIMITS.iter().filter_map(|text| text.parse().ok()).collect());
    if limits.len() > MAX_WINDOWS {
        problems.add(format!("{key}.limits"), format!("are {}: at most {MAX_WINDOWS}", limits.len()));
    }
    let source = key_source(&route.key).unwrap_or_else(|| {
        problems.add(
            format!("{key}.key"),
            format!("{:?} is unknown: client, org, header:NAME or global", route.key),
        );
        KeySource::Client
    });
    RouteSettings { path: normal(&route.path), action, rewrite: route.rewrite, limits, key: source }
}

fn key_source(text: &str) -> Option<KeySource> {
    match text {
        "client" => Some(KeySource::Client),
        "org" => Some(KeySource::Org),
        "global" => Some(KeySource::Global),
        other => other.strip_prefix("header:")?.parse().ok().map(KeySource::Header),
    }
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
) {
    let mut add = |(path, limit): (&str, &str), action, rewrite: Option<&str>| {
        if !seen.contains(path) {
            let limits: Vec<Quota> = limit.parse().into_iter().collect();
            let rewrite = rewrite.map(ToOwned::to_owned);
            routes.push(RouteSettings {
                path: path.to_owned(),
                action,
                rewrite,
                limits,
                key: KeySource::Client,
            });
        }
    };
    if let Some(search) = upstreams.get("search") {
        add(SEARCH_ROUTE, Action::Upstream(*search), Some("/_search"));
    }
    add(TEST_ROUTE, Action::Ok, None);
}
