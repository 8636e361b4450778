//! Testers who choose their side, and everybody who would like to.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Program, Sides, get, get_with, post_json};

const SECRET: (&str, &str) = ("RAD_SECRET_ROLLOUT", "a secret that nobody guesses");

const SIGNED: &str =
    "override = { header = \"X-Rad-Side\", cookie = \"rad_side\", secret = \"env:RAD_SECRET_ROLLOUT\" }";

async fn served(program: &Program, headers: &[(&str, &str)]) -> String {
    get_with(program.gateway, "/", headers).await.header("x-served-by").to_owned()
}

async fn sign(program: &Program, body: Value) -> (StatusCode, Value) {
    let answer = post_json(program.console, "/api/rollouts/r/override", &body.to_string()).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_tester_with_a_signed_side_reaches_the_candidate_before_anybody_and_after_a_rollback_no_more() {
    let sides = Sides::new(SIGNED, "").await;
    let program = sides.start_with(&[SECRET]);
    let (status, signed) = sign(&program, json!({"side": "candidate", "for": "1h"})).await;
    assert_eq!(status, StatusCode::OK, "{signed}");
    assert_eq!((&signed["header"], &signed["cookie"]), (&json!("x-rad-side"), &json!("rad_side")));
    let value = signed["value"].as_str().unwrap();
    let cookie = format!("a=1; rad_side={value}");
    assert_eq!(served(&program, &[("x-rad-side", value)]).await, "candidate");
    assert_eq!(served(&program, &[("cookie", &cookie)]).await, "candidate");
    assert_eq!(served(&program, &[("x-rad-side", value), ("cookie", "rad_mode=legacy")]).await, "legacy");

    let (_, late) = sign(&program, json!({"side": "candidate", "for": "1s"})).await;
    let late = late["value"].as_str().unwrap().to_owned();
    let forged = value.replace("candidate.", "candidate.9");
    for wrong in ["candidate", &forged, &value[..value.len() - 1], &value.replace("candidate", "legacy"), ""]
    {
        assert_eq!(served(&program, &[("x-rad-side", wrong)]).await, "legacy", "{wrong:?}");
    }
    crate::support::eventually("it expires", async || {
        (served(&program, &[("x-rad-side", &late)]).await == "legacy").then_some(())
    })
    .await;

    // Who chose is no evidence.
    let standing = get(program.console, "/api/rollouts/r").await.json();
    assert_eq!(standing["candidate"]["requests"], 0, "{standing}");
    assert!(sides.candidate.asked() >= 2);
    let rolled = post_json(program.console, "/api/rollouts/r/rollback", "").await;
    assert_eq!(rolled.status, StatusCode::OK);
    let asked = sides.candidate.asked();
    for _ in 0..20 {
        assert_eq!(served(&program, &[("x-rad-side", value)]).await, "legacy");
    }
    assert_eq!(sides.candidate.asked(), asked);
}

#[tokio::test]
async fn where_nothing_is_on_nobody_chooses_and_without_a_secret_the_name_is_enough() {
    let sides = Sides::new("", "").await;
    let program = sides.start();
    assert_eq!(
        served(&program, &[("x-rad-side", "candidate"), ("cookie", "rad_side=candidate")]).await,
        "legacy"
    );
    let (status, said) = sign(&program, json!({"side": "candidate"})).await;
    assert_eq!(
        (status, said["detail"].as_str().unwrap().contains("override")),
        (StatusCode::CONFLICT, true),
        "{said}"
    );

    let sides = Sides::new("percent = 100\noverride = { header = \"X-Rad-Side\" }", "").await;
    let program = sides.start();
    assert_eq!(served(&program, &[("x-rad-side", "legacy")]).await, "legacy");
    assert_eq!(served(&program, &[("x-rad-side", "nobody")]).await, "candidate");
    let (_, open) = sign(&program, json!({"side": "legacy"})).await;
    assert_eq!((&open["value"], &open["expires_at_ms"]), (&json!("legacy"), &Value::Null));
    for (body, word) in [
        (json!({"side": "both"}), "candidate or legacy"),
        (json!({"side": "legacy", "for": "31days"}), "30days"),
        (json!({"side": "legacy", "for": "0s"}), "1s"),
        (json!({"side": "legacy", "until": "8h"}), "until"),
    ] {
        let (status, said) = sign(&program, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(said["detail"].as_str().unwrap().contains(word), "{said}");
    }
}
