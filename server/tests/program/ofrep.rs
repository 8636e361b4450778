//! The OpenFeature Remote Evaluation Protocol, byte by byte.

use serde_json::{Value, json};

use crate::support::{Program, get, post_json, put_json, send};

async fn with_flags() -> Program {
    let program = Program::start("");
    let half = json!([{"variant": "on", "percent": 50}, {"variant": "off", "percent": 50}]);
    let rule = json!({"if": [{"attribute": "email", "is": "ends_with", "values": ["@secret-customer.example"]}], "serve": "blue"});
    for (key, flag) in [
        ("split", json!({"variants": {"on": true, "off": false}, "off_variant": "off", "default": half})),
        (
            "color",
            json!({"variants": {"red": "#f00", "blue": "#00f"}, "off_variant": "red", "default": "red", "rules": [rule]}),
        ),
    ] {
        let answer =
            put_json(program.console, &format!("/api/flags/{key}"), &json!({"flag": flag}).to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    program
}

const ONE: &str = "/ofrep/v1/evaluate/flags/";
const ALL: &str = "/ofrep/v1/evaluate/flags";

#[tokio::test]
async fn one_flag_is_answered_as_the_protocol_has_it() {
    let program = with_flags().await;
    let ask = async |key: &str, body: Value| {
        let answer = post_json(program.console, &format!("{ONE}{key}"), &body.to_string()).await;
        assert_eq!(answer.header("content-type"), "application/json");
        (answer.status.as_u16(), answer.json())
    };
    let context = json!({"context": {"targetingKey": "u", "email": "a@secret-customer.example"}});
    assert_eq!(
        ask("color", context.clone()).await,
        (
            200,
            json!({"key": "color", "value": "#00f", "reason": "TARGETING_MATCH", "variant": "blue",
            "metadata": {"version": 1, "rule": 1}})
        )
    );
    assert_eq!(ask("split", context).await.1["reason"], "SPLIT");
    let (status, missing) = ask("unknown", json!({"context": {}})).await;
    assert_eq!(
        (status, &missing["key"], &missing["errorCode"]),
        (404, &json!("unknown"), &json!("FLAG_NOT_FOUND"))
    );
    for (body, code) in [
        (json!({"context": {}}), "TARGETING_KEY_MISSING"),
        (json!({"context": {"targetingKey": 7}}), "INVALID_CONTEXT"),
        (json!({"context": "u"}), "INVALID_CONTEXT"),
        (json!({}), "INVALID_CONTEXT"),
        (json!([]), "INVALID_CONTEXT"),
    ] {
        let (status, failed) = ask("split", body.clone()).await;
        assert_eq!(
            (status, &failed["key"], &failed["errorCode"]),
            (400, &json!("split"), &json!(code)),
            "{body}"
        );
        assert!(failed["errorDetails"].is_string());
    }
    for broken in ["", "{", &format!("{{\"context\": {{\"x\": \"{}\"}}}}", "x".repeat(70_000))] {
        let answer = post_json(program.console, &format!("{ONE}split"), broken).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["errorCode"]), (400, &json!("PARSE_ERROR")));
    }
}

#[tokio::test]
async fn what_rules_ask_for_is_not_told_to_clients() {
    let program = with_flags().await;
    let context = json!({"context": {"targetingKey": "u", "email": "a@secret-customer.example"}}).to_string();
    for path in [ALL.to_owned(), format!("{ONE}color")] {
        let answer = post_json(program.console, &path, &context).await;
        let text = String::from_utf8_lossy(&answer.body);
        assert!(text.contains("#00f") && !text.contains("secret-customer"), "{text}");
    }
}

#[tokio::test]
async fn all_flags_come_with_a_tag_that_spares_asking_again() {
    let program = with_flags().await;
    let ask = async |body: Value, tag: &str| {
        let request = http::Request::post(ALL)
            .header("host", program.console.to_string())
            .header("content-type", "application/json")
            .header("if-none-match", tag);
        send(program.console, request.body(body.to_string().into()).unwrap()).await.unwrap()
    };
    let (ada, nobody) = (json!({"context": {"targetingKey": "ada"}}), json!({"context": {}}));
    let first = ask(ada.clone(), "\"none\"").await;
    let tag = first.header("etag").to_owned();
    let flags = first.json()["flags"].as_array().unwrap().clone();
    let keys: Vec<_> = flags.iter().map(|flag| flag["key"].as_str().unwrap()).collect();
    assert_eq!(
        keys,
        ["color", "rad.automatic-promotion", "rad.automatic-rollback", "rad.request-log", "split"]
    );

    let again = ask(ada.clone(), &tag).await;
    assert_eq!((again.status.as_u16(), again.body.len(), again.header("etag")), (304, 0, tag.as_str()));
    // One that cannot be evaluated for this context does not stop the others.
    let other = ask(nobody, &tag).await;
    let split = other.json()["flags"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((other.status.as_u16(), &split["errorCode"]), (200, &json!("TARGETING_KEY_MISSING")));

    post_json(program.console, "/api/flags/color/toggle", "{\"on\": false}").await;
    let changed = ask(ada, &tag).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["flags"][0]["reason"]), (200, &json!("DISABLED")));
    assert_ne!(changed.header("etag"), tag);
}

#[tokio::test]
async fn what_is_not_part_of_the_protocol_is_said_so() {
    let program = Program::start("");
    assert_eq!(get(program.console, ALL).await.status, 405);
    assert_eq!(get(program.console, "/ofrep/v1/configuration").await.status, 404);
    let foreign = http::Request::post(ALL)
        .header("host", program.console.to_string())
        .header("origin", "https://elsewhere.example")
        .body("{\"context\": {}}".into())
        .unwrap();
    assert_eq!(send(program.console, foreign).await.unwrap().status, 403);
}
