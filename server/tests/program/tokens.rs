use http::StatusCode;
use serde_json::json;

use crate::support::{ADMIN, Browser, PASSWORD, Program, Sides, with_login};

/// A change, and the scope that allows it.
const CHANGES: [(&str, &str, &str); 7] = [
    ("POST", "/api/rollouts/r", "rollouts:write"),
    ("POST", "/api/breakers/old/reset", "breakers:write"),
    ("POST", "/api/blocked", "limits:write"),
    ("POST", "/api/cache/invalidate", "cache:write"),
    ("PATCH", "/api/lab/traffic", "lab:write"),
    ("POST", "/api/metrics/reset", "metrics:write"),
    ("POST", "/api/accounts", "admin"),
];

async fn admin() -> (Program, Browser) {
    let program = with_login("");
    let browser = Browser::logged_in(&program, ADMIN, PASSWORD).await;
    (program, browser)
}

#[tokio::test]
async fn each_scope_allows_what_it_names_and_nothing_else() {
    let (program, browser) = admin().await;
    let scopes = ["read", "flags:write"].into_iter().chain(CHANGES.map(|(_, _, scope)| scope));
    for scope in scopes {
        let secret = browser.token(&scope.replace(':', "-"), &[scope]).await;
        let token = Browser::with_token(&program, &secret);
        let reads = token.get("/api/metrics").await.status;
        assert_eq!(reads == StatusCode::OK, ["read", "admin"].contains(&scope), "{scope}: {reads}");
        let page = token.get("/").await.status;
        assert_eq!(page == StatusCode::OK, ["read", "admin"].contains(&scope), "{scope}: {page}");
        for (method, path, needed) in CHANGES {
            // What passes is refused for what it says, not for who says it.
            let status = token.send(method, path, json!({"nonsense": 1})).await.status;
            let passes = scope == needed || scope == "admin";
            assert_eq!(status != StatusCode::FORBIDDEN, passes, "{scope}: {method} {path} {status}");
            assert_ne!(status, StatusCode::UNAUTHORIZED);
        }
        let reads_accounts = token.get("/api/accounts").await.status;
        assert_eq!(reads_accounts == StatusCode::OK, scope == "admin", "{scope}");
    }
}

#[tokio::test]
async fn a_token_is_shown_once_and_gone_when_it_is_removed() {
    let (program, browser) = admin().await;
    let made = browser.send("POST", "/api/tokens", json!({"name": "ci", "scopes": ["read"]})).await;
    let (secret, id) = (made.json()["token"].as_str().unwrap().to_owned(), made.json()["id"].clone());
    assert!(secret.starts_with("rad_") && secret.len() >= 40);
    let listed = browser.get("/api/tokens").await;
    assert!(!String::from_utf8_lossy(&listed.body).contains(&secret));
    let listed = listed.json();
    assert_eq!(
        (&listed[0]["name"], &listed[0]["owner"], &listed[0]["scopes"]),
        (&json!("ci"), &json!(ADMIN), &json!(["read"]))
    );
    let life = listed[0]["expires_ms"].as_u64().unwrap() - listed[0]["created_ms"].as_u64().unwrap();
    assert_eq!(life, 90 * 86_400_000);
    let token = Browser::with_token(&program, &secret);
    let session = token.get("/api/session").await.json();
    assert_eq!(
        (&session["by"], &session["token"], &session["scopes"]),
        (&json!("token"), &json!("ci"), &json!(["read"]))
    );

    // The database holds nothing that opens anything.
    let mut stored = Vec::new();
    for name in ["state.db", "state.db-wal"] {
        stored.extend(std::fs::read(program.file(name)).unwrap_or_default());
    }
    let holds = |text: &str| stored.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("argon2id") && !holds(&secret) && !holds(PASSWORD));
    assert!(!holds(browser.cookie.split_once('=').unwrap().1));

    let undo = &made.json()["undo"];
    assert_eq!(
        (&undo["method"], &undo["path"]),
        (&json!("DELETE"), &json!(format!("/api/tokens/{}", id.as_str().unwrap())))
    );
    let removed = browser.send("DELETE", undo["path"].as_str().unwrap(), json!(null)).await;
    assert_eq!(removed.status, StatusCode::OK);
    assert_eq!(token.get("/api/metrics").await.status, StatusCode::UNAUTHORIZED);
    let again = browser.send("DELETE", undo["path"].as_str().unwrap(), json!(null)).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_token_that_is_none_is_refused_even_beside_a_cookie() {
    let (program, browser) = admin().await;
    let secret = browser.token("ci", &["read"]).await;
    for wrong in ["rad_", "rad_x", &secret[..secret.len() - 1], &format!("{secret}A"), &secret.to_uppercase()]
    {
        let token = Browser { bearer: wrong.to_owned(), ..browser.clone() };
        let answer = token.get("/api/metrics").await;
        let is_ours = wrong.starts_with("rad_");
        assert_eq!(answer.status == StatusCode::UNAUTHORIZED, is_ours, "{wrong}");
        if is_ours {
            assert!(answer.header("www-authenticate").contains("invalid_token"));
        }
        // What is not ours is for somebody else, and opens nothing by itself.
        let alone = Browser::with_token(&program, wrong);
        assert_eq!(alone.get("/api/metrics").await.status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
}

#[tokio::test]
async fn a_token_shrinks_with_its_owner_and_goes_with_them() {
    let (program, browser) = admin().await;
    browser.colleague(&program, "bob", "operator").await;
    let wanted = |scopes: &[&str]| json!({"name": "ci", "owner": "bob", "scopes": scopes});
    let refused = browser.send("POST", "/api/tokens", wanted(&["read", "admin"])).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "more than its owner has");
    let made = browser.send("POST", "/api/tokens", wanted(&["read", "breakers:write"])).await;
    let token = Browser::with_token(&program, made.json()["token"].as_str().unwrap());
    let reset = async || token.send("POST", "/api/breakers/nothing/reset", json!({})).await.status;
    assert_eq!(reset().await, StatusCode::NOT_FOUND, "it may, but there is none");
    browser.send("PATCH", "/api/accounts/bob", json!({"role": "viewer"})).await;
    assert_eq!(reset().await, StatusCode::FORBIDDEN);
    assert_eq!(token.get("/api/metrics").await.status, StatusCode::OK);
    browser.send("DELETE", "/api/accounts/bob", json!(null)).await;
    assert_eq!(token.get("/api/metrics").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.get("/api/tokens").await.json(), json!([]));
}

#[tokio::test]
async fn a_token_outlives_a_restart_but_not_its_removal() {
    let (program, browser) = admin().await;
    let (stays, goes) = (browser.token("stays", &["read"]).await, browser.token("goes", &["read"]).await);
    let listed = browser.get("/api/tokens").await.json();
    let id = listed.as_array().unwrap().iter().find(|token| token["name"] == "goes").unwrap()["id"].clone();
    browser.send("DELETE", &format!("/api/tokens/{}", id.as_str().unwrap()), json!(null)).await;
    let program = program.restart("-KILL");
    assert_eq!(Browser::with_token(&program, &stays).get("/api/metrics").await.status, StatusCode::OK);
    let gone = Browser::with_token(&program, &goes).get("/api/metrics").await.status;
    assert_eq!(gone, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_cannot_be_a_token_is_refused_with_what_can() {
    let (_program, browser) = admin().await;
    browser.token("ci", &["read"]).await;
    for (wanted, status, says) in [
        (json!({"name": "", "scopes": ["read"]}), 400, "1 to 64"),
        (json!({"name": "a b", "scopes": ["read"]}), 400, "1 to 64"),
        (json!({"name": "x", "scopes": []}), 400, "at least one"),
        (json!({"name": "x", "scopes": ["write"]}), 400, "rollouts:write"),
        (json!({"name": "x", "scopes": ["read"], "expires_in": "2y"}), 400, "366d"),
        (json!({"name": "x", "scopes": ["read"], "expires_in": "never"}), 400, "366d"),
        (json!({"name": "x", "scopes": ["read"], "owner": "nobody"}), 404, "no account"),
        (json!({"name": "ci", "scopes": ["read"]}), 409, "already"),
    ] {
        let refused = browser.send("POST", "/api/tokens", wanted.clone()).await;
        assert_eq!(refused.status, status, "{wanted}");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(says), "{wanted}: {detail}");
    }
}

#[tokio::test]
async fn a_token_changes_no_password_and_is_named_in_what_it_does() {
    let sides = Sides::new("", "").await;
    let text =
        sides.configuration().replace("[gateway]", "[console.auth]\npassword = \"file:password\"\n[gateway]");
    let program = Program::with_files(&text, &[("password", PASSWORD)]);
    let browser = Browser::logged_in(&program, "admin", PASSWORD).await;
    let token = Browser::with_token(&program, &browser.token("ci", &["admin"]).await);
    let body = json!({"current": PASSWORD, "new": "battery horse correct"});
    let refused = token.send("POST", "/api/session/password", body).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(token.send("DELETE", "/api/session", json!(null)).await.status, StatusCode::UNAUTHORIZED);

    for (who, percent) in [(&token, 20), (&browser, 30)] {
        let changed = who.send("POST", "/api/rollouts/r", json!({"percent": percent})).await;
        assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    }
    let history = browser.get("/api/rollouts/r/history").await.json();
    assert_eq!((&history[0]["by"], &history[1]["by"]), (&json!("admin"), &json!("token ci of admin")));
}
