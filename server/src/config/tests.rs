mod limits;
mod origins;
mod rollouts;
mod shadows;
mod steps;
mod upstreams;

use super::{Action, ConfigError, KeySource, Overlay, Profile, SHIPPED, Settings};

fn parse(text: &str) -> Result<Settings, ConfigError> {
    Settings::parse(text, "test.toml", &Overlay::default())
}

fn over(profile: Option<Profile>, variables: &[(&str, &str)]) -> Overlay {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Overlay { profile, variables: variables.iter().map(owned).collect() }
}

fn errors(text: &str) -> String {
    parse(text).expect_err("an error").to_string()
}

#[test]
fn the_shipped_configuration_is_valid() {
    let settings = parse(SHIPPED).unwrap();
    assert_eq!(settings.rollouts[0].share.percent(), 10.0);
    assert_eq!(settings.routes[0].action, Action::Rollout(0));
    assert!(settings.gateway.workers >= 1);
}

#[test]
fn an_empty_file_is_a_gateway_without_routes_of_its_own() {
    let settings = parse("").unwrap();
    assert_eq!(settings.routes.len(), 1);
    assert_eq!(settings.routes[0].path, "/api/test-rate-limit");
    assert!(settings.sample.is_none());
}

#[test]
fn a_route_without_limits_gets_the_default_ones_and_an_empty_list_gets_none() {
    let text = r#"
        [upstreams.a]
        targets = ["http://127.0.0.1:1"]
        [[routes]]
        path = "/"
        upstream = "a"
        [[routes]]
        path = "/free/"
        upstream = "a"
        limits = []
        key = "header:X-Tenant"
    "#;
    let settings = parse(text).unwrap();
    let limits: Vec<_> = settings.routes[0].limits().iter().map(ToString::to_string).collect();
    assert_eq!(limits, ["200/minute", "1000/hour"]);
    assert!(settings.routes[1].limits().is_empty());
    assert_eq!(settings.routes[1].path, "/free");
    assert!(matches!(&settings.routes[1].key, KeySource::Header(name) if name == "x-tenant"));
}

#[test]
fn what_is_no_toml_is_told_by_line_and_never_repeated() {
    let error = errors("[console]\nlisten = 127.0.0.1:0\npassword = hunter2\n\n[gateway]\nworkers 2");
    for part in ["test.toml: 3 things", "line 2: is no TOML", "line 3: is no TOML", "line 6: is no TOML"] {
        assert!(error.contains(part), "{part:?} is missing in:\n{error}");
    }
    assert!(!error.contains("hunter2"), "{error}");
    let error = errors("[console]\nlisten = \"127.0.0.1:0\"\nlisten = \"127.0.0.1:0\"");
    assert!(error.contains("line 3: is no TOML: duplicate key"), "{error}");
}

#[test]
fn values_of_the_wrong_type_are_told_all_at_once_with_line_and_what_is_allowed() {
    let error = errors(
        r#"[console]
listen = 8000
[gateway]
workers = "four"
max_keys = 1.5
trusted_proxies = "10.0.0.0/8"
[telemetry]
log = "jsn"
prometheus = true
[storage]
path = ["a"]
[sample]
legacy = "127.0.0.1:1"
[upstreams.search]
targets = "http://user:hunter2@h"
timeout = 30
connect_timeout = "soon"
breaker = { open_for = "2days", successes_to_close = -1 }
[upstreams.other]
targets = [80, "http://h"]
breaker = 5
[rollouts.r]
legacy = "search"
candidate = 7
percent = "10%"
stages = [10, 200]
[[routes]]
path = "/search"
upstream = ["search"]
limits = ["0/minute", 5]
[[routes]]
path = 1
rollout = "r"
rewrite = 1979-05-27
"#,
    );
    for part in [
        "line 2: console.listen: 8000 is not an address to listen on; write IP:PORT",
        "line 4: gateway.workers: \"four\" is not a whole number; allowed: 0 (one per core) to 256",
        "line 5: gateway.max_keys: 1.5 is not a whole number; allowed: 1,000 to 50,000,000",
        "line 6: gateway.trusted_proxies: \"10.0.0.0/8\" is not a list; write [...] with each item a network",
        "line 8: telemetry.log: \"jsn\" is not a log format; write \"json\", \"pretty\" or \"off\"",
        "line 9: telemetry.prometheus: true is not an address",
        "line 11: storage.path: a list is not the name of a file",
        "line 12: sample.candidate: is missing; it is an address to listen on",
        "line 15: upstreams.search.targets: this is not a list",
        "line 16: upstreams.search.timeout: 30 is not a duration; write it with a unit, such as \"30s\" (allowed 1ms to 1day)",
        "line 17: upstreams.search.connect_timeout: \"soon\" is not a duration",
        "line 18: upstreams.search.breaker.open_for: \"2days\" is out of range; write it with a unit",
        "line 18: upstreams.search.breaker.successes_to_close: -1 is out of range; allowed: 1 to",
        "line 20: upstreams.other.targets[0]: 80 is not a text; write http://HOST:PORT",
        "line 21: upstreams.other.breaker: 5 is not a table",
        "line 24: rollouts.r.candidate: 7 is not a text; write the name of an upstream",
        "line 25: rollouts.r.percent: \"10%\" is not a share; write a number of percent, 0 to 100",
        "line 26: rollouts.r.stages[1]: 200 is out of range",
        "line 29: routes[0] (\"/search\").upstream: a list is not a text",
        "line 30: routes[0] (\"/search\").limits[0]: \"0/minute\" is no limit: a limit of 0 would reject everything",
        "line 30: routes[0] (\"/search\").limits[1]: 5 is not a limit; write REQUESTS/WINDOW",
        "line 32: routes[1].path: 1 is not a text",
        "line 34: routes[1].rewrite: 1979-05-27 is not a text",
    ] {
        assert!(error.contains(part), "{part:?} is missing in:\n{error}");
    }
    // And nothing that only follows from these.
    assert!(error.contains("23 things are wrong"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn an_unknown_key_is_told_with_its_line_and_the_nearest_known_one() {
    let error = errors("[gateway]\nlissten = \"127.0.0.1:1\"\n[upstream.a]\n[telemetry]\nzzz = 1");
    for part in [
        "line 2: gateway.lissten: is no key; did you mean listen? known: listen, workers, trusted_proxies",
        "line 3: upstream: is no key; did you mean upstreams? known: console",
        "line 5: telemetry.zzz: is no key; known: prometheus, log",
    ] {
        assert!(error.contains(part), "{part:?} is missing in:\n{error}");
    }
}

#[test]
fn tables_of_the_wrong_shape_are_told_how_to_write() {
    let error = errors("gateway = 8080\nupstreams = []\n[routes]\npath = \"/\"");
    for part in [
        "line 1: gateway: 8080 is not a table; write [gateway]",
        "line 2: upstreams: a list is not a table of tables; write [upstreams.NAME]",
        "line 3: routes: a table is not a list of tables; write [[routes]]",
    ] {
        assert!(error.contains(part), "{part:?} is missing in:\n{error}");
    }
}

#[test]
fn every_problem_is_told_at_once_with_its_key_and_what_is_allowed() {
    let error = errors(
        r#"
        [console]
        listen = "0.0.0.0:8000"
        [gateway]
        workers = 1000
        [upstreams.search]
        targets = ["ftp://somewhere.example:9200", "http://user:hunter2@h"]
        timeout = "0s"
        breaker = { consecutive_failures = 0 }
        [rollouts.r]
        legacy = "serch"
        candidate = "search"
        stages = [50, 10]
        target_success = 1.5
        [[routes]]
        path = "search"
        upstream = "sarch"
        key = "cookie"
    "#,
    );
    for part in [
        "line 3: console.listen: 0.0.0.0:8000 is outside loopback",
        "line 5: gateway.workers: 1000 is out of range; allowed: 0 (one per core) to 256",
        "upstreams.search.targets[0]: is no http address",
        "upstreams.search.targets[1]: must not hold a user name or password",
        "line 8: upstreams.search.timeout: \"0s\" is out of range; write it with a unit, such as \"30s\"",
        "upstreams.search.breaker.consecutive_failures: 0 is out of range; allowed: 1 to 16383",
        "rollouts.r.legacy: no upstream is named \"serch\"; known: \"search\"",
        "rollouts.r.stages: stage 2 is 10 %, and the one before 50 %; each must be more than the one before, as in",
        "rollouts.r.target_success: 1.5 is out of range; write a number from 0.5 to 0.99999",
        "routes[0] (\"search\").path: must begin with /",
        "routes[0] (\"search\").upstream: no upstream is named \"sarch\"",
        "routes[0] (\"search\").key: \"cookie\" is unknown: client, org, header:NAME, cookie:NAME, route or global",
    ] {
        assert!(error.contains(part), "{part:?} is missing in:\n{error}");
    }
    assert!(!error.contains("hunter2"), "{error}");
    assert!(!error.contains("somewhere.example"), "{error}");
}

const WITH_PROFILES: &str = r#"
[gateway]
workers = 2
max_keys = 5000
[upstreams.search-next]
targets = ["http://h:1"]
[[routes]]
path = "/"
upstream = "search-next"
[profile.production]
gateway.workers = 8
upstreams.search-next.targets = ["http://a:1", "http://b:1"]
[profile.staging.gateway]
workers = "many"
"#;

#[test]
fn a_profile_lies_over_the_file_and_the_environment_over_both() {
    let read = |overlay| Settings::parse(WITH_PROFILES, "test.toml", &overlay);
    let base = read(over(None, &[])).unwrap();
    assert_eq!((base.gateway.workers, base.upstreams[0].targets.len()), (2, 1));
    let production = read(over(Some(Profile::Production), &[])).unwrap();
    assert_eq!((production.gateway.workers, production.upstreams[0].targets.len()), (8, 2));
    assert_eq!(production.gateway.max_keys, 5_000);
    // A profile that the file does not have changes nothing.
    assert_eq!(read(over(Some(Profile::Development), &[])).unwrap().gateway.workers, 2);
    let variables = [
        ("RAD_GATEWAY__WORKERS", "3"),
        ("RAD_CONSOLE__LISTEN", "127.0.0.1:9000"),
        ("RAD_UPSTREAMS__SEARCH_NEXT__TIMEOUT", "7s"),
        ("RAD_ROUTES__0__LIMITS", "[\"5/minute\"]"),
        ("RAD_GATEWAY__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
        ("RAD_SECRET_SOMETHING__ELSE", "hunter2"),
        ("RAD_MONITOR", "of no concern"),
    ];
    let changed = read(over(Some(Profile::Production), &variables)).unwrap();
    assert_eq!((changed.gateway.workers, changed.console.port()), (3, 9000));
    assert_eq!(changed.upstreams[0].timeout.as_secs(), 7);
    assert_eq!(changed.routes[0].limits()[0].to_string(), "5/minute");
    assert_eq!(changed.gateway.trusted_proxies.len(), 1);
}

#[test]
fn what_is_wrong_in_a_profile_or_the_environment_is_told_by_line_or_variable() {
    let variables = [
        ("RAD_CONSOLE__LISTEN", "nowhere"),
        ("RAD_CONSOL__LISTEN", "127.0.0.1:1"),
        ("RAD_ROUTES__7__PATH", "/"),
        ("RAD_GATEWAY__TRUSTED_PROXIES", "[\"x\"]"),
        ("RAD_UPSTREAMS__SEARCH_NEXT__TARGETS", "http://user:hunter2@h"),
    ];
    let overlay = over(Some(Profile::Staging), &variables);
    let text = WITH_PROFILES.to_owned() + "[profile.prodution]\n";
    let error = Settings::parse(&text, "test.toml", &overlay).unwrap_err().to_string();
    for part in [
        "line 14: gateway.workers: \"many\" is not a whole number",
        "line 15: profile.prodution: is no profile; did you mean production? known: development, staging, production",
        "RAD_CONSOLE__LISTEN: console.listen: \"nowhere\" is not an address to listen on",
        "RAD_CONSOL__LISTEN: consol: is no key; did you mean console?",
        "RAD_ROUTES__7__PATH: leads to no key; write RAD_TABLE__KEY",
        "RAD_GATEWAY__TRUSTED_PROXIES: gateway.trusted_proxies[0]: \"x\" is not a network",
        "RAD_UPSTREAMS__SEARCH_NEXT__TARGETS: upstreams.search-next.targets: this is not a list",
    ] {
        assert!(error.contains(part), "{part:?} is missing in:\n{error}");
    }
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn every_tier_is_written_as_the_error_names_it() {
    let tiers = ["statistics_overview", "distributions", "trends", "counts", "search_results"];
    let written = |tier: &str| {
        format!(
            "[upstreams.u]\ntargets = [\"http://127.0.0.1:1\"]\n[[routes]]\npath = \"/\"\nupstream = \"u\"\n\
             cache = {{ tier = \"{tier}\" }}\n"
        )
    };
    let lives = tiers.map(|tier| {
        let settings = Settings::parse(&written(tier), "test.toml", &over(None, &[])).unwrap();
        settings.routes[0].cache.as_ref().unwrap().freshness.ttl().as_secs()
    });
    assert_eq!(lives, [300, 300, 600, 30, 120]);
    let error = Settings::parse(&written("search"), "test.toml", &over(None, &[])).unwrap_err().to_string();
    for tier in tiers {
        assert!(error.contains(tier), "{error}");
    }
}
