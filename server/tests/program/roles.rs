use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{ADMIN, Browser, PASSWORD, Program, with_login};

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// What everybody may send: to get a session or to end their own, and what is a reading by its meaning.
/// What asks, changes nothing but one's own password, or goes through the gate once more as its asker's own change.
const FOR_VIEWERS: [&str; 5] = [
    "/api/session",
    "/api/session/password",
    "/api/fetch-kibana-data",
    "/api/flags/{key}/evaluate",
    "/api/audit/{id}/revert",
];

async fn admin() -> (Program, Browser) {
    let program = with_login("");
    let browser = Browser::logged_in(&program, ADMIN, PASSWORD).await;
    (program, browser)
}

/// Every endpoint of the API, as it names them itself.
async fn endpoints(browser: &Browser) -> Vec<String> {
    let detail = browser.get("/api/nothing").await.json()["detail"].as_str().unwrap().to_owned();
    let (_, listed) = detail.split_once("the API has ").unwrap();
    let endpoints: Vec<_> = listed.split(", ").map(str::to_owned).collect();
    assert!(endpoints.len() > 30 && endpoints.contains(&"/api/rollouts/{name}".to_owned()), "{endpoints:?}");
    endpoints
}

/// With something in the place of names.
fn filled(endpoint: &str) -> String {
    let parts = endpoint.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn no_endpoint_is_open_to_nobody() {
    let (program, browser) = admin().await;
    let nobody = Browser::new(&program);
    for endpoint in endpoints(&browser).await {
        for method in METHODS {
            // This one is where a session comes from; it looks for itself. And the pages outside have no login.
            if endpoint == "/api/session" || endpoint.starts_with("/api/client/") {
                continue;
            }
            let status = nobody.send(method, &filled(&endpoint), json!({})).await.status;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {endpoint}");
        }
    }
    for method in ["GET", "DELETE"] {
        let status = nobody.send(method, "/api/session", json!({})).await.status;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} /api/session");
    }
}

#[tokio::test]
async fn a_viewer_changes_nothing_and_an_operator_gives_nobody_access() {
    let (program, browser) = admin().await;
    let viewer = browser.colleague(&program, "vera", "viewer").await;
    let operator = browser.colleague(&program, "bob", "operator").await;
    let is_admins =
        |endpoint: &str| ["/api/accounts", "/api/tokens"].iter().any(|start| endpoint.starts_with(start));
    for endpoint in endpoints(&browser).await {
        let path = filled(&endpoint);
        for method in METHODS {
            // This would log them out.
            if endpoint == "/api/session" && method == "DELETE" {
                continue;
            }
            let reads = ["GET", "HEAD"].contains(&method);
            let of_viewer = viewer.send(method, &path, json!({"nonsense": 1})).await.status;
            let of_operator = operator.send(method, &path, json!({"nonsense": 1})).await.status;
            if is_admins(&endpoint) {
                assert_eq!(
                    (of_viewer, of_operator),
                    (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
                    "{method} {path}"
                );
            } else if reads {
                assert_ne!(of_viewer, StatusCode::FORBIDDEN, "{method} {path}");
            } else if !FOR_VIEWERS.contains(&endpoint.as_str()) && !endpoint.starts_with("/api/client/") {
                // Where nothing is changed by any method, they are not allowed as such.
                let is_refused = [StatusCode::FORBIDDEN, StatusCode::METHOD_NOT_ALLOWED].contains(&of_viewer);
                assert!(is_refused, "{method} {path}: {of_viewer}");
                assert_ne!(of_operator, StatusCode::FORBIDDEN, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn nobody_makes_more_of_themselves() {
    let (program, browser) = admin().await;
    let operator = browser.colleague(&program, "bob", "operator").await;
    for (method, path, body) in [
        ("PATCH", "/api/accounts/bob", json!({"role": "admin"})),
        ("POST", "/api/accounts", json!({"name": "eve", "role": "admin"})),
        ("PATCH", "/api/accounts/ops", json!({"password": "battery horse correct"})),
        ("DELETE", "/api/accounts/ops", Value::Null),
        ("POST", "/api/tokens", json!({"name": "x", "scopes": ["admin"]})),
        ("POST", "/api/tokens", json!({"name": "x", "scopes": ["admin"], "owner": "ops"})),
    ] {
        let refused = operator.send(method, path, body).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}");
        assert!(refused.json()["detail"].as_str().unwrap().contains("bob is operator, and this takes admin"));
    }
    assert_eq!(browser.get("/api/accounts").await.json().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_viewer_is_told_why_a_switch_does_not_move() {
    let (program, browser) = admin().await;
    let viewer = browser.colleague(&program, "vera", "viewer").await;
    let refused = viewer.send("POST", "/api/metrics/reset", json!({})).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.json()["detail"], "vera is viewer, and this takes operator");
    let page = String::from_utf8(viewer.get("/").await.body.to_vec()).unwrap();
    assert!(page.contains("data-role=\"viewer\""));
}

#[tokio::test]
async fn there_is_always_an_administrator() {
    let (program, browser) = admin().await;
    let demote = json!({"role": "operator"});
    for (method, body) in [("PATCH", demote.clone()), ("DELETE", Value::Null)] {
        let refused = browser.send(method, "/api/accounts/ops", body).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{method}");
        assert!(refused.json()["detail"].as_str().unwrap().contains("only administrator"));
    }
    let second = browser.colleague(&program, "ada", "admin").await;
    // Both at once: one of them stays.
    let (one, other) = tokio::join!(
        browser.send("PATCH", "/api/accounts/ada", demote.clone()),
        second.send("PATCH", "/api/accounts/ops", demote.clone())
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses[0], StatusCode::OK);
    assert_ne!(statuses[1], StatusCode::OK, "{statuses:?}");
}

#[tokio::test]
async fn an_account_that_changes_is_logged_out_at_once() {
    let (program, browser) = admin().await;
    let colleague = browser.colleague(&program, "bob", "operator").await;
    let unchanged = browser.send("PATCH", "/api/accounts/bob", json!({"role": "operator"})).await;
    assert!(unchanged.json()["says"].as_str().unwrap().contains("already"));
    assert_eq!(colleague.get("/api/session").await.status, StatusCode::OK);
    let changed = browser.send("PATCH", "/api/accounts/bob", json!({"role": "viewer"})).await.json();
    assert_eq!(colleague.get("/api/session").await.status, StatusCode::UNAUTHORIZED);
    // And back, unless somebody has decided otherwise since.
    let undo = &changed["undo"];
    assert_eq!((&undo["method"], &undo["path"]), (&json!("PATCH"), &json!("/api/accounts/bob")));
    let body: Value = serde_json::from_str(undo["body"].as_str().unwrap()).unwrap();
    let undone = browser.send("PATCH", "/api/accounts/bob", body.clone()).await;
    assert_eq!(undone.status, StatusCode::OK);
    let overtaken = browser.send("PATCH", "/api/accounts/bob", body).await;
    assert_eq!(overtaken.status, StatusCode::CONFLICT);

    let mut back = Browser::logged_in(&program, "bob", PASSWORD).await;
    assert_eq!(back.get("/api/session").await.json()["role"], "operator");
    let reset = browser.send("PATCH", "/api/accounts/bob", json!({"password": ""})).await.json();
    assert_eq!(back.get("/api/session").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(back.log_in("bob", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    let again = back.log_in("bob", reset["password"].as_str().unwrap()).await;
    assert_eq!(again.json()["must_change_password"], true);
    browser.send("DELETE", "/api/accounts/bob", json!(null)).await;
    assert_eq!(back.get("/api/session").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_cannot_be_an_account_is_refused_with_what_can() {
    let (_program, browser) = admin().await;
    for (wanted, status, says) in [
        (json!({"name": "Ada", "role": "viewer"}), 400, "small letters"),
        (json!({"name": "a/b", "role": "viewer"}), 400, "small letters"),
        (json!({"name": "..", "role": "viewer"}), 400, "small letters"),
        (json!({"name": "ada", "role": "root"}), 400, "viewer"),
        (json!({"name": "ada", "role": "viewer", "password": "short"}), 400, "too short"),
        (json!({"name": "ops", "role": "viewer"}), 409, "already"),
    ] {
        let refused = browser.send("POST", "/api/accounts", wanted.clone()).await;
        assert_eq!(refused.status, status, "{wanted}");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(says), "{wanted}: {detail}");
    }
    let nothing = browser.send("PATCH", "/api/accounts/ops", json!({})).await;
    assert_eq!(nothing.status, StatusCode::BAD_REQUEST);
    let missing = browser.send("DELETE", "/api/accounts/nobody", json!(null)).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}
