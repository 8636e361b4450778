use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::support::{Behaviour, Program, Upstream, get, get_with, post_json, send};

async fn search() -> (Upstream, Program) {
    let upstream = Upstream::start("search", Behaviour::Echo).await;
    let route = "[[routes]]\npath = \"/\"\nupstream = \"search\"\nlimits = []";
    let program = Program::start(&format!("{}{route}", upstream.table("search", "")));
    (upstream, program)
}

#[tokio::test]
async fn metrics_count_what_the_gateway_did_and_a_reset_starts_anew() {
    let (upstream, program) = search().await;
    for _ in 0..3 {
        get(program.gateway, "/").await;
    }
    upstream.behave(Behaviour::Status(500));
    get(program.gateway, "/").await;
    let metrics = get(program.console, "/api/metrics").await.json();
    assert_eq!(metrics["totals"]["requests"], 4);
    assert_eq!(metrics["totals"]["answered"], 3);
    assert_eq!(metrics["totals"]["failed"], 1);
    assert_eq!(metrics["totals"]["success_rate"], 0.75);
    assert!(metrics["totals"]["p50_ms"].as_f64().unwrap() > 0.0);
    assert!(post_json(program.console, "/api/metrics/reset", "").await.json()["since_ms"].is_u64());
    let metrics = get(program.console, "/api/metrics").await.json();
    assert_eq!(metrics["totals"]["requests"], 0);
    assert_eq!(metrics["totals"]["success_rate"], json!(null));
    // Prometheus' counters never go back.
    let text =
        String::from_utf8(get(program.console, "/api/monitoring/metrics").await.body.to_vec()).unwrap();
    assert!(text.contains("rad_requests_total{route=\"/\",outcome=\"answered\"} 3"), "{text}");
    assert!(text.contains("rad_request_duration_seconds_count{route=\"/\"} 4"), "{text}");
}

#[tokio::test]
async fn a_page_can_live_by_polling_what_it_missed() {
    let (_upstream, program) = search().await;
    let first = get(program.console, "/api/metrics?epoch=none&seq=0").await.json();
    assert!(first["live"]["resume"]["snapshot"].is_object());
    let (epoch, seq) = (first["epoch"].as_str().unwrap(), first["live"]["seq"].as_u64().unwrap());
    let next = get(program.console, &format!("/api/metrics?epoch={epoch}&seq={seq}")).await.json();
    assert!(next["live"]["resume"]["missed"].is_array());
    assert_eq!(get(program.console, "/api/metrics?epoch=e&seq=x").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_sixth_test_of_the_rate_limit_is_rejected() {
    let (_upstream, program) = search().await;
    for _ in 0..5 {
        let answer = get(program.console, "/api/test-rate-limit").await;
        assert_eq!((answer.status, answer.number("x-ratelimit-limit")), (StatusCode::OK, 5));
    }
    let answer = get(program.console, "/api/test-rate-limit").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.json()["error"], "Rate limit exceeded: 5 per 1 minute");
}

#[tokio::test]
async fn a_query_goes_to_the_upstream_named_search_and_is_limited_and_counted() {
    let (upstream, program) = search().await;
    let query = r#"{"query":{"match_all":{}},"size":3}"#;
    let answer = post_json(program.console, "/api/fetch-kibana-data", query).await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, query.as_bytes()));
    let asked = upstream.last();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/_search"));
    assert_eq!(asked.headers["content-type"], "application/json");
    // The same again is known for two minutes, and counts as every request does.
    let again = post_json(program.console, "/api/fetch-kibana-data", query).await;
    assert_eq!((again.header("x-cache"), upstream.asked()), ("HIT", 1));
    for size in 0..8 {
        post_json(program.console, "/api/fetch-kibana-data", &format!(r#"{{"size":{size}}}"#)).await;
    }
    let answer = post_json(program.console, "/api/fetch-kibana-data", "{}").await;
    assert_eq!(answer.json()["error"], "Rate limit exceeded: 10 per 1 minute");
    assert_eq!(upstream.asked(), 9);
    let metrics = get(program.console, "/api/metrics").await.json();
    assert_eq!((&metrics["totals"]["answered"], &metrics["totals"]["limited"]), (&json!(10), &json!(1)));
}

#[tokio::test]
async fn a_query_that_is_no_json_is_refused_before_the_upstream_is_asked() {
    let (upstream, program) = search().await;
    let answer = post_json(program.console, "/api/fetch-kibana-data", "{oops").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.json()["detail"].as_str().unwrap().contains("line 1"));
    assert_eq!(upstream.asked(), 0);
}

#[tokio::test]
async fn without_an_upstream_named_search_a_query_is_404() {
    let program = Program::start("");
    let answer = post_json(program.console, "/api/fetch-kibana-data", "{}").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn unknown_endpoints_and_wrong_methods_are_told_in_json() {
    let program = Program::start("");
    assert_eq!(get(program.console, "/api/nonsense").await.status, StatusCode::NOT_FOUND);
    assert!(get(program.console, "/api/nonsense").await.json()["detail"].is_string());
    let answer = get(program.console, "/api/metrics/reset").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(answer.json()["detail"].is_string());
}

#[tokio::test]
async fn without_sample_there_is_no_lab() {
    let program = Program::start("");
    let answer = get(program.console, "/api/lab").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.json()["detail"].as_str().unwrap().contains("[sample]"));
}

#[tokio::test]
async fn knobs_of_the_sample_upstreams_turn_within_their_bounds_only() {
    let program = Program::start("[sample]\nlegacy = \"127.0.0.1:0\"\ncandidate = \"127.0.0.1:0\"");
    let turn = async |path: &str, body: &'static str| {
        let request = Request::patch(path).header("host", program.console.to_string());
        send(program.console, request.body(Full::from(body)).unwrap()).await.unwrap()
    };
    let answer = turn("/api/lab/candidate", r#"{"failure_share": 0.5, "latency_ms": 40}"#).await;
    assert_eq!(answer.json()["candidate"], json!({"failure_share": 0.5, "latency_ms": 40}));
    for (path, body) in [
        ("/api/lab/candidate", r#"{"failure_share": 1.5}"#),
        ("/api/lab/candidate", r#"{"failure_share": 0, "latency_ms": 60001}"#),
        ("/api/lab/candidate", r#"{"failures": 1}"#),
        ("/api/lab/traffic", r#"{"requests_per_second": 1001}"#),
    ] {
        assert_eq!(turn(path, body).await.status, StatusCode::BAD_REQUEST, "{path} {body}");
    }
    assert_eq!(turn("/api/lab/other", "{}").await.status, StatusCode::NOT_FOUND);
    let lab = get(program.console, "/api/lab").await.json();
    assert_eq!(lab["candidate"], json!({"failure_share": 0.5, "latency_ms": 40}));
    assert_eq!(lab["requests_per_second"], 0);
}

#[tokio::test]
async fn pages_carry_their_state_and_an_unknown_page_is_404() {
    let (_upstream, program) = search().await;
    let page = get_with(program.console, "/", &[("accept", "text/html")]).await;
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    assert_eq!(page.status, StatusCode::OK);
    assert!(html.contains("<svg") && html.contains("Requests"), "{html}");
    assert_eq!(get(program.console, "/no-such-page").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn on_loopback_only_loopback_names_are_answered() {
    let program = Program::start("");
    assert_eq!(get(program.console, "/api/metrics").await.status, StatusCode::OK);
    let request = Request::get("/api/metrics").header("host", "evil.example:8000");
    let answer = send(program.console, request.body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}
