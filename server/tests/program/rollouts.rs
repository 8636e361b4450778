use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Program, Sides, get, get_with, post_json};

async fn served_by(program: &Program, client: u32) -> String {
    let address = format!("10.0.{}.{}", client / 250, client % 250);
    let answer = get_with(program.gateway, "/", &[("x-forwarded-for", &address)]).await;
    answer.header("x-served-by").to_owned()
}

async fn candidates(program: &Program) -> Vec<u32> {
    let mut found = Vec::new();
    for client in 0..400 {
        if served_by(program, client).await == "candidate" {
            found.push(client);
        }
    }
    found
}

async fn set(program: &Program, percent: f64) -> Value {
    let body = json!({"percent": percent, "reason": "test"}).to_string();
    post_json(program.console, "/api/rollouts/r", &body).await.json()
}

#[tokio::test]
async fn a_change_moves_real_traffic_and_clients_stay_on_their_side() {
    let sides = Sides::new("percent = 10", "").await;
    let program = sides.start();
    let ten = candidates(&program).await;
    // Four standard deviations around 40 of 400.
    assert!((16..=64).contains(&ten.len()), "{} of 400", ten.len());
    assert_eq!(candidates(&program).await, ten, "clients moved by themselves");
    let done = set(&program, 50.0).await;
    assert_eq!((&done["from"], &done["to"]), (&json!(10), &json!(50)));
    let fifty = candidates(&program).await;
    assert!(ten.iter().all(|client| fifty.contains(client)), "a client was moved back");
    assert_eq!(sides.legacy.asked() + sides.candidate.asked(), 1_200);
}

#[tokio::test]
async fn after_a_rollback_no_request_reaches_the_candidate() {
    let sides = Sides::new("percent = 100", "").await;
    let program = sides.start();
    assert_eq!(candidates(&program).await.len(), 400);
    let answer = post_json(program.console, "/api/rollouts/r/rollback", "").await;
    let done = answer.json();
    assert_eq!((&done["from"], &done["to"]), (&json!(100), &json!(0)));
    assert_eq!(done["undo"]["path"], "/api/rollouts/r");
    assert_eq!(candidates(&program).await, [] as [u32; 0]);
    assert_eq!(sides.candidate.asked(), 400);
}

#[tokio::test]
async fn the_share_and_the_assignment_survive_a_kill() {
    let sides = Sides::new("percent = 10", "").await;
    let program = sides.start();
    set(&program, 33.0).await;
    let before = candidates(&program).await;
    let program = program.restart("-KILL");
    assert_eq!(get(program.console, "/api/rollouts/r").await.json()["percent"], 33);
    assert_eq!(candidates(&program).await, before);
}

#[tokio::test]
async fn a_browser_in_legacy_mode_is_served_by_legacy() {
    let sides = Sides::new("percent = 100", "").await;
    let program = sides.start();
    let pinned = get_with(program.gateway, "/", &[("cookie", "a=1; rad_mode=legacy")]).await;
    assert_eq!(pinned.header("x-served-by"), "legacy");
    let other = get_with(program.gateway, "/", &[("cookie", "rad_mode=candidate")]).await;
    assert_eq!(other.header("x-served-by"), "candidate");
}

#[tokio::test]
async fn an_impossible_change_is_refused_with_what_is_allowed_and_changes_nothing() {
    let sides = Sides::new("percent = 10", "").await;
    let program = sides.start();
    for (path, body, status, word) in [
        ("/api/rollouts/r", r#"{"percent": 101}"#, 400, "0 to 100"),
        ("/api/rollouts/r", r#"{"percent": -1}"#, 400, "0 to 100"),
        ("/api/rollouts/r", r#"{"percent": "all"}"#, 400, "not valid"),
        ("/api/rollouts/r", r#"{"percent": 20, "because": 1}"#, 400, "because"),
        ("/api/rollouts/r", r#"{"percent": 20, "from": 11}"#, 409, "r is at 10 % now"),
        ("/api/rollouts/r", "", 400, "not valid"),
        ("/api/rollouts/unknown", r#"{"percent": 20}"#, 404, "unknown"),
        ("/api/rollouts/unknown/rollback", "", 404, "unknown"),
    ] {
        let answer = post_json(program.console, path, body).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {body}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(word), "{path} {body}: {detail}");
    }
    assert_eq!(get(program.console, "/api/rollouts/r").await.json()["percent"], 10);
}

#[tokio::test]
async fn a_page_of_another_site_cannot_move_traffic() {
    let sides = Sides::new("percent = 10", "").await;
    let program = sides.start();
    let request = http::Request::post("/api/rollouts/r/rollback")
        .header("host", program.console.to_string())
        .header("origin", "http://evil.example")
        .body(http_body_util::Full::default())
        .unwrap();
    let answer = crate::support::send(program.console, request).await.unwrap();
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(get(program.console, "/api/rollouts/r").await.json()["percent"], 10);
}
