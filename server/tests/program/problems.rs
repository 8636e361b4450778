//! Errors in the form that their asker wants (RFC 9457).

use std::net::TcpListener;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::support::{Answer, Behaviour, Program, Upstream, eventually, get, get_with, send};

const PROBLEM: &str = "application/problem+json";

async fn asked_for(program: &Program, path: &str, accept: &str) -> Answer {
    get_with(program.gateway, path, &[("accept", accept)]).await
}

/// The same error twice: as everybody gets it, and as a problem.
async fn told(program: &Program, path: &str, status: u16, kind: &str, detail: &str) {
    let plain = asked_for(program, path, "*/*").await;
    assert_eq!((plain.status.as_u16(), plain.header("content-type")), (status, "application/json"), "{path}");
    assert_eq!(plain.json()["detail"], detail);
    assert_eq!(plain.header("vary"), "accept");
    let answer = asked_for(program, path, PROBLEM).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (status, PROBLEM), "{path}");
    let problem = answer.json();
    assert_eq!((&problem["status"], &problem["detail"]), (&status.into(), &detail.into()));
    assert!(problem["type"].as_str().unwrap().ends_with(kind), "{problem}");
    assert!(!problem["title"].as_str().unwrap().is_empty());
    assert_eq!(answer.headers.get("retry-after").is_some(), plain.headers.get("retry-after").is_some());
    assert_eq!(answer.number("content-length"), answer.body.len() as u64);
}

#[tokio::test]
async fn every_error_of_the_gateways_own_is_a_problem_for_who_asks_for_one() {
    let (upstream, stalled) = (
        Upstream::start("u", Behaviour::Status(500)).await,
        Upstream::start("stalled", Behaviour::Stall).await,
    );
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let route = |path: &str, to: &str, more: &str| {
        format!("[[routes]]\npath = \"{path}\"\nupstream = \"{to}\"\nlimits = []\n{more}\n")
    };
    let program = Program::start(&[
        upstream.table("u", "breaker = { consecutive_failures = 1 }"),
        stalled.table("stalled", "timeout = \"50ms\"\nbreaker = { consecutive_failures = 1000 }"),
        format!("[upstreams.gone]\ntargets = [\"http://{nobody}\"]\nbreaker = {{ consecutive_failures = 1000 }}\n"),
        route("/broken", "u", ""),
        route("/stalled", "stalled", ""),
        route("/gone", "gone", ""),
        route("/kept", "gone", "cache = { ttl = \"1m\" }"),
    ].concat());
    told(&program, "/nowhere", 404, "about:blank", "No route has this path").await;
    told(&program, "/gone/../x", 400, "about:blank", "A path must not hold the segments . or ..").await;
    told(&program, "/gone", 502, "about:blank", "The upstream could not be reached").await;
    told(&program, "/kept", 502, "about:blank", "The upstream could not be reached").await;
    told(&program, "/stalled", 504, "about:blank", "The upstream did not answer in time").await;
    // What the upstream says is its own.
    let theirs = asked_for(&program, "/broken", PROBLEM).await;
    assert_eq!((theirs.status, &theirs.body[..]), (StatusCode::INTERNAL_SERVER_ERROR, &b"u"[..]));
    let open = "Service temporarily unavailable due to circuit breaker";
    told(&program, "/broken", 503, "about:blank", open).await;
    let head = Request::builder().method(Method::HEAD).uri("/nowhere").header("accept", PROBLEM);
    let head = send(program.gateway, head.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    assert_eq!((head.header("content-type"), head.body.len()), (PROBLEM, 0));
    assert!(head.number("content-length") > 50);
}

#[tokio::test]
async fn who_runs_into_a_limit_or_a_full_queue_is_told_which() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&format!(
        "{}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = [\"9/second\", \"1/hour\"]\n\
         [[routes]]\npath = \"/queued\"\nupstream = \"u\"\nlimits = []\nqueue = {{ limit = 1, waiting = 0 }}",
        upstream.table("u", "")
    ));
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
    let limited = asked_for(&program, "/", "application/json, application/problem+json").await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        limited.json(),
        json!({
            "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "title": "Request cannot be satisfied as assigned quota has been exceeded",
            "status": 429,
            "detail": "Rate limit exceeded: 1 per 1 hour",
            "violated-policies": ["hour"],
        })
    );
    assert!(limited.header("ratelimit").contains("\"hour\";r=0"));
    assert_eq!(
        asked_for(&program, "/", "application/json, application/problem+json;q=0.9").await.json(),
        json!({"error": "Rate limit exceeded: 1 per 1 hour", "detail": "Too many requests"})
    );
    upstream.hold();
    let first = tokio::spawn(get(program.gateway, "/queued"));
    eventually("the first is in flight", async || (upstream.asked() == 2).then_some(())).await;
    told(&program, "/queued", 503, "#temporary-reduced-capacity", "Too many requests are waiting already")
        .await;
    upstream.release();
    assert_eq!(first.await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn the_consoles_errors_are_problems_too() {
    let program = Program::start("");
    let plain = get(program.console, "/api/rollouts/none").await;
    assert_eq!(plain.header("content-type"), "application/json");
    let answer = get_with(program.console, "/api/rollouts/none", &[("accept", PROBLEM)]).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::NOT_FOUND, PROBLEM));
    let problem = answer.json();
    assert_eq!((&problem["title"], &problem["detail"]), (&json!("Not Found"), &plain.json()["detail"]));
}
