use bytes::Bytes;
use futures_util::StreamExt;
use http::StatusCode;
use serde_json::json;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{ADMIN, Browser, PASSWORD, Program, with_login};

const RESET: &str = "/api/metrics/reset";

async fn admin() -> (Program, Browser) {
    let program = with_login("");
    let browser = Browser::logged_in(&program, ADMIN, PASSWORD).await;
    (program, browser)
}

async fn reset(browser: &Browser, headers: &[(&str, &str)]) -> StatusCode {
    browser.request("POST", RESET, headers, Bytes::from_static(b"{}")).await.status
}

#[tokio::test]
async fn a_change_with_a_cookie_comes_from_a_page_of_this_console() {
    let (program, browser) = admin().await;
    assert_eq!(reset(&browser, &[]).await, StatusCode::OK);
    let own = format!("http://{}", program.console);
    let plain = Browser { origin: None, ..browser };
    for (headers, status) in [
        // Neither: no browser, and then it has no business with a cookie.
        (vec![], StatusCode::FORBIDDEN),
        (vec![("sec-fetch-site", "same-origin")], StatusCode::OK),
        (vec![("sec-fetch-site", "cross-site")], StatusCode::FORBIDDEN),
        (vec![("sec-fetch-site", "same-site")], StatusCode::FORBIDDEN),
        (vec![("origin", own.as_str())], StatusCode::OK),
        (vec![("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        (vec![("origin", "null")], StatusCode::FORBIDDEN),
        (vec![("origin", own.as_str()), ("sec-fetch-site", "cross-site")], StatusCode::FORBIDDEN),
        (vec![("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")], StatusCode::FORBIDDEN),
    ] {
        assert_eq!(reset(&plain, &headers).await, status, "{headers:?}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "BREW"] {
        for path in [RESET, "/logout", "/login/password", "/api/session", "/", "/nothing"] {
            let answer =
                plain.request(method, path, &[("origin", "http://evil.example")], Bytes::new()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
            let answer = plain.request(method, path, &[], Bytes::new()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
        }
    }
    assert_eq!(
        plain.get("/api/session").await.status,
        StatusCode::OK,
        "and nothing of it logged anybody out"
    );
}

#[tokio::test]
async fn another_site_cannot_log_anybody_in() {
    let program = with_login("");
    let browser = Browser { origin: Some("http://evil.example".to_owned()), ..Browser::new(&program) };
    let form = browser.submit("/login", &[("account", ADMIN), ("password", PASSWORD)]).await;
    assert_eq!(form.status, StatusCode::FORBIDDEN);
    let api = browser.send("POST", "/api/session", json!({"account": ADMIN, "password": PASSWORD})).await;
    assert_eq!(api.status, StatusCode::FORBIDDEN);
    assert!(form.headers.get("set-cookie").is_none() && api.headers.get("set-cookie").is_none());
}

#[tokio::test]
async fn a_program_with_a_token_need_not_say_where_it_is() {
    let (program, browser) = admin().await;
    let token = Browser::with_token(&program, &browser.token("ci", &["metrics:write"]).await);
    assert_eq!(reset(&token, &[]).await, StatusCode::OK);
    assert_eq!(reset(&token, &[("origin", "http://evil.example")]).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_foreign_name_that_points_here_is_not_answered_and_one_that_is_configured_is() {
    let host = |name: &'static str| [("host", name)];
    let (_program, browser) = admin().await;
    for path in ["/", "/login", "/api/session", "/health"] {
        let answer = browser.request("GET", path, &host("evil.example"), Bytes::new()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    let text = "[console]\nlisten = \"127.0.0.1:0\"\nhosts = [\"console.example\"]\n[console.auth]\n\
                password = \"file:password\"\n[gateway]\nlisten = \"127.0.0.1:0\"\n[storage]\npath = \"state.db\"";
    let program = Program::with_files(text, &[("password", PASSWORD)]);
    let behind_tls = Browser { origin: Some("https://console.example".to_owned()), ..Browser::new(&program) };
    let body = Bytes::from(json!({"account": "admin", "password": PASSWORD}).to_string());
    for (name, status) in [("console.example", StatusCode::OK), ("evil.example", StatusCode::FORBIDDEN)] {
        let answer = behind_tls.request("POST", "/api/session", &host(name), body.clone()).await;
        assert_eq!(answer.status, status, "{name}");
    }
    // Its own page, but under another name: not the same origin.
    let answer = behind_tls.request("POST", "/api/session", &[], body).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// Opens the live connection as a browser or a program does.
async fn open(browser: &Browser) -> Result<Socket, Error> {
    let mut request = format!("ws://{}/ws", browser.console).into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", "rad.v1+json".parse().unwrap());
    if let Some(origin) = &browser.origin {
        headers.insert("origin", origin.parse().unwrap());
    }
    if !browser.cookie.is_empty() {
        headers.insert("cookie", browser.cookie.parse().unwrap());
    }
    if !browser.bearer.is_empty() {
        headers.insert("authorization", format!("Bearer {}", browser.bearer).parse().unwrap());
    }
    Ok(tokio_tungstenite::connect_async(request).await?.0)
}

/// The code by which it is closed, and how many messages came before.
async fn closed(socket: &mut Socket) -> (u16, usize) {
    let mut messages = 0;
    let code = async {
        loop {
            match socket.next().await.expect("a close").expect("a message") {
                Message::Close(close) => break close.expect("a code").code.into(),
                _ => messages += 1,
            }
        }
    };
    let code = tokio::time::timeout(std::time::Duration::from_secs(10), code).await.expect("closed in time");
    (code, messages)
}

fn status(refused: Result<Socket, Error>) -> u16 {
    match refused {
        Err(Error::Http(answer)) => answer.status().as_u16(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nobody_gets_a_live_connection_and_a_browser_is_told_why() {
    let (program, browser) = admin().await;
    let nobody = Browser::new(&program);
    assert_eq!(status(open(&Browser { origin: None, ..nobody.clone() }).await), 401);
    let mut socket = open(&nobody).await.unwrap();
    assert_eq!(closed(&mut socket).await, (4401, 0), "without a word of what goes on");
    let evil = Browser { origin: Some("http://evil.example".to_owned()), ..browser.clone() };
    assert_eq!(status(open(&evil).await), 403);
    assert_eq!(status(open(&Browser { origin: None, ..browser.clone() }).await), 403);
    let writes = Browser::with_token(&program, &browser.token("ci", &["rollouts:write"]).await);
    assert_eq!(status(open(&writes).await), 403);
    let wrong = Browser::with_token(&program, "rad_wrong");
    assert_eq!(status(open(&wrong).await), 401);
    assert!(matches!(open(&browser).await.unwrap().next().await, Some(Ok(Message::Text(_)))));
}

#[tokio::test]
async fn a_live_connection_ends_with_what_opened_it() {
    let (program, browser) = admin().await;
    let viewer = browser.colleague(&program, "vera", "viewer").await;
    let second = browser.colleague(&program, "bob", "operator").await;
    let token = Browser::with_token(&program, &browser.token("ci", &["read"]).await);
    let id = browser.get("/api/tokens").await.json()[0]["id"].as_str().unwrap().to_owned();

    let mut of_viewer = open(&viewer).await.unwrap();
    viewer.send("DELETE", "/api/session", json!(null)).await;
    assert_eq!(closed(&mut of_viewer).await.0, 4401, "logged out");

    let mut of_second = open(&second).await.unwrap();
    browser.send("PATCH", "/api/accounts/bob", json!({"role": "viewer"})).await;
    assert_eq!(closed(&mut of_second).await.0, 4401, "another role");

    let mut of_token = open(&token).await.unwrap();
    browser.send("DELETE", &format!("/api/tokens/{id}"), json!(null)).await;
    assert_eq!(closed(&mut of_token).await.0, 4401, "no token any more");

    let mut own = open(&browser).await.unwrap();
    let body = json!({"current": PASSWORD, "new": "battery horse correct"});
    browser.send("POST", "/api/session/password", body).await;
    assert_eq!(closed(&mut own).await.0, 4401, "another password");
}
