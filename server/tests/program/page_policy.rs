use http::StatusCode;

use crate::support::{ADMIN, Answer, Browser, PASSWORD, Program, with_login};

/// The nonce that a page's policy names.
fn nonce(page: &Answer) -> String {
    let policy = page.header("content-security-policy");
    let (_, rest) = policy.split_once("'nonce-").unwrap_or_else(|| panic!("{policy}"));
    rest.split('\'').next().unwrap().to_owned()
}

/// The tags of a kind, each up to its end.
fn tags<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let starts = html.match_indices(name).map(|(at, _)| &html[at..]);
    starts.map(|rest| rest.split('>').next().unwrap()).collect()
}

fn check(page: &Answer) {
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    let (nonce, scripts) = (nonce(page), tags(&html, "<script"));
    assert!(!scripts.is_empty() && nonce.len() >= 20);
    for tag in scripts.iter().chain(&tags(&html, "<style")) {
        assert!(tag.contains(&format!("nonce=\"{nonce}\"")), "{tag} is not let run");
    }
    // Of handlers in attributes, the policy knows the one that does nothing.
    for handler in ["onclick=", "onload=", "onerror=", "oninput=", "onchange="] {
        assert!(!html.contains(handler), "{handler}");
    }
    for tag in tags(&html, "onsubmit=") {
        assert!(tag.contains("onsubmit=\"return false\""), "{tag}");
    }
    assert!(!html.contains("javascript:"));
}

#[tokio::test]
async fn every_script_of_a_page_carries_the_nonce_of_its_policy() {
    let program = Program::start("");
    let browser = Browser::new(&program);
    for path in ["/", "/limits", "/cache", "/query", "/breakers", "/rollouts", "/queues", "/nothing"] {
        let page = browser.get(path).await;
        check(&page);
        let policy = page.header("content-security-policy");
        for part in ["default-src 'self'", "object-src 'none'", "frame-ancestors 'none'", "base-uri 'self'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(
            !policy.contains("'unsafe-eval'") && !policy.contains("script-src 'unsafe-inline'"),
            "{policy}"
        );
    }
    assert_ne!(nonce(&browser.get("/").await), nonce(&browser.get("/").await));
}

#[tokio::test]
async fn so_does_every_script_of_the_login() {
    let program = with_login("");
    check(&Browser::new(&program).get("/login").await);
    let browser = Browser::logged_in(&program, ADMIN, PASSWORD).await;
    let password = browser.get("/login/password").await;
    assert_eq!(password.status, StatusCode::OK);
    check(&password);
    check(&browser.get("/").await);
}
