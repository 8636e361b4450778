//! The flags' API, and the program's own switches, by what traffic does.

use serde_json::{Value, json};

use crate::support::{
    Answer, Behaviour, Program, Sides, delete, eventually, failing_start, get, get_with, post_json, put_json,
};

fn checkout(more: Value) -> Value {
    let mut flag = json!({
        "description": "the new checkout",
        "variants": {"on": true, "off": false}, "off_variant": "off", "default": "on",
    });
    flag.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    flag
}

async fn put(program: &Program, key: &str, flag: &Value) -> Answer {
    put_json(program.console, &format!("/api/flags/{key}"), &json!({ "flag": flag }).to_string()).await
}

async fn post(program: &Program, path: &str, body: Value) -> Answer {
    post_json(program.console, &format!("/api/flags/{path}"), &body.to_string()).await
}

async fn value(program: &Program, key: &str, context: Value) -> Value {
    let answer = post(program, &format!("{key}/evaluate"), json!({ "context": context })).await;
    answer.json()["value"].clone()
}

/// Does what an answer says takes it back.
async fn undo(program: &Program, answer: &Answer) -> Answer {
    let call = answer.json()["undo"].clone();
    let (path, body) = (call["path"].as_str().unwrap(), call["body"].as_str().unwrap());
    match call["method"].as_str().unwrap() {
        "POST" => post_json(program.console, path, body).await,
        "DELETE" => {
            let request = http::Request::delete(path).header("host", program.console.to_string());
            let body = bytes::Bytes::from(body.to_owned());
            crate::support::send(program.console, request.body(body.into()).unwrap()).await.unwrap()
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_flag_is_made_switched_shared_taken_back_and_archived() {
    let program = Program::start("");
    let made = put(&program, "checkout", &checkout(json!({}))).await;
    assert_eq!((made.status.as_u16(), &made.json()["version"]), (200, &json!(1)), "{made:?}");
    assert_eq!(value(&program, "checkout", json!({})).await, json!(true));

    let off = post(&program, "checkout/toggle", json!({"on": false, "reason": "too many complaints"})).await;
    assert_eq!(off.json()["says"], "checkout: everybody gets off, because it is off.");
    assert_eq!(value(&program, "checkout", json!({})).await, json!(false));
    assert_eq!(undo(&program, &off).await.status, 200);
    assert_eq!(value(&program, "checkout", json!({})).await, json!(true));
    // Who would take it back once more does not know what is in force now.
    assert_eq!(undo(&program, &off).await.status, 409);

    let quarter = post(&program, "checkout/share", json!({"percent": 25})).await;
    assert_eq!(quarter.json()["says"], "checkout: everybody gets one of on 25 %, off 75 % by targetingKey.");
    let mut on = 0;
    for user in 0..200 {
        on += u32::from(
            value(&program, "checkout", json!({"targetingKey": format!("u{user}")})).await == json!(true),
        );
    }
    // Four standard deviations around 50 of 200.
    assert!((26..=74).contains(&on), "{on} of 200");

    let gone = delete(program.console, "/api/flags/checkout").await;
    assert_eq!(gone.status, 200);
    assert_eq!(get(program.console, "/api/flags/checkout").await.status, 404);
    assert_eq!(undo(&program, &gone).await.status, 200);
    let back = get(program.console, "/api/flags/checkout").await.json();
    assert_eq!((&back["share"], &back["version"]), (&json!("25"), &json!(6)));

    let history = get(program.console, "/api/flags/checkout/history").await.json();
    let what: Vec<_> =
        history.as_array().unwrap().iter().map(|past| past["what"].as_str().unwrap()).collect();
    assert_eq!(
        what,
        ["back to version 4", "archived", "share set to 25 %", "back to version 1", "turned off", "created"]
    );
    assert_eq!((&history[4]["by"], &history[4]["reason"]), (&json!("api"), &json!("too many complaints")));
}

#[tokio::test]
async fn flags_survive_a_kill_and_clients_keep_their_side() {
    let program = Program::start("");
    let half = json!([{"variant": "on", "percent": 50}, {"variant": "off", "percent": 50}]);
    put(&program, "checkout", &checkout(json!({ "default": half }))).await;
    let sides = async |program: &Program| {
        let mut sides = Vec::new();
        for user in 0..50 {
            sides.push(value(program, "checkout", json!({"targetingKey": format!("u{user}")})).await);
        }
        sides
    };
    let before = sides(&program).await;
    let program = program.restart("-KILL");
    assert_eq!(sides(&program).await, before);
    assert_eq!(get(program.console, "/api/flags/checkout").await.json()["version"], 1);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_is_allowed_and_changes_nothing() {
    let program = Program::start("");
    put(&program, "checkout", &checkout(json!({}))).await;
    put(&program, "basket", &checkout(json!({"prerequisites": [{"flag": "checkout", "variant": "on"}]})))
        .await;
    let needs_basket = checkout(json!({"prerequisites": [{"flag": "basket", "variant": "on"}]}));
    let lists = json!({"variants": {"a": []}, "off_variant": "a", "default": "a"});
    for (key, flag, status, word) in [
        (
            "checkout",
            needs_basket,
            400,
            "prerequisites: they lead back to it: checkout needs basket needs checkout",
        ),
        (
            "checkout",
            checkout(json!({"default": "blue"})),
            400,
            "default: no variant is named \"blue\"; known: off and on",
        ),
        ("checkout", checkout(json!({"enabled": true})), 400, "unknown field `enabled`, expected one of"),
        ("checkout", lists.clone(), 409, "needed as it is by basket"),
        ("other", lists, 400, "a boolean, string, number or object is allowed"),
        ("rad.new", checkout(json!({})), 400, "keys that begin with rad. are the program's own"),
        ("rad.request-log", checkout(json!({"variants": {"on": 1, "off": 0}})), 400, "variants: must be"),
        ("a%20b", checkout(json!({})), 400, "letters, digits, '-', '_' or '.' are allowed"),
    ] {
        let answer = put(&program, key, &flag).await;
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(answer.status.as_u16(), status, "{key} {flag}: {detail}");
        assert!(detail.contains(word), "{key} {flag}: {detail}");
    }
    for (path, body, status, word) in [
        ("checkout/toggle", json!({"on": "yes"}), 400, "expected a boolean"),
        ("checkout/toggle", json!({"on": false, "version": 7}), 409, "checkout is of version 1 now"),
        ("unknown/toggle", json!({"on": false}), 404, "no flag has the key \"unknown\""),
        ("checkout/share", json!({"percent": 101}), 400, "0 to 100"),
        ("checkout/share", json!({"percent": 10, "variant": "blue"}), 409, "known: off, on"),
        ("checkout/revert", json!({"to": 9}), 404, "no version 9"),
        ("unknown/evaluate", json!({}), 404, "no flag has the key"),
        ("checkout/evaluate", json!({"context": []}), 400, "expected a map"),
    ] {
        let answer = post(&program, path, body.clone()).await;
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(answer.status.as_u16(), status, "{path} {body}: {detail}");
        assert!(detail.contains(word), "{path} {body}: {detail}");
    }
    assert_eq!(delete(program.console, "/api/flags/checkout").await.status, 409);
    assert_eq!(delete(program.console, "/api/flags/rad.request-log").await.status, 409);
    assert_eq!(get(program.console, "/api/flags/checkout").await.json()["version"], 1);
    let long = checkout(json!({"description": "x".repeat(600)}));
    assert_eq!(put(&program, "long", &long).await.status, 400);
}

#[tokio::test]
async fn a_dry_run_tells_the_whole_way_to_the_answer() {
    let program = Program::start("");
    let rules = json!([
        {"if": [{"attribute": "country", "is": "one_of", "values": ["CH", "DE"]}], "serve": "off"},
        {"if": [{"attribute": "app", "is": "semver_at_least", "values": ["2.0.0"]}], "serve": "on"},
    ]);
    put(&program, "checkout", &checkout(json!({"rules": rules}))).await;
    let context = json!({"context": {"country": "FR", "app": "2.1.0"}});
    let told = post(&program, "checkout/evaluate", context).await.json();
    assert_eq!(
        told["says"],
        "It is on, and for development, staging and production. Rule 1 does not match: it wants that country is one of \
         CH or DE; here country is \"FR\". So the answer is on (true): rule 2 matched: app is at least version 2.0.0."
    );
    assert_eq!((&told["reason"], &told["variant"]), (&json!("TARGETING_MATCH"), &json!("on")));
}

const CONFIGURED: &str = r#"
    [flags.checkout]
    on = false
    [flags."search.ranking"]
    variants = { classic = "bm25", new = "vectors" }
    default = "classic"
    [flags.careful]
    environments = ["staging"]
    percent = 30
    [flags."rad.request-log"]
    on = false
"#;

#[tokio::test]
async fn the_configuration_gives_flags_their_beginning_and_people_have_the_last_word() {
    let program = Program::start(CONFIGURED);
    assert_eq!(value(&program, "checkout", json!({})).await, json!(false));
    assert_eq!(value(&program, "search.ranking", json!({})).await, json!("bm25"));
    let careful = get(program.console, "/api/flags/careful").await.json();
    assert_eq!((&careful["share"], &careful["word"]), (&json!("30"), &json!("elsewhere")));
    post(&program, "checkout/toggle", json!({"on": true})).await;
    let program = program.restart("-TERM");
    assert_eq!(value(&program, "checkout", json!({})).await, json!(true));
}

#[test]
fn a_flag_that_is_wrong_in_the_configuration_stops_the_start_and_says_where() {
    let text = crate::support::configuration(
        "[flags.a]\nvariants = { x = 1, y = \"2\" }\npercent = 10\n[flags.\"rad.x\"]\n[flags.b]\ndefault = \"blue\"\nof = \"x\"",
    );
    let said = failing_start(&["--config", "test.toml"], &text);
    for expected in [
        "flags.a.default: is missing",
        "flags.a.percent: is for flags without variants",
        "flags.a.variants.y: is a string, but the first variant is a number",
        "flags.rad.x: keys that begin with rad. are the program's own: rad.automatic-promotion",
        "flags.b.default: no variant is named \"blue\"; known: off and on",
        "flags.b.of: is no key; did you mean on? known: on, description",
    ] {
        assert!(said.contains(expected), "{expected} is not in\n{said}");
    }
}

#[tokio::test]
async fn request_lines_can_be_switched_off_for_one_route_and_for_all() {
    let sides = Sides::new("percent = 0", "").await;
    let program = sides.start();
    let mark = async |path: &str| assert_eq!(get(program.gateway, path).await.status, 200);
    mark("/one").await;
    let rule = json!([{"if": [{"attribute": "method", "is": "equals", "values": ["GET"]}], "serve": "off"}]);
    let own =
        json!({"variants": {"on": true, "off": false}, "off_variant": "off", "default": "on", "rules": rule});
    assert_eq!(put(&program, "rad.request-log", &own).await.status, 200);
    mark("/silent").await;
    assert_eq!(post_json(program.gateway, "/posted", "{}").await.status, 200);
    post(&program, "rad.request-log/toggle", json!({"on": false})).await;
    assert_eq!(post_json(program.gateway, "/posted-silently", "{}").await.status, 200);
    post(&program, "rad.request-log/revert", json!({"to": 1})).await;
    mark("/last").await;
    program.signal("-TERM");
    let log = program.remaining_log();
    let mut paths: Vec<_> = log.iter().filter_map(|line| line["path"].as_str()).collect();
    // Each worker has a buffer of its own: lines come in any order.
    paths.sort_unstable();
    assert_eq!(paths, ["/last", "/one", "/posted"]);
    let changes = log.iter().filter(|line| line["event"] == "flag_changed");
    let what: Vec<_> = changes.map(|line| line["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["replaced", "turned off", "back to version 1"]);
}

#[tokio::test]
async fn automatic_rollback_can_be_switched_off_and_acts_as_soon_as_it_is_on_again() {
    let breaker = "breaker = { consecutive_failures = 1000 }";
    let sides = Sides::new("stages = [50, 100]\nbake = \"10m\"", breaker).await;
    let program = sides.start();
    post(&program, "rad.automatic-rollback/toggle", json!({"on": false})).await;
    post_json(program.console, "/api/rollouts/r/start", "").await;
    sides.candidate.behave(Behaviour::Status(500));
    let standing = async || get(program.console, "/api/rollouts/r").await.json();
    // What is answered before the first look at a new stage is no evidence of it.
    eventually("the verdict", async || {
        for client in 0..20 {
            get_with(program.gateway, "/", &[("x-forwarded-for", &format!("10.0.0.{client}"))]).await;
        }
        (standing().await["verdict"] == "fail").then_some(())
    })
    .await;
    let failing = standing().await;
    assert_eq!((&failing["percent"], &failing["phase"]), (&json!(50), &json!("stage")));
    assert!(failing["says"].as_str().unwrap().contains("rad.automatic-rollback"), "{failing}");
    post(&program, "rad.automatic-rollback/toggle", json!({"on": true})).await;
    eventually("the rollback", async || (standing().await["phase"] == "rolled_back").then_some(())).await;
}

#[tokio::test]
async fn automatic_promotion_can_be_switched_off_for_one_rollout() {
    let sides =
        Sides::new("stages = [50, 100]\nbake = \"1s\"\nminimum_requests = 1\ntarget_success = 0.9", "").await;
    let program = sides.start();
    let rule = json!([{"if": [{"attribute": "rollout", "is": "equals", "values": ["r"]}], "serve": "off"}]);
    let own =
        json!({"variants": {"on": true, "off": false}, "off_variant": "off", "default": "on", "rules": rule});
    assert_eq!(put(&program, "rad.automatic-promotion", &own).await.status, 200);
    post_json(program.console, "/api/rollouts/r/start", "").await;
    let ask = async || {
        for client in 0..20 {
            get_with(program.gateway, "/", &[("x-forwarded-for", &format!("10.0.0.{client}"))]).await;
        }
        get(program.console, "/api/rollouts/r").await.json()
    };
    let passed = eventually("the verdict", async || {
        let standing = ask().await;
        (standing["verdict"] == "pass" && standing["waits_for"].is_null()).then_some(standing)
    });
    let passed = passed.await;
    assert_eq!((&passed["percent"], &passed["phase"]), (&json!(50), &json!("stage")));
    assert!(passed["says"].as_str().unwrap().contains("rad.automatic-promotion"), "{passed}");
    post(&program, "rad.automatic-promotion/revert", json!({"to": 1})).await;
    eventually("the promotion", async || (ask().await["phase"] == "complete").then_some(())).await;
}
