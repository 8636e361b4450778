use super::{Action, KeySource, SHIPPED, Settings};

fn errors(text: &str) -> String {
    Settings::parse(text, "test.toml").expect_err("an error").to_string()
}

#[test]
fn the_shipped_configuration_is_valid() {
    let settings = Settings::parse(SHIPPED, "shipped").unwrap();
    assert_eq!(settings.rollouts[0].share.percent(), 10.0);
    assert_eq!(settings.routes[0].action, Action::Rollout(0));
    assert!(settings.gateway.workers >= 1);
}

#[test]
fn an_empty_file_is_a_gateway_without_routes_of_its_own() {
    let settings = Settings::parse("", "empty").unwrap();
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
    let settings = Settings::parse(text, "test").unwrap();
    let limits: Vec<_> = settings.routes[0].limits.iter().map(ToString::to_string).collect();
    assert_eq!(limits, ["200/minute", "1000/hour"]);
    assert!(settings.routes[1].limits.is_empty());
    assert_eq!(settings.routes[1].path, "/free");
    assert!(matches!(&settings.routes[1].key, KeySource::Header(name) if name == "x-tenant"));
}

#[test]
fn syntax_errors_name_file_and_line() {
    let error = errors("[console]\nlisten = 5");
    assert!(error.contains("test.toml") && error.contains("line 2"), "{error}");
    let error = errors("[gateway]\nlissten = \"127.0.0.1:1\"");
    assert!(error.contains("lissten") && error.contains("trusted_proxies"), "{error}");
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
        "console.listen: 0.0.0.0:8000 is outside loopback",
        "gateway.workers: 1000 is too many: 0 (one per core) to 256",
        "upstreams.search.targets[0]: is no http address",
        "upstreams.search.targets[1]: must not hold a user name or password",
        "upstreams.search.timeout: 0s is outside 1ms to 1day",
        "upstreams.search.breaker.consecutive_failures: 0 is outside 1 to 16383",
        "rollouts.r.legacy: no upstream is named \"serch\"; known: \"search\"",
        "rollouts.r.stages: must rise",
        "rollouts.r.target_success: 1.5 is outside",
        "routes[0] (\"search\").path: must begin with /",
        "routes[0] (\"search\").upstream: no upstream is named \"sarch\"",
        "routes[0] (\"search\").key: \"cookie\" is unknown: client, org, header:NAME or global",
    ] {
        assert!(error.contains(part), "{part:?} is missing in:\n{error}");
    }
    assert!(!error.contains("hunter2"), "{error}");
    assert!(!error.contains("somewhere.example"), "{error}");
}

#[test]
fn impossible_limits_and_durations_say_what_is_allowed() {
    let route = |limits: &str| {
        format!(
            "[upstreams.a]\ntargets = [\"http://h\"]\n[[routes]]\npath = \"/\"\nupstream = \"a\"\nlimits = {limits}"
        )
    };
    let error = errors(&route("[\"0/minute\"]"));
    assert!(error.contains("line 6") && error.contains("would reject everything"), "{error}");
    let error = errors(&route("[\"1/s\", \"1/m\", \"1/h\", \"1/d\", \"2/d\"]"));
    assert!(error.contains("at most 4"), "{error}");
    let error = errors("[upstreams.a]\ntargets = [\"http://h\"]\ntimeout = \"soon\"");
    assert!(error.contains("line 3") && error.contains("\"30s\""), "{error}");
}
