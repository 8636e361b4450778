use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Behaviour, Program, Sides, eventually, get, get_with, post_json};

struct Rollout {
    sides: Sides,
    program: Program,
}

impl Rollout {
    async fn new(settings: &str) -> Self {
        Self::with(settings, "").await
    }

    async fn with(settings: &str, upstreams: &str) -> Self {
        let sides = Sides::new(settings, upstreams).await;
        let program = sides.start();
        Self { sides, program }
    }

    /// Requests of so many clients, one each.
    async fn ask(&self, clients: u32) {
        for client in 0..clients {
            let address = format!("10.{}.{}.{}", client / 62_500, client / 250 % 250, client % 250);
            get_with(self.program.gateway, "/", &[("x-forwarded-for", &address)]).await;
        }
    }

    async fn standing(&self) -> Value {
        get(self.program.console, "/api/rollouts/r").await.json()
    }

    async fn order(&self, what: &str) -> StatusCode {
        post_json(self.program.console, &format!("/api/rollouts/r/{what}"), "{\"reason\": \"a test\"}")
            .await
            .status
    }

    /// Asks until the rollout is where it is expected.
    async fn until(&self, what: &str, is_there: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || {
            self.ask(200).await;
            Some(self.standing().await).filter(&is_there)
        })
        .await
    }
}

fn phase(standing: &Value) -> (&str, Option<u64>) {
    (standing["phase"].as_str().unwrap_or_default(), standing["stage"].as_u64())
}

#[tokio::test]
async fn a_healthy_candidate_goes_through_all_stages_by_itself() {
    let rollout = Rollout::new("stages = [50, 100]\nbake = \"1s\"").await;
    assert_eq!(phase(&rollout.standing().await), ("manual", None));
    assert_eq!(rollout.order("start").await, StatusCode::OK);
    let first = rollout.standing().await;
    assert_eq!((phase(&first), &first["percent"]), (("stage", Some(1)), &json!(50)));
    assert_eq!(first["verdict"], "not_enough_evidence");
    assert!(first["requests_needed"].as_u64().is_some_and(|needed| needed > 500), "{first}");

    let done = rollout.until("all stages are through", |standing| phase(standing).0 == "complete").await;
    assert_eq!(done["percent"], 100);
    let history = get(rollout.program.console, "/api/rollouts/r/history").await.json();
    let shares: Vec<_> = history.as_array().unwrap().iter().map(|change| &change["to"]).collect();
    assert_eq!(shares, [100, 100, 50].map(|share| json!(share)).iter().collect::<Vec<_>>());
    assert_eq!((&history[1]["by"], &history[2]["by"]), (&json!("verdict"), &json!("api")));
    assert!(history[0]["reason"].as_str().unwrap().starts_with("passed: 0 of "), "{history}");
}

#[tokio::test]
async fn a_candidate_that_breaks_is_taken_out_and_asked_no_more() {
    let rollout = Rollout::new("stages = [50, 100]\nbake = \"10m\"").await;
    assert_eq!(rollout.order("start").await, StatusCode::OK);
    rollout.ask(100).await;
    assert!(rollout.sides.candidate.asked() > 20 && rollout.sides.legacy.asked() > 20);
    rollout.sides.candidate.behave(Behaviour::Status(500));
    let out = rollout.until("it is rolled back", |standing| phase(standing).0 == "rolled_back").await;
    assert_eq!(out["percent"], 0);
    let (asked, told) = (rollout.sides.candidate.asked(), rollout.program.log_line("rollout_changed"));
    // The order to start was told first.
    assert_eq!((&told["by"], &told["to_percent"]), (&json!("api"), &json!("50")));
    let told = rollout.program.log_line("rollout_changed");
    assert_eq!((&told["by"], &told["to_percent"]), (&json!("verdict"), &json!("0")));
    assert!(told["reason"].as_str().unwrap().contains(" failed at this share"), "{told}");
    rollout.ask(300).await;
    assert_eq!(rollout.sides.candidate.asked(), asked, "a request reached the candidate after the rollback");
}

#[tokio::test]
async fn what_legacy_suffers_as_well_takes_no_candidate_out() {
    let rollout = Rollout::with("stages = [50, 100]", "breaker = { consecutive_failures = 1000 }").await;
    assert_eq!(rollout.order("start").await, StatusCode::OK);
    rollout.ask(100).await;
    rollout.sides.legacy.behave(Behaviour::Status(500));
    rollout.ask(100).await;
    rollout.sides.candidate.behave(Behaviour::Status(500));
    let both = rollout.until("it is seen", |standing| standing["verdict"] == "legacy_fails_too").await;
    assert_eq!((phase(&both), &both["percent"]), (("stage", Some(1)), &json!(50)), "{both}");
}

#[tokio::test]
async fn killed_in_its_second_stage_it_goes_on_in_its_second_stage() {
    let mut rollout = Rollout::new("stages = [10, 50, 100]\nbake = \"10m\"").await;
    for order in ["start", "promote"] {
        assert_eq!(rollout.order(order).await, StatusCode::OK);
    }
    let before = rollout.standing().await;
    assert_eq!((phase(&before), &before["percent"]), (("stage", Some(2)), &json!(50)));
    rollout.program = rollout.program.restart("-KILL");
    let after = rollout.standing().await;
    assert_eq!((phase(&after), &after["percent"]), (("stage", Some(2)), &json!(50)));
    assert_eq!(after["since_ms"], before["since_ms"], "the stage bakes on");

    assert_eq!(rollout.order("pause").await, StatusCode::OK);
    rollout.program = rollout.program.restart("-KILL");
    assert_eq!(phase(&rollout.standing().await), ("paused", Some(2)));
}

#[tokio::test]
async fn orders_that_make_no_sense_are_refused_and_change_nothing() {
    let rollout = Rollout::new("stages = [10, 100]\nbake = \"10m\"\npromotion = \"manual\"").await;
    for order in ["pause", "resume", "promote"] {
        assert_eq!(rollout.order(order).await, StatusCode::CONFLICT, "{order}");
    }
    assert_eq!(rollout.order("start").await, StatusCode::OK);
    assert_eq!(rollout.order("resume").await, StatusCode::CONFLICT);
    assert_eq!(rollout.order("pause").await, StatusCode::OK);
    assert_eq!(rollout.order("pause").await, StatusCode::CONFLICT);
    assert_eq!(rollout.order("resume").await, StatusCode::OK);
    assert_eq!(phase(&rollout.standing().await), ("stage", Some(1)));
    // The share that it has is no new one: the stage goes on.
    let same = post_json(rollout.program.console, "/api/rollouts/r", "{\"percent\": 10}").await;
    assert_eq!(same.json()["says"], "It was at 10 % already.");
    assert_eq!(phase(&rollout.standing().await), ("stage", Some(1)));
    assert_eq!(rollout.order("rollback").await, StatusCode::OK);
    assert_eq!(phase(&rollout.standing().await), ("rolled_back", None));
    let history = get(rollout.program.console, "/api/rollouts/r/history").await.json();
    assert_eq!(history.as_array().map(Vec::len), Some(4), "{history}");
}

#[tokio::test]
async fn an_undo_leads_into_the_stage_that_was_left_and_two_who_promote_at_once_skip_none() {
    let sides = Sides::new("stages = [10, 25, 50]\nbake = \"1h\"", "").await;
    let program = sides.start();
    let standing = async || get(program.console, "/api/rollouts/r").await.json();
    let press = async |what: &str, body: &str| {
        post_json(program.console, &format!("/api/rollouts/r{what}"), body).await
    };
    press("/start", "").await;
    assert_eq!(press("/promote", r#"{"from": 10}"#).await.status, StatusCode::OK);
    assert_eq!(press("/promote", r#"{"from": 10}"#).await.status, StatusCode::CONFLICT);
    let back = press("/rollback", r#"{"reason": "a mistake"}"#).await.json();
    assert!(standing().await["says"].as_str().unwrap().starts_with("Taken back by api: a mistake."));
    let undone = press("", back["undo"]["body"].as_str().unwrap()).await;
    assert_eq!(undone.json()["says"], "Changed 0 → 25 %, stage 2 of 3.");
    let now = standing().await;
    assert_eq!((&now["phase"], &now["stage"], &now["percent"]), (&json!("stage"), &json!(2), &json!(25)));
    let elsewhere = press("", r#"{"percent": 30, "phase": "stage", "stage": 2}"#).await;
    assert_eq!(elsewhere.status, StatusCode::CONFLICT, "{elsewhere:?}");
}

#[tokio::test]
async fn a_candidate_that_fails_at_a_share_by_hand_is_taken_back_too_and_so_is_one_that_is_shut_by_hand() {
    let rollout = Rollout::new("percent = 50").await;
    let console = rollout.program.console;
    let is_back = |standing: &Value| phase(standing).0 == "rolled_back";
    rollout.sides.candidate.behave(Behaviour::Status(500));
    rollout.ask(40).await;
    rollout.until("it fails", is_back).await;
    rollout.sides.candidate.behave(Behaviour::Echo);
    post_json(console, "/api/breakers/new/reset", "").await;
    post_json(console, "/api/rollouts/r", r#"{"percent": 50}"#).await;
    assert_eq!(phase(&rollout.standing().await).0, "manual");
    post_json(console, "/api/breakers/new/mode", r#"{"mode": "forced_open"}"#).await;
    rollout.until("it is shut", is_back).await;
}

#[tokio::test]
async fn a_rollback_that_cannot_be_stored_is_in_force_is_said_and_is_stored_as_soon_as_it_can_be() {
    let rollout = Rollout::new("percent = 50").await;
    let lock = rusqlite::Connection::open(rollout.program.path("state.db")).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    rollout.sides.candidate.behave(Behaviour::Status(500));
    rollout.ask(40).await;
    let told = |standing: &Value| standing["says"].as_str().unwrap().contains("could not be stored yet");
    rollout.until("it is said", |standing| phase(standing).0 == "rolled_back" && told(standing)).await;
    assert_eq!(rollout.program.log_line("rollout_not_stored")["rollout"], "r");
    drop(lock);
    rollout.until("it is stored", |standing| !told(standing)).await;
    let Rollout { program, .. } = rollout;
    let again = program.restart("-KILL");
    assert_eq!(phase(&get(again.console, "/api/rollouts/r").await.json()).0, "rolled_back");
    let history = get(again.console, "/api/rollouts/r/history").await.json();
    assert_eq!((&history[0]["by"], &history[0]["from"]), (&json!("verdict"), &json!(50)));
}
