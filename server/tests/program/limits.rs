//! Limits on real traffic: what callers are told.

use http::StatusCode;

use crate::support::{Answer, Behaviour, Program, Upstream, eventually, failing_start, get, get_with};

/// A gateway with one route `/` with these keys.
async fn limited(keys: &str) -> (Upstream, Program) {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&route(&upstream, keys));
    (upstream, program)
}

fn route(upstream: &Upstream, keys: &str) -> String {
    format!("{}[[routes]]\npath = \"/\"\nupstream = \"u\"\n{keys}\n", upstream.table("u", ""))
}

/// The items of a field of the draft, each with its name and parameters.
fn items(answer: &Answer, field: &str) -> Vec<(String, Vec<(String, u64)>)> {
    let item = |item: &str| {
        let mut parts = item.split(';');
        let name = parts.next().unwrap().trim_matches('"').to_owned();
        let parameter = |part: &str| {
            let (key, value) = part.split_once('=').unwrap();
            (key.to_owned(), value.parse().unwrap())
        };
        (name, parts.map(parameter).collect())
    };
    answer.header(field).split(", ").map(item).collect()
}

#[tokio::test]
async fn every_window_is_told_in_the_fields_of_the_draft_allowed_or_not() {
    let (_upstream, program) = limited("limits = [\"2/minute\", \"50/hour\"]").await;
    for (remaining, status) in [(1, 200), (0, 200), (0, 429)] {
        let answer = get(program.gateway, "/").await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.header("ratelimit-policy"), r#""minute";q=2;w=60, "hour";q=50;w=3600"#);
        let told = items(&answer, "ratelimit");
        assert_eq!((told[0].0.as_str(), told[1].0.as_str()), ("minute", "hour"));
        assert_eq!(told[0].1[0], ("r".to_owned(), remaining));
        let (key, wait) = &told[0].1[1];
        assert!(key == "t" && (1..=30).contains(wait), "{told:?}");
        assert!(answer.number("x-ratelimit-remaining") == remaining);
        if status == 429 {
            // Not before there is more.
            assert!(answer.number("retry-after") >= *wait);
        }
    }
}

#[tokio::test]
async fn a_route_may_say_which_fields_it_wants_and_the_gateway_for_all() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&format!(
        "{}[[routes]]\npath = \"/x\"\nupstream = \"u\"\nlimit_headers = [\"x\"]\n\
         [[routes]]\npath = \"/none\"\nupstream = \"u\"\nlimit_headers = []\n",
        route(&upstream, "")
    ));
    let told = |answer: &Answer| {
        ["x-ratelimit-limit", "ratelimit", "ratelimit-policy", "retry-after"]
            .map(|name| answer.headers.contains_key(name))
    };
    assert_eq!(told(&get(program.gateway, "/").await), [true; 4]);
    assert_eq!(told(&get(program.gateway, "/x").await), [true, false, false, true]);
    assert_eq!(told(&get(program.gateway, "/none").await), [false, false, false, true]);
    let wrong = failing_start(&["check", "--config", "test.toml"], "[gateway]\nlimit_headers = [\"X\"]");
    assert!(
        wrong.contains("gateway.limit_headers[0]: \"X\" is not a kind of headers; write \"x\""),
        "{wrong}"
    );
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_answer_from_the_cache_tells_of_the_one_who_asks_now() {
    let (upstream, program) = limited("limits = [\"9/minute\"]\ncache = { ttl = \"1m\" }").await;
    for remaining in [8, 7] {
        let answer = get(program.gateway, "/").await;
        assert_eq!(answer.headers.get_all("ratelimit").iter().count(), 1);
        assert_eq!(items(&answer, "ratelimit")[0].1[0].1, remaining);
    }
    assert_eq!(upstream.asked(), 1);
}

/// What `/api/limits` says of the route `/`.
async fn state(program: &Program, name: &str) -> u64 {
    let limits = get(program.console, "/api/limits").await.json();
    let route = limits.as_array().unwrap().iter().find(|route| route["path"] == "/").unwrap();
    route[name].as_u64().unwrap_or_else(|| panic!("no {name} in {route}"))
}

#[tokio::test]
async fn who_is_over_the_limit_waits_for_its_turn_as_long_as_it_may() {
    // Each waits longer than the upstream may take.
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&format!(
        "{}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = [\"5/second\"]\nburst = 1\nlimit_wait = \"500ms\"",
        upstream.table("u", "timeout = \"100ms\"")
    ));
    let started = std::time::Instant::now();
    let asked: Vec<_> = (0..8).map(|_| tokio::spawn(get(program.gateway, "/"))).collect();
    let (mut ok, mut rejected) = (0, 0);
    for answer in asked {
        let answer = answer.await.unwrap();
        match answer.status {
            StatusCode::OK => ok += 1,
            StatusCode::TOO_MANY_REQUESTS => {
                rejected += 1;
                assert!(answer.number("retry-after") >= 1);
            }
            other => panic!("{other}"),
        }
    }
    // One at once, those whose turn comes 200 ms and 400 ms later, and nobody else.
    let took = started.elapsed();
    assert_eq!((ok, rejected), (3, 5), "after {took:?}");
    assert!(took.as_millis() >= 390, "{took:?}");
    assert_eq!((state(&program, "limit_waited").await, state(&program, "rejected").await), (2, 5));
    assert_eq!((upstream.asked(), state(&program, "limit_waiting").await), (3, 0));
    let scraped = get(program.console, "/api/monitoring/metrics").await;
    let scraped = String::from_utf8(scraped.body.to_vec()).unwrap();
    assert!(scraped.contains("rad_limit_waited_total{route=\"/\"} 2"), "{scraped}");
}

#[tokio::test]
async fn a_client_that_leaves_the_line_gives_its_turn_back() {
    let (upstream, program) = limited("limits = [\"1/second\"]\nlimit_wait = \"1500ms\"").await;
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
    let leaves = tokio::spawn(get(program.gateway, "/leaves"));
    eventually("it waits", async || (state(&program, "limit_waiting").await == 1).then_some(())).await;
    leaves.abort();
    eventually("it has left", async || (state(&program, "limit_waiting").await == 0).then_some(())).await;
    // Behind it, the wait would have been too long.
    assert_eq!(get(program.gateway, "/stays").await.status, StatusCode::OK);
    assert_eq!((upstream.asked(), upstream.last().path.as_str()), (2, "/stays"));
    let totals = get(program.console, "/api/metrics").await.json()["totals"].clone();
    assert_eq!((&totals["abandoned"], &totals["limited"]), (&1.into(), &0.into()));
}

#[tokio::test]
async fn no_more_wait_than_there_are_places() {
    let keys = "limits = [\"1/minute\"]\nlimit_wait = \"1m\"\nlimit_waiting = 2\nkey = \"header:x-who\"";
    let (_upstream, program) = limited(keys).await;
    let ask = |who: &'static str| {
        let to = program.gateway;
        tokio::spawn(async move { get_with(to, "/", &[("x-who", who)]).await })
    };
    for who in ["ada", "bob", "eve"] {
        assert_eq!(ask(who).await.unwrap().status, StatusCode::OK);
    }
    let waiting = [ask("ada"), ask("bob")];
    eventually("two wait", async || (state(&program, "limit_waiting").await == 2).then_some(())).await;
    // There is a turn within the minute, and no place to wait for it.
    assert_eq!(ask("eve").await.unwrap().status, StatusCode::TOO_MANY_REQUESTS);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_key_of_several_parts_counts_each_combination_for_itself() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&format!(
        "{}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = [\"1/hour\"]\n\
         key = [\"client\", \"header:X-Tenant\", \"cookie:plan\"]",
        upstream.table("u", "")
    ));
    for (headers, status) in [
        (&[("x-tenant", "a")][..], 200),
        (&[("x-tenant", "a")], 429),
        (&[("x-tenant", "b")], 200),
        (&[("x-tenant", "a"), ("cookie", "plan=gold")], 200),
        (&[("x-tenant", "a"), ("cookie", "x=1; plan=gold; y=2")], 429),
        (&[("cookie", "plan=a")], 200),
        (&[], 200),
        (&[("x-tenant", "")], 429),
    ] {
        let answer = get_with(program.gateway, "/", headers).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}");
        // Whose limit it is, is nobody's business but its own.
        assert!(!answer.header("ratelimit").contains("pk="));
    }
    let limits = get(program.console, "/api/limits").await.json();
    let route = limits.as_array().unwrap().iter().find(|route| route["path"] == "/").unwrap();
    assert_eq!(route["key"], "client + header:x-tenant + cookie:plan");
    let keys: Vec<_> =
        route["top"].as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap()).collect();
    assert!(
        keys.contains(&"127.0.0.1 + a + gold") && keys.contains(&"127.0.0.1 + (none) + (none)"),
        "{keys:?}"
    );
}

#[tokio::test]
async fn limits_in_shadow_are_told_to_nobody() {
    let (upstream, program) = limited("limits = [\"2/minute\"]\nshadow = true").await;
    upstream.behave(Behaviour::Saying(&[("retry-after", "7"), ("x-ratelimit-limit", "9")]));
    for _ in 0..4 {
        let answer = get(program.gateway, "/").await;
        assert_eq!(answer.status, StatusCode::OK);
        for name in ["x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit", "ratelimit-policy"] {
            assert!(!answer.headers.contains_key(name), "{answer:?}");
        }
        // What the upstream says of its own is its own.
        assert_eq!((answer.number("retry-after"), answer.number("x-ratelimit-limit")), (7, 9));
    }
    assert_eq!(state(&program, "shadow_rejected").await, 2);
}
