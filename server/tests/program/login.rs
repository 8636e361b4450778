use http::StatusCode;
use serde_json::json;

use crate::support::{ADMIN, Browser, PASSWORD, Program, failing_start, with_login};

#[tokio::test]
async fn without_the_table_nobody_logs_in() {
    let program = Program::start("");
    let browser = Browser::new(&program);
    assert_eq!(browser.get("/api/metrics").await.status, StatusCode::OK);
    assert_eq!(browser.get("/api/session").await.json(), json!({"login": false}));
    assert_eq!(browser.get("/login").await.header("location"), "/");
    assert_eq!(browser.get("/api/accounts").await.status, StatusCode::NOT_FOUND);
    let page = browser.get("/").await;
    assert!(!String::from_utf8_lossy(&page.body).contains("/logout"));
}

#[tokio::test]
async fn with_it_nobody_sees_anything_before_they_have_logged_in() {
    let program = with_login("");
    let nobody = Browser::new(&program);
    for path in ["/api", "/api/", "/api/metrics", "/api/nothing", "/api/monitoring/metrics", "/ws"] {
        let answer = nobody.get(path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{path}");
        assert!(answer.json()["detail"].is_string(), "{path}");
    }
    for path in ["/", "/limits?range=1m", "/nothing", "/login/password", "//pkg/x", "/%61pi/metrics"] {
        let answer = nobody.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.header("location").starts_with("/login"), "{path}");
        assert!(answer.body.is_empty(), "{path}");
    }
    assert_eq!(nobody.get("/limits?range=1m").await.header("location"), "/login?to=%2Flimits%3Frange%3D1m");
    // What is no file of the site is not drawn as a page either, which would show everything.
    for path in ["/pkg/nothing.js", "/pkg/../nothing", "/pkg/%2e%2e/nothing"] {
        let answer = nobody.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.body.len() < 100, "{path}");
    }
    assert_eq!(nobody.get("/health").await.status, StatusCode::OK);
    assert_eq!(nobody.get("/login").await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_has_logged_in_is_told_who_they_are_until_they_log_out() {
    let program = with_login("");
    let mut browser = Browser::new(&program);
    let answer = browser.log_in(ADMIN, PASSWORD).await;
    let cookie = answer.header("set-cookie").to_owned();
    for part in ["rad_session=", "; Path=/", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!(answer.header("cache-control"), "no-store");
    let session = browser.get("/api/session").await.json();
    assert_eq!(
        (&session["account"], &session["role"], &session["by"]),
        (&json!(ADMIN), &json!("admin"), &json!("session"))
    );
    assert!(session["ends_ms"].as_u64() > session["idle_ends_ms"].as_u64());
    let page = browser.get("/").await;
    assert_eq!((page.status, page.header("cache-control")), (StatusCode::OK, "no-store"));
    assert!(String::from_utf8_lossy(&page.body).contains("action=\"/logout\""));

    let stolen = browser.clone();
    let out = browser.send("DELETE", "/api/session", json!(null)).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(stolen.get("/api/metrics").await.status, StatusCode::UNAUTHORIZED, "it ended on the server");
    browser.keep(&out);
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_session_that_was_planted_opens_nothing_and_each_login_has_its_own() {
    let program = with_login("");
    let mut victim = Browser::new(&program);
    victim.cookie = "rad_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned();
    let planted = victim.clone();
    victim.log_in(ADMIN, PASSWORD).await;
    assert_ne!(victim.cookie, planted.cookie);
    assert_eq!(planted.get("/api/session").await.status, StatusCode::UNAUTHORIZED);
    // Who logs in again leaves the old session behind, and nobody else in it.
    let before = victim.clone();
    victim.log_in(ADMIN, PASSWORD).await;
    assert_ne!(victim.cookie, before.cookie);
    assert_eq!(before.get("/api/session").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(victim.get("/api/session").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_cookie_that_was_changed_in_any_letter_is_none() {
    let program = with_login("");
    let browser = Browser::logged_in(&program, ADMIN, PASSWORD).await;
    let start = "rad_session=".len();
    for at in start..browser.cookie.len() {
        let mut letters = browser.cookie.clone().into_bytes();
        letters[at] = if letters[at] == b'A' { b'B' } else { b'A' };
        let tampered = Browser { cookie: String::from_utf8(letters).unwrap(), ..browser.clone() };
        assert_eq!(tampered.get("/api/session").await.status, StatusCode::UNAUTHORIZED, "{at}");
    }
    for cookie in ["rad_session=", "rad_session", "__Host-rad_session=x", &format!("{}=", browser.cookie)] {
        let other = Browser { cookie: cookie.to_owned(), ..browser.clone() };
        assert_eq!(other.get("/api/session").await.status, StatusCode::UNAUTHORIZED, "{cookie}");
    }
}

#[tokio::test]
async fn a_new_password_ends_every_session_but_gives_its_owner_another() {
    let program = with_login("");
    let mut here = Browser::logged_in(&program, ADMIN, PASSWORD).await;
    let elsewhere = Browser::logged_in(&program, ADMIN, PASSWORD).await;
    let stolen = here.clone();
    let change = |current: &str, new: &str| json!({"current": current, "new": new});
    let refused =
        here.send("POST", "/api/session/password", change("something else", "battery horse correct")).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    for weak in ["short", ADMIN, "aaaaaaaaaaaaaaaa", PASSWORD] {
        let refused = here.send("POST", "/api/session/password", change(PASSWORD, weak)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{weak}");
    }
    assert_eq!(here.get("/api/session").await.status, StatusCode::OK, "nothing has changed yet");
    let changed = here.send("POST", "/api/session/password", change(PASSWORD, "battery horse correct")).await;
    assert_eq!(changed.status, StatusCode::OK);
    here.keep(&changed);
    assert_eq!(here.get("/api/session").await.status, StatusCode::OK);
    for other in [&stolen, &elsewhere] {
        assert_eq!(other.get("/api/session").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(Browser::new(&program).log_in(ADMIN, PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    Browser::logged_in(&program, ADMIN, "battery horse correct").await;
}

#[tokio::test]
async fn a_restart_logs_nobody_out_and_nobody_back_in() {
    let program = with_login("");
    let mut stays = Browser::logged_in(&program, ADMIN, PASSWORD).await;
    let mut leaves = Browser::logged_in(&program, ADMIN, PASSWORD).await;
    assert_eq!(leaves.send("DELETE", "/api/session", json!(null)).await.status, StatusCode::NO_CONTENT);
    // Without the variable: the password was needed for the first start only.
    let program = program.restart("-KILL");
    (stays.console, leaves.console) = (program.console, program.console);
    assert_eq!(stays.get("/api/session").await.status, StatusCode::OK);
    assert_eq!(leaves.get("/api/session").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_over() {
    let settings = |text: &str| format!("[console.auth]\n{text}");
    // The shortest that an operator may write is a minute: too long for a test, which asks when it would be.
    let said = failing_start(&["check", "--config", "test.toml"], &settings("session = \"1s\""));
    assert!(said.contains("console.auth.session") && said.contains("allowed 1m"), "{said}");
    let program = with_login("session = \"2m\"\nidle = \"1m\"");
    let browser = Browser::logged_in(&program, ADMIN, PASSWORD).await;
    let session = browser.get("/api/session").await.json();
    let left = session["ends_ms"].as_u64().unwrap() - session["idle_ends_ms"].as_u64().unwrap();
    assert!((55_000..=60_000).contains(&left), "{left}");
}

#[tokio::test]
async fn names_without_an_account_are_answered_as_wrong_passwords_are() {
    let program = with_login("");
    let mut answers = Vec::new();
    for (at, name) in [(2, ADMIN), (3, "nobody"), (4, "No Name At All"), (5, "")] {
        let answer = Browser::new(&program).at(at).log_in(name, "correct horse batterz").await;
        assert!(answer.headers.get("set-cookie").is_none());
        answers.push((answer.status, answer.body));
    }
    assert_eq!(answers[0].0, StatusCode::UNAUTHORIZED);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn the_login_page_leads_back_to_where_one_was_and_nowhere_else() {
    let program = with_login("");
    let browser = Browser::new(&program);
    let page = browser.get("/login?to=%2Flimits%3Frange%3D1m").await;
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(html.contains("name=\"to\" value=\"/limits?range=1m\""), "{html}");
    assert!(!html.contains(".wasm") && !html.contains("rad-monitor.js"), "it needs nothing of the dashboard");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    for (to, leads) in [
        ("/limits?range=1m", "/limits?range=1m"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
    ] {
        let fields = [("account", ADMIN), ("password", PASSWORD), ("to", to)];
        let answer = browser.submit("/login", &fields).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, leads), "{to}");
        // Who is in already is led there at once.
        let mut inside = browser.clone();
        inside.keep(&answer);
        let to: String = url::form_urlencoded::byte_serialize(to.as_bytes()).collect();
        assert_eq!(inside.get(&format!("/login?to={to}")).await.header("location"), leads);
    }
    let wrong = browser.submit("/login", &[("account", "<b>x"), ("password", "y"), ("to", "/limits")]).await;
    let html = String::from_utf8(wrong.body.to_vec()).unwrap();
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(html.contains("role=\"alert\"") && html.contains("value=\"/limits\"") && !html.contains("<b>x"));
}

#[tokio::test]
async fn the_form_in_the_header_logs_out() {
    let program = with_login("");
    let mut browser = Browser::logged_in(&program, ADMIN, PASSWORD).await;
    let out = browser.submit("/logout", &[]).await;
    assert_eq!((out.status, out.header("location")), (StatusCode::SEE_OTHER, "/login"));
    assert_eq!(browser.get("/api/session").await.status, StatusCode::UNAUTHORIZED);
    browser.keep(&out);
    assert_eq!(browser.submit("/logout", &[]).await.header("location"), "/login");
}

#[tokio::test]
async fn over_tls_the_cookie_is_for_this_host_alone() {
    let program = with_login("secure_cookies = true");
    let mut browser = Browser::new(&program);
    let cookie = browser.log_in(ADMIN, PASSWORD).await.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-rad_session=") && cookie.ends_with("; Secure"), "{cookie}");
    assert_eq!(browser.get("/api/session").await.status, StatusCode::OK);
    let renamed = Browser { cookie: browser.cookie.replace("__Host-", ""), ..browser };
    assert_eq!(renamed.get("/api/session").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn who_comes_without_tls_where_the_cookie_needs_it_is_told() {
    let text = "[console]\nlisten = \"127.0.0.1:0\"\nhosts = [\"console.example\"]\n[console.auth]\n\
                secure_cookies = true\npassword = \"file:password\"\n[gateway]\nlisten = \"127.0.0.1:0\"\n\
                [storage]\npath = \"state.db\"";
    let program = Program::with_files(text, &[("password", PASSWORD)]);
    let form = bytes::Bytes::from("account=admin&password=correct+horse+battery");
    for (scheme, status) in [("http", StatusCode::BAD_REQUEST), ("https", StatusCode::SEE_OTHER)] {
        let origin = format!("{scheme}://console.example");
        let headers = [("host", "console.example"), ("origin", origin.as_str())];
        let browser = Browser { origin: None, ..Browser::new(&program) };
        let answer = browser.request("POST", "/login", &headers, form.clone()).await;
        assert_eq!(answer.status, status, "{scheme}");
        let says = String::from_utf8_lossy(&answer.body).contains("secure_cookies");
        assert_eq!((says, answer.headers.contains_key("set-cookie")), (scheme == "http", scheme == "https"));
    }
}

#[tokio::test]
async fn the_log_says_who_came_and_went() {
    let program = with_login("");
    let browser = Browser::logged_in(&program, ADMIN, PASSWORD).await;
    let line = program.log_line("login");
    assert_eq!((&line["account"], &line["client_ip"]), (&json!(ADMIN), &json!("127.0.0.1")));
    browser.send("DELETE", "/api/session", json!(null)).await;
    assert_eq!(program.log_line("logout")["account"], ADMIN);
    Browser::new(&program).log_in("hunter2", "x").await;
    assert_eq!(program.log_line("login_failed")["account"], "(unknown)", "it may be a password");
}
