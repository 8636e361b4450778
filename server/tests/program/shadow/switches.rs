//! How much is copied, and who says so.

use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{ALL, Shadow};
use crate::support::{Sides, eventually, get, post_json, send};

#[tokio::test]
async fn nothing_is_copied_that_goes_on_after_it_was_switched_off() {
    let shadow = Shadow::new(ALL).await;
    let Sides { legacy, candidate, .. } = &shadow.sides;
    legacy.hold();
    let gateway = shadow.program.gateway;
    let under_way = tokio::spawn(async move { get(gateway, "/").await });
    eventually("legacy is asked", async || (legacy.at_once() == 1).then_some(())).await;
    let answer = shadow.set(json!({"percent": 0, "from": 100, "reason": "enough"})).await.json();
    assert_eq!(answer["says"], "Changed 100 → 0 %.");
    legacy.release();
    under_way.await.unwrap();
    for _ in 0..20 {
        shadow.ask().await;
    }
    assert_eq!(shadow.set(json!({"percent": 100})).await.status, StatusCode::OK);
    shadow.ask().await;
    shadow.until(1, 0).await;
    assert_eq!(candidate.asked(), 1);
}

#[tokio::test]
async fn a_rollback_takes_the_copies_back_until_they_are_wanted_anew() {
    let shadow = Shadow::new(ALL).await;
    post_json(shadow.program.console, "/api/rollouts/r/rollback", "").await;
    shadow.ask().await;
    let standing = shadow.until(0, 1).await;
    assert_eq!((&standing["is_withdrawn"], &standing["skipped"]["rolled_back"]), (&json!(true), &json!(1)));
    let answer = shadow.set(json!({"percent": 100, "reason": "to find out why"})).await.json();
    assert_eq!((&answer["says"], &answer["undo"]), (&json!("100 % is copied again."), &Value::Null));
    shadow.ask().await;
    shadow.until(1, 1).await;
    assert_eq!(shadow.sides.candidate.asked(), 1);
}

#[tokio::test]
async fn the_share_survives_a_kill_and_can_be_undone_and_who_set_it_is_remembered() {
    let mut shadow = Shadow::new("shadow = { percent = 5 }").await;
    let answer = shadow.set(json!({"percent": 12.5, "from": 5, "reason": "more of it"})).await.json();
    let undo = answer["undo"].clone();
    shadow.program = shadow.program.restart("-KILL");
    assert_eq!(shadow.standing().await["percent"], 12.5);
    let history = get(shadow.program.console, "/api/rollouts/r/history").await.json();
    assert_eq!((&history[0]["phase"], &history[0]["reason"]), (&json!("shadow"), &json!("more of it")));
    let path = undo["path"].as_str().unwrap();
    assert_eq!(path, "/api/rollouts/r/shadow");
    let undone = post_json(shadow.program.console, path, undo["body"].as_str().unwrap()).await;
    assert_eq!(undone.json()["to"], 5);
    assert_eq!(shadow.standing().await["percent"], 5);
    assert_eq!(
        get(shadow.program.console, "/api/plans").await.json()[0]["history"][0]["what"],
        "shadow 12.5 → 5 %"
    );
}

#[tokio::test]
async fn what_was_found_can_be_forgotten() {
    let shadow = Shadow::new(ALL).await;
    shadow.ask().await;
    shadow.until(1, 0).await;
    let reset =
        post_json(shadow.program.console, "/api/rollouts/r/shadow/reset", "{\"reason\": \"new build\"}")
            .await;
    assert_eq!(reset.json()["says"], "Forgot 1 request.");
    let standing = shadow.standing().await;
    assert_eq!((&standing["compared"], &standing["fields"]), (&json!(0), &json!([])));
    let line = shadow.program.log_line("rollout_shadow_reset");
    assert_eq!((&line["rollout"], &line["reason"]), (&json!("r"), &json!("new build")));
}

#[tokio::test]
async fn an_impossible_change_is_refused_with_what_is_allowed() {
    let shadow = Shadow::new("shadow = { percent = 5 }").await;
    for (path, body, status, word) in [
        ("/api/rollouts/r/shadow", r#"{"percent": 101}"#, 400, "0 to 100"),
        ("/api/rollouts/r/shadow", r#"{"percent": "all"}"#, 400, "not valid"),
        ("/api/rollouts/r/shadow", r#"{"percent": 20, "because": 1}"#, 400, "because"),
        ("/api/rollouts/r/shadow", r#"{"percent": 20, "from": 11}"#, 409, "the shadow of r is at 5 % now"),
        ("/api/rollouts/r/shadow", "", 400, "not valid"),
        ("/api/rollouts/unknown/shadow", r#"{"percent": 20}"#, 404, "unknown"),
        ("/api/rollouts/unknown/shadow/reset", "", 404, "unknown"),
        ("/api/rollouts/r/shadow/reset", "{\"because\": 1}", 400, "because"),
    ] {
        let answer = post_json(shadow.program.console, path, body).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {body}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(word), "{path} {body}: {detail}");
    }
    assert_eq!(
        get(shadow.program.console, "/api/rollouts/unknown/shadow").await.status,
        StatusCode::NOT_FOUND
    );
    let request = Request::post("/api/rollouts/r/shadow")
        .header("host", shadow.program.console.to_string())
        .header("origin", "http://evil.example")
        .body("{\"percent\": 20}".into())
        .unwrap();
    assert_eq!(send(shadow.program.console, request).await.unwrap().status, StatusCode::FORBIDDEN);
    assert_eq!(shadow.standing().await["percent"], 5);
}
