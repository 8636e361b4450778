//! Cache, retry and breaker, on real traffic.

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, Behaviour, Program, Upstream, eventually, get, get_with, post_json, send};

/// One route `/` with this added to it.
async fn routed(more: &str) -> (Upstream, Program) {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = in_front_of(&upstream, more);
    (upstream, program)
}

fn in_front_of(upstream: &Upstream, more: &str) -> Program {
    let table = upstream.table("u", "timeout = \"5s\"\nbreaker = { consecutive_failures = 1000 }");
    Program::start(&format!("{table}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\n{more}"))
}

async fn post(program: &Program, path: &str, body: &'static str) -> Answer {
    send(program.gateway, Request::post(path).body(Full::from(body)).unwrap()).await.unwrap()
}

async fn total(program: &Program, name: &str) -> u64 {
    get(program.console, "/api/metrics").await.json()["totals"][name].as_u64().unwrap()
}

#[tokio::test]
async fn equal_requests_at_once_reach_the_upstream_once() {
    let (upstream, program) = routed("cache = { ttl = \"1m\", methods = [\"GET\", \"POST\"] }").await;
    upstream.hold();
    let asked = (0..20).map(|_| tokio::spawn(get(program.gateway, "/equal")));
    let asked: Vec<_> = asked.collect();
    eventually("the upstream is asked", async || (upstream.asked() == 1).then_some(())).await;
    upstream.release();
    let mut how = Vec::new();
    for answer in asked {
        let answer = answer.await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"u"[..]));
        how.push(answer.header("x-cache").to_owned());
    }
    assert_eq!(upstream.asked(), 1);
    assert_eq!(how.iter().filter(|how| *how == "MISS").count(), 1, "{how:?}");
    // Later ones, too; and what is not equal is asked for.
    assert_eq!(get(program.gateway, "/equal").await.header("x-cache"), "HIT");
    assert_eq!(get(program.gateway, "/other").await.header("x-cache"), "MISS");
    assert_eq!(post(&program, "/_search", "{1}").await.header("x-cache"), "MISS");
    assert_eq!(post(&program, "/_search", "{2}").await.header("x-cache"), "MISS");
    let again = post(&program, "/_search", "{1}").await;
    assert_eq!((again.header("x-cache"), &again.body[..]), ("HIT", &b"{1}"[..]));
    assert_eq!(upstream.asked(), 4);
}

#[tokio::test]
async fn organisations_share_no_answers_and_private_ones_are_not_kept() {
    let (upstream, program) = routed("cache = { ttl = \"1m\" }").await;
    for (headers, how) in [
        (&[("x-org-id", "a")][..], Some("MISS")),
        (&[("x-org-id", "b")], Some("MISS")),
        (&[("x-org-id", "a")], Some("HIT")),
        (&[("authorization", "Bearer x")], None),
        (&[("authorization", "Bearer x")], None),
        (&[("cookie", "session=1")], None),
        (&[("cache-control", "no-cache")], None),
    ] {
        let answer = get_with(program.gateway, "/", headers).await;
        assert_eq!(answer.headers.get("x-cache").map(|how| how.to_str().unwrap()), how, "{headers:?}");
    }
    assert_eq!(upstream.asked(), 6);
}

#[tokio::test]
async fn with_the_upstream_down_a_stale_answer_is_served_and_counted_as_fallback() {
    let (upstream, program) = routed("cache = { ttl = \"20ms\", stale_if_error = \"1h\" }").await;
    assert_eq!(get(program.gateway, "/").await.header("x-cache"), "MISS");
    upstream.behave(Behaviour::Status(500));
    let stale = eventually("the answer is old", async || {
        let answer = get(program.gateway, "/").await;
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"u"[..]));
        (answer.header("x-cache") == "STALE").then_some(answer)
    })
    .await;
    assert!(stale.number("age") < 60);
    assert!(total(&program, "fallbacks").await >= 1);
    assert_eq!(get(program.gateway, "/never-seen").await.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn an_old_answer_is_served_while_a_new_one_is_fetched() {
    let (upstream, program) = routed("cache = { ttl = \"20ms\", stale_while_revalidate = \"1h\" }").await;
    get(program.gateway, "/").await;
    upstream.hold();
    // Nobody waits for the upstream, which does not answer.
    eventually("it is old", async || {
        (get(program.gateway, "/").await.header("x-cache") == "STALE").then_some(())
    })
    .await;
    eventually("it is asked anew", async || (upstream.asked() == 2).then_some(())).await;
    for _ in 0..5 {
        assert_eq!(get(program.gateway, "/").await.header("x-cache"), "STALE");
    }
    assert_eq!(upstream.asked(), 2, "one refresh at a time");
    upstream.release();
}

#[tokio::test]
async fn a_skewed_mix_saves_most_of_the_upstreams_work() {
    let (upstream, program) = routed("cache = { ttl = \"2m\" }").await;
    let stream = TcpStream::connect(program.gateway).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Empty<bytes::Bytes>>(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    // Zipf's law with exponent 1 over 1,000 queries, by the inverse of its sum.
    let weights: Vec<f64> = (1..=1_000).map(|rank| 1.0 / f64::from(rank)).collect();
    let sum: f64 = weights.iter().sum();
    let (asked, mut state) = (6_000, 1_u64);
    for _ in 0..asked {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        #[allow(clippy::cast_precision_loss)]
        let mut left = (state >> 11) as f64 / (1_u64 << 53) as f64 * sum;
        let query = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        let request = Request::get(format!("/search?q={}", query.unwrap_or(0))).header("host", "x");
        let answer = sender.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.into_body().collect().await.unwrap();
    }
    let saved = 1.0 - upstream.asked() as f64 / f64::from(asked);
    assert!(saved >= 0.7, "{saved:.3} of the requests were saved");
    let metrics = get(program.console, "/api/metrics").await.json();
    assert_eq!(metrics["totals"]["answered"], asked);
}

const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn a_failed_read_is_tried_again_and_a_write_is_not() {
    let upstream = Upstream::start("u", Behaviour::Script(&[UNAVAILABLE, UNAVAILABLE, OK])).await;
    let program = in_front_of(&upstream, "retry = { base = \"1ms\" }");
    assert_eq!(get(program.gateway, "/").await.body, "ok");
    assert_eq!((upstream.asked(), total(&program, "retries").await), (3, 2));
    let upstream = Upstream::start("u", Behaviour::Script(&[UNAVAILABLE, OK])).await;
    let program = in_front_of(&upstream, "retry = { base = \"1ms\" }");
    assert_eq!(post(&program, "/", "x").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((upstream.asked(), total(&program, "retries").await), (1, 0));
    let metrics = get(program.console, "/api/metrics").await.json();
    assert_eq!((&metrics["totals"]["answered"], &metrics["totals"]["failed"]), (&0.into(), &1.into()));
}

#[tokio::test]
async fn a_budget_keeps_retries_from_multiplying_an_outage() {
    let (upstream, program) =
        routed("retry = { base = \"1ms\", budget = 10, budget_minimum_per_second = 0 }").await;
    upstream.behave(Behaviour::Status(503));
    for _ in 0..50 {
        assert_eq!(get(program.gateway, "/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    let retries = total(&program, "retries").await;
    assert!((1..=5).contains(&retries), "{retries} retries of 50 requests");
    assert_eq!(upstream.asked() as u64, 50 + retries);
}

#[tokio::test]
async fn a_retry_waits_no_longer_than_the_request_may_take() {
    const LATER: &[u8] = b"HTTP/1.1 503 Unavailable\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n";
    let upstream = Upstream::start("u", Behaviour::Script(&[LATER, OK])).await;
    let program = in_front_of(&upstream, "retry = { base = \"1ms\" }");
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(upstream.asked(), 1);
}

#[tokio::test]
async fn a_shadow_limit_counts_and_rejects_nobody() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&format!(
        "{}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = [\"2/minute\"]\nshadow = true",
        upstream.table("u", "")
    ));
    for _ in 0..5 {
        assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
    }
    assert_eq!(upstream.asked(), 5);
    let limits = get(program.console, "/api/limits").await.json();
    let route = limits.as_array().unwrap().iter().find(|route| route["path"] == "/").unwrap();
    assert_eq!((&route["shadow_rejected"], &route["rejected"]), (&3.into(), &0.into()));
}

#[tokio::test]
async fn a_fixed_window_lets_all_of_its_requests_through_at_once() {
    for strategy in ["token_bucket", "leaky_bucket", "sliding_window", "fixed_window"] {
        let upstream = Upstream::start("u", Behaviour::Echo).await;
        let program = Program::start(&format!(
            "{}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = [\"3/hour\"]\nstrategy = \"{strategy}\"",
            upstream.table("u", "")
        ));
        let mut allowed = 0;
        for _ in 0..5 {
            allowed += usize::from(get(program.gateway, "/").await.status == StatusCode::OK);
        }
        // A leaky bucket knows no bursts.
        assert_eq!(allowed, if strategy == "leaky_bucket" { 1 } else { 3 }, "{strategy}");
    }
}

#[tokio::test]
async fn a_breaker_opens_by_the_share_of_failures_too() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let breaker =
        "breaker = { failure_rate_threshold = 50, sliding_window = 10, minimum_number_of_calls = 10 }";
    let program = Program::start(&format!(
        "{}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []",
        upstream.table("u", breaker)
    ));
    for failing in [false, true, false, true, false, true, false, true, false, true] {
        upstream.behave(if failing { Behaviour::Status(500) } else { Behaviour::Echo });
        get(program.gateway, "/").await;
    }
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(upstream.asked(), 10);
}

#[tokio::test]
async fn an_invalidated_tag_is_asked_for_anew_and_others_are_not() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&format!(
        "{}[[routes]]\npath = \"/a\"\nupstream = \"u\"\nlimits = []\ncache = {{ tier = \"counts\" }}\n\
         [[routes]]\npath = \"/b\"\nupstream = \"u\"\nlimits = []\ncache = {{ ttl = \"1m\", tags = [\"search\"] }}",
        upstream.table("u", "")
    ));
    let how = async |path| get(program.gateway, path).await.header("x-cache").to_owned();
    let (a, b) = (how("/a").await, how("/b").await);
    assert_eq!((a.as_str(), b.as_str()), ("MISS", "MISS"));
    let done = post_json(program.console, "/api/cache/invalidate", r#"{"tag": "counts"}"#).await;
    assert_eq!((done.status, &done.json()["removed"]), (StatusCode::OK, &1.into()));
    let (a, b) = (how("/a").await, how("/b").await);
    assert_eq!((a.as_str(), b.as_str()), ("MISS", "HIT"));
    assert_eq!(post_json(program.console, "/api/refresh", "").await.status, StatusCode::OK);
    assert_eq!(how("/b").await, "MISS");
    assert_eq!(upstream.asked(), 4);
    let unknown = post_json(program.console, "/api/cache/invalidate", r#"{"tag": "cuonts"}"#).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.json()["detail"].as_str().unwrap().contains("counts"));
    let state = get(program.console, "/api/cache").await.json();
    assert_eq!((&state["hits"], &state["misses"], &state["entries"]), (&1.into(), &4.into(), &1.into()));
    let scraped =
        String::from_utf8(get(program.console, "/api/monitoring/metrics").await.body.to_vec()).unwrap();
    assert!(scraped.contains("rad_cache_lookups_total{result=\"hit\"} 1"), "{scraped}");
}

#[tokio::test]
async fn a_small_body_that_comes_slowly_costs_the_upstream_no_time() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&format!(
        "{}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\nretry = {{ base = \"1ms\" }}",
        upstream.table("u", "timeout = \"300ms\"")
    ));
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(450));
    pace.tick().await;
    for _ in 0..6 {
        let mut stream = TcpStream::connect(program.gateway).await.unwrap();
        stream.write_all(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab").await.unwrap();
        pace.tick().await;
        stream.write_all(b"cd").await.unwrap();
        let mut said = [0; 12];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"HTTP/1.1 200");
    }
    assert_eq!(get(program.console, "/api/breakers").await.json()[0]["trips"], 0);
}

#[tokio::test]
async fn a_breaker_that_opens_between_attempts_leaves_the_upstreams_own_answer() {
    let upstream = Upstream::start("u", Behaviour::Status(503)).await;
    let program = Program::start(&format!(
        "{}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\nretry = {{ base = \"1ms\" }}",
        upstream.table("u", "breaker = { consecutive_failures = 2 }")
    ));
    let answer = get(program.gateway, "/").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::SERVICE_UNAVAILABLE, &b"u"[..]));
    assert_eq!(upstream.asked(), 2);
    assert_eq!((total(&program, "failed").await, total(&program, "short_circuited").await), (1, 0));
}
