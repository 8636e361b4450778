//! Rollouts that start by themselves, and those that wait for their hours.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Program, Sides, delete, eventually, get, get_with, post_json};

const PLAN: &str = "stages = [50, 100]\nbake = \"1s\"\nminimum_requests = 1\n";

async fn standing(program: &Program) -> Value {
    get(program.console, "/api/rollouts/r").await.json()
}

async fn start(program: &Program, body: Value) -> (StatusCode, Value) {
    let answer = post_json(program.console, "/api/rollouts/r/start", &body.to_string()).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_start_that_has_passed_is_made_up_for_once_and_not_again_after_a_rollback() {
    let sides = Sides::new(&format!("{PLAN}start_at = 2020-01-01T08:00:00Z"), "").await;
    let program = sides.start();
    eventually("it starts", async || (standing(&program).await["phase"] == "stage").then_some(())).await;
    let history = get(program.console, "/api/rollouts/r/history").await.json();
    assert_eq!((&history[0]["by"], &history[0]["to"]), (&json!("schedule"), &json!(50)), "{history}");
    assert_eq!(post_json(program.console, "/api/rollouts/r/rollback", "").await.status, StatusCode::OK);
    let program = program.restart("-KILL");
    let after = standing(&program).await;
    assert_eq!((&after["phase"], &after["starts_at_ms"]), (&json!("rolled_back"), &Value::Null), "{after}");
}

#[tokio::test]
async fn a_planned_start_survives_a_kill_and_can_be_called_off_and_planned_again() {
    let sides = Sides::new(PLAN, "").await;
    let program = sides.start();
    let at_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() * 1_000
        + 86_400_000;
    let at = humantime::format_rfc3339(std::time::UNIX_EPOCH + std::time::Duration::from_millis(at_ms))
        .to_string();
    let (status, planned) = start(&program, json!({"at": at})).await;
    assert_eq!((status, &planned["starts_at_ms"]), (StatusCode::OK, &json!(at_ms)), "{planned}");
    assert_eq!(planned["undo"]["method"], "DELETE");
    let program = program.restart("-KILL");
    let known = standing(&program).await;
    assert_eq!((&known["starts_at_ms"], &known["phase"]), (&json!(at_ms), &json!("manual")));
    assert!(known["says"].as_str().unwrap().contains("Starts by itself "), "{known}");
    let plans = get(program.console, "/api/plans").await.json();
    assert_eq!((&plans[0]["can"], &plans[0]["starts_at_ms"]), (&json!(["start", "call_off"]), &json!(at_ms)));

    let off = delete(program.console, "/api/rollouts/r/start").await;
    assert_eq!(off.status, StatusCode::OK);
    assert_eq!(standing(&program).await["starts_at_ms"], Value::Null);
    let undo = off.json()["undo"].clone();
    let again =
        post_json(program.console, undo["path"].as_str().unwrap(), undo["body"].as_str().unwrap()).await;
    assert_eq!(again.json()["starts_at_ms"], json!(at_ms));

    assert_eq!(start(&program, json!({"reason": "now"})).await.0, StatusCode::OK);
    let now = standing(&program).await;
    assert_eq!((&now["phase"], &now["starts_at_ms"]), (&json!("stage"), &Value::Null));
    assert_eq!(start(&program, json!({"at": at})).await.0, StatusCode::CONFLICT, "it has started");
    for wrong in [
        json!({"at": "2020-01-01T08:00:00Z"}),
        json!({"at": "2030-01-01"}),
        json!({"at": "2126-01-01T08:00:00Z"}),
    ] {
        assert_eq!(start(&program, wrong.clone()).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn on_days_on_which_nothing_moves_it_waits_for_its_window_and_a_person_goes_on_all_the_same() {
    let frozen = format!("{PLAN}freeze = [\"2020-01-01/2099-12-31\"]\ntime_zone = \"Europe/Berlin\"");
    let sides = Sides::new(&frozen, "").await;
    let program = sides.start();
    assert_eq!(start(&program, json!({})).await.0, StatusCode::OK);
    let held = eventually("it waits", async || {
        for client in 0..200 {
            get_with(program.gateway, "/", &[("x-forwarded-for", &format!("10.0.0.{client}"))]).await;
        }
        let standing = standing(&program).await;
        (standing["waits_for"] == "window").then_some(standing)
    })
    .await;
    assert_eq!(
        (&held["phase"], &held["stage"], &held["verdict"]),
        (&json!("stage"), &json!(1), &json!("pass"))
    );
    assert!(held["says"].as_str().unwrap().ends_with("which does not open within a year."), "{held}");
    let promoted = post_json(program.console, "/api/rollouts/r/promote", "").await;
    assert_eq!((promoted.status, &promoted.json()["to"]), (StatusCode::OK, &json!(100)));
}
