use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;

use crate::support::{Answer, Program, get, get_with, send};

async fn ask(program: &Program, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
    let request = Request::builder().method(method).uri(path).header("host", program.console.to_string());
    send(program.console, request.body(Full::from(body.into())).unwrap()).await.expect("an answer")
}

#[tokio::test]
async fn every_error_of_the_api_is_json_with_a_request_id_and_says_what_is_allowed() {
    let program = Program::start("[sample]\nlegacy = \"127.0.0.1:0\"\ncandidate = \"127.0.0.1:0\"");
    let too_long = vec![b' '; (2 << 20) + 1];
    for (method, path, body, status, says) in [
        (Method::GET, "/api/nonsense", vec![], 404, "there is no /api/nonsense; the API has /api/metrics, "),
        (Method::POST, "/api/metric/reset?x=1", vec![], 404, "there is no /api/metric/reset; "),
        (Method::GET, "/api", vec![], 404, "there is no /api; "),
        (Method::GET, "/api/", vec![], 404, "there is no /api/; "),
        (Method::GET, "/api/metrics/reset", vec![], 405, "/api/metrics/reset does not answer GET, but POST"),
        (Method::DELETE, "/api/rollouts/a", vec![], 405, "does not answer DELETE, but GET, HEAD, POST"),
        (Method::PUT, "/health", vec![], 405, "/health does not answer PUT, but GET, HEAD"),
        (Method::GET, "/api/metrics?epoch=a&seq=b", vec![], 400, "seq must be a whole number"),
        (Method::GET, "/api/metrics?epoch=a&epoch=b", vec![], 400, "behind the ?"),
        (Method::GET, "/api/rollouts/%ff", vec![], 400, "no UTF-8"),
        (Method::GET, "/api/rollouts/none", vec![], 404, "no rollout is named \"none\""),
        (Method::PATCH, "/api/lab/traffic", b"{".to_vec(), 400, "line 1"),
        (Method::PATCH, "/api/lab/traffic", too_long, 413, "at most 2 MiB"),
        (Method::GET, "/ws", vec![], 400, "WebSocket"),
    ] {
        let answer = ask(&program, method.clone(), path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        assert_eq!(answer.header("x-request-id").len(), 32, "{path}");
        let json = answer.json();
        let detail = json["detail"].as_str().expect("a detail");
        assert!(detail.contains(says), "{path}: {detail}");
        if status == 405 {
            assert_eq!(answer.headers.get_all("allow").iter().count(), 1);
            assert!(detail.ends_with(answer.header("allow")), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_request_id_is_kept_if_usable_and_goes_through_the_gateway() {
    let program = Program::start("");
    for path in ["/health", "/", "/api/nonsense", "/api/test-rate-limit"] {
        let answer = get_with(program.console, path, &[("x-request-id", "abc-123")]).await;
        assert_eq!(answer.headers.get_all("x-request-id").iter().count(), 1);
        assert_eq!(answer.header("x-request-id"), "abc-123", "{path}");
    }
    let long = "x".repeat(129);
    let answer = get_with(program.console, "/health", &[("x-request-id", &long)]).await;
    assert_eq!(answer.header("x-request-id").len(), 32);
    let other = get(program.console, "/health").await;
    assert_ne!(other.header("x-request-id"), answer.header("x-request-id"));
    let foreign = Request::get("/health").header("host", "evil.example").body(Full::default()).unwrap();
    let foreign = send(program.console, foreign).await.unwrap();
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    assert!(foreign.headers.contains_key("x-request-id"));
}
