use http::{Request, StatusCode};

use crate::client_script::{ROLLOUT, SHOP, ask, report, start};
use crate::support::{Answer, Program, get, get_with, post_json, send};

/// Whether a cache is told that the answer depends on who asks.
fn varies_by_origin(answer: &Answer) -> bool {
    answer.headers.get_all("vary").iter().any(|vary| vary.to_str().unwrap().contains("origin"))
}

#[tokio::test]
async fn only_named_origins_are_told_that_they_may_read_the_answer() {
    let program = start();
    let ours = get_with(program.console, "/api/client/r", &[("origin", SHOP)]).await;
    assert_eq!(ours.header("access-control-allow-origin"), SHOP);
    assert!(varies_by_origin(&ours), "{ours:?}");
    let missing = get_with(program.console, "/api/client/unknown", &[("origin", SHOP)]).await;
    assert_eq!(
        (missing.status, missing.header("access-control-allow-origin")),
        (StatusCode::NOT_FOUND, SHOP)
    );
    for origin in ["https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null"]
    {
        let theirs = get_with(program.console, "/api/client/r", &[("origin", origin)]).await;
        assert!(!theirs.headers.contains_key("access-control-allow-origin"), "{origin}");
        assert!(varies_by_origin(&theirs), "{theirs:?}");
    }
    for path in ["/api/metrics", "/api/rollouts/r", "/health", "/client.js", "/api/rollouts/r/browsers"] {
        let other = get_with(program.console, path, &[("origin", SHOP)]).await;
        assert_eq!(other.status, StatusCode::OK);
        assert!(!other.headers.contains_key("access-control-allow-origin"), "{path}");
    }
    for answer in [ours, missing] {
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    }
}

#[tokio::test]
async fn browsers_that_ask_beforehand_are_answered_for_what_is_open_and_by_named_origins() {
    let program = start();
    let preflight = async |path: &str, origin: &str| {
        let asked = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
            ("access-control-request-private-network", "true"),
        ];
        ask(&program, "OPTIONS", path, &asked, "").await
    };
    for path in ["/api/client/r/report", "/ofrep/v1/evaluate/flags/f"] {
        let ours = preflight(path, SHOP).await;
        assert_eq!(ours.status, StatusCode::OK);
        assert_eq!(ours.header("access-control-allow-origin"), SHOP);
        assert_eq!(ours.header("access-control-allow-methods"), "GET,POST");
        assert_eq!(ours.header("access-control-allow-headers"), "content-type,if-none-match,authorization");
        assert_eq!(ours.header("access-control-allow-private-network"), "true");
        assert_eq!(ours.header("access-control-max-age"), "600");
        let theirs = preflight(path, "https://evil.example").await;
        assert!(!theirs.headers.contains_key("access-control-allow-origin"));
        assert!(!theirs.headers.contains_key("access-control-allow-private-network"));
    }
    for path in ["/api/rollouts/r/rollback", "/api/clients", "/api/client"] {
        assert!(!preflight(path, SHOP).await.headers.contains_key("access-control-allow-origin"), "{path}");
    }
}

#[tokio::test]
async fn a_named_origin_may_report_and_nothing_else() {
    let program = start();
    let body = report().to_string();
    let from =
        |origin| [("origin", origin), ("sec-fetch-site", "cross-site"), ("content-type", "text/plain")];
    let ours = ask(&program, "POST", "/api/client/r/report", &from(SHOP), &body).await;
    assert_eq!((ours.status, ours.header("access-control-allow-origin")), (StatusCode::NO_CONTENT, SHOP));
    for origin in ["https://evil.example", "null"] {
        let theirs = ask(&program, "POST", "/api/client/r/report", &from(origin), &body).await;
        assert_eq!(theirs.status, StatusCode::FORBIDDEN, "{origin}");
    }
    for path in ["/api/rollouts/r/rollback", "/api/metrics/reset", "/api/client/../rollouts/r/rollback"] {
        let refused = ask(&program, "POST", path, &from(SHOP), "").await;
        assert!(
            [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&refused.status),
            "{path}: {refused:?}"
        );
    }
    assert_eq!(get(program.console, "/api/rollouts/r").await.json()["percent"], 10);
    let elsewhere = [("host", "evil.example"), ("origin", SHOP)];
    let request = Request::post("/api/client/r/report").header(elsewhere[0].0, elsewhere[0].1);
    let request = request.header(elsewhere[1].0, elsewhere[1].1).body(body.into()).unwrap();
    assert_eq!(send(program.console, request).await.unwrap().status, StatusCode::FORBIDDEN);
    assert_eq!(get(program.console, "/api/rollouts/r/browsers").await.json()["reports"], 1);
}

#[tokio::test]
async fn where_no_origin_is_named_pages_of_other_sites_are_not_answered() {
    let program = Program::start(ROLLOUT);
    let asked = [("origin", SHOP)];
    let refused = ask(&program, "POST", "/api/client/r/report", &asked, &report().to_string()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let read = get_with(program.console, "/api/client/r", &asked).await;
    assert!(!read.headers.contains_key("access-control-allow-origin"));
    // Pages of the same origin need no leave.
    let own = post_json(program.console, "/api/client/r/report", &report().to_string()).await;
    assert_eq!(own.status, StatusCode::NO_CONTENT);
}
