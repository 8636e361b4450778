//! Limits on real traffic: what callers are told.

use http::StatusCode;

use crate::support::{Answer, Behaviour, Program, Upstream, failing_start, get};

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
