mod switches;

use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Behaviour, Program, Sides, eventually, get, get_with, post_json, send};

const ALL: &str =
    "shadow = { percent = 100, requests_per_second = 1000, max_in_flight = 100, timeout = \"5s\" }";

struct Shadow {
    sides: Sides,
    program: Program,
}

impl Shadow {
    async fn new(shadow: &str) -> Self {
        let sides = Sides::new(shadow, "").await;
        let program = sides.start();
        Self { sides, program }
    }

    /// Both sides answer with JSON.
    fn answer(&self, legacy: &'static str, candidate: &'static str) {
        self.sides.legacy.behave(Behaviour::Json(legacy));
        self.sides.candidate.behave(Behaviour::Json(candidate));
    }

    async fn ask(&self) -> Answer {
        get(self.program.gateway, "/").await
    }

    async fn standing(&self) -> Value {
        get(self.program.console, "/api/rollouts/r/shadow").await.json()
    }

    async fn set(&self, body: Value) -> Answer {
        post_json(self.program.console, "/api/rollouts/r/shadow", &body.to_string()).await
    }

    /// Waits until so many requests have been compared or skipped.
    async fn until(&self, compared: u64, skipped: u64) -> Value {
        eventually("copies are compared", async || {
            let standing = self.standing().await;
            let told = [standing["compared"].as_u64().unwrap(), sum(&standing["skipped"])];
            (told == [compared, skipped] && standing["in_flight"] == 0).then_some(standing)
        })
        .await
    }
}

fn sum(skipped: &Value) -> u64 {
    skipped.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

/// Path, kind and verdict of what was found.
fn found(standing: &Value) -> Vec<String> {
    let fields = standing["fields"].as_array().unwrap();
    let told = |field: &Value| {
        ["path", "kind", "verdict"].map(|name| field[name].as_str().unwrap().to_owned()).join(" ")
    };
    fields.iter().map(told).collect()
}

#[tokio::test]
async fn what_the_candidate_changes_is_told_with_its_place_and_what_differs_by_itself_is_noise() {
    let shadow = Shadow::new(ALL).await;
    shadow.answer(
        r#"{"by": "hunter2 of @", "took": #, "hits": [{"id": 1}, {"id": 2}]}"#,
        r#"{"by": "hunter2 of @", "took": #, "hits": [{"id": 1, "score": 1}, {"id": 2}]}"#,
    );
    for _ in 0..30 {
        let answer = shadow.ask().await;
        assert_eq!(answer.header("x-served-by"), "legacy");
        assert_eq!(answer.json()["by"], "hunter2 of legacy");
    }
    let standing = shadow.until(30, 0).await;
    let all = ["$.by value differs", "$.hits.*.score added differs", "$.took value noise"];
    assert_eq!(found(&standing), all);
    let field =
        |at: usize| (&standing["fields"][at]["raw_percent"], &standing["fields"][at]["noise_percent"]);
    assert_eq!(field(0), (&json!(100.0), &json!(0.0)));
    assert_eq!(field(2), (&json!(100.0), &json!(100.0)));
    assert_eq!((&standing["different"], &standing["equal_percent"]), (&json!(30), &json!(0.0)));
    assert_eq!(standing["latency"]["requests"], 30);
    let says = standing["says"].as_str().unwrap();
    assert!(says.contains("2 fields differ because of the candidate, on at least 100 %"), "{says}");
    // Every request went out three times, and the copies say so.
    let Sides { legacy, candidate, .. } = &shadow.sides;
    assert_eq!((candidate.asked(), candidate.copies("candidate")), (30, 30));
    assert_eq!((legacy.asked(), legacy.copies("legacy")), (60, 30));
    // The page has it in words, and nowhere is what was answered.
    let plans = get(shadow.program.console, "/api/plans").await;
    let part = &plans.json()[0]["shadow"];
    assert_eq!((&part["tone"], &part["word"]), (&json!("bad"), &json!("differs")));
    let row = json!({"field": "$.by", "kind": "value", "candidate": "100 %", "noise": "0 %",
        "verdict": "differs", "tone": "bad"});
    assert_eq!(part["rows"][0], row);
    for told in [standing.to_string(), String::from_utf8(plans.body.to_vec()).unwrap()] {
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn copies_count_for_nothing_but_themselves() {
    let shadow = Shadow::new(ALL).await;
    shadow.sides.candidate.behave(Behaviour::Status(500));
    for _ in 0..20 {
        assert_eq!(shadow.ask().await.status, StatusCode::OK);
    }
    let standing = shadow.until(20, 0).await;
    // Its name is its body, and it says that it fails.
    assert_eq!(found(&standing), ["body value differs", "status value differs"]);
    let console = shadow.program.console;
    let metrics = get(console, "/api/metrics").await.json();
    let seen = eventually("legacy's requests are counted", async || {
        let seen = get(console, "/api/rollouts/r").await.json();
        (seen["legacy"]["requests"] == 20).then_some(seen)
    });
    assert_eq!(seen.await["candidate"]["requests"], 0);
    let route = metrics["routes"].as_array().unwrap().iter().find(|route| route["path"] == "/").unwrap();
    assert_eq!(route["requests"], 20, "{route}");
    for breaker in get(console, "/api/breakers").await.json().as_array().unwrap() {
        let expected = if breaker["name"] == "new" { 0 } else { 20 };
        assert_eq!(
            (&breaker["requests"], &breaker["state"]),
            (&json!(expected), &json!("closed")),
            "{breaker}"
        );
    }
    let text = get(console, "/api/monitoring/metrics").await;
    let text = String::from_utf8(text.body.to_vec()).unwrap();
    for line in [
        "rad_shadow_requests_total{rollout=\"r\",result=\"different\"} 20",
        "rad_shadow_requests_total{rollout=\"r\",result=\"equal\"} 0",
        "rad_shadow_skipped_total{rollout=\"r\",reason=\"breaker\"} 0",
    ] {
        assert!(text.contains(line), "{line} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn a_copy_is_what_the_client_sent_and_a_client_cannot_send_what_looks_like_one() {
    let shadow = Shadow::new(ALL).await;
    let request = Request::get("/a?b=c")
        .header("authorization", "Bearer t")
        .header("cookie", "a=1")
        .header("host", "shop.example")
        .header("x-rad-shadow", "candidate");
    send(shadow.program.gateway, request.body(http_body_util::Full::default()).unwrap()).await.unwrap();
    shadow.until(1, 0).await;
    let copy = shadow.sides.candidate.last();
    assert_eq!(copy.path, "/a?b=c");
    for (name, value) in [
        ("authorization", "Bearer t"),
        ("cookie", "a=1"),
        ("host", "shop.example"),
        ("x-rad-shadow", "candidate"),
    ] {
        assert_eq!(copy.headers[name], value);
    }
    let Sides { legacy, .. } = &shadow.sides;
    assert_eq!((legacy.copies("candidate"), legacy.copies("legacy")), (0, 1));
    assert_eq!(copy.headers["x-request-id"], legacy.last().headers["x-request-id"]);
}

#[tokio::test]
async fn the_client_has_its_answer_while_the_candidate_is_still_silent() {
    let shadow = Shadow::new(ALL).await;
    shadow.sides.candidate.hold();
    for _ in 0..5 {
        assert_eq!(shadow.ask().await.header("x-served-by"), "legacy");
    }
    let Sides { candidate, .. } = &shadow.sides;
    eventually("all copies are with the candidate", async || (candidate.at_once() == 5).then_some(())).await;
    assert_eq!(shadow.standing().await["in_flight"], 5);
    candidate.release();
    shadow.until(5, 0).await;
}

#[tokio::test]
async fn a_candidate_that_misbehaves_costs_the_client_nothing_and_is_told() {
    for behaviour in
        [Behaviour::Stall, Behaviour::Reset, Behaviour::BreakOff, Behaviour::StallInBody, Behaviour::Rubbish]
    {
        let shadow = Shadow::new(&ALL.replace("\"5s\"", "\"300ms\"")).await;
        shadow.sides.candidate.behave(behaviour);
        for _ in 0..18 {
            assert_eq!(shadow.ask().await.header("x-served-by"), "legacy", "{behaviour:?}");
        }
        let standing = shadow.until(18, 0).await;
        assert_eq!(standing["failed"], 18, "{behaviour:?}");
        assert_eq!(found(&standing), ["answer missing differs"], "{behaviour:?}");
        let breaker = get(shadow.program.console, "/api/breakers/new").await.json();
        assert_eq!((&breaker["requests"], &breaker["state"]), (&json!(0), &json!("closed")), "{behaviour:?}");
    }
}

#[tokio::test]
async fn of_answers_that_are_too_long_no_more_is_held_than_is_looked_at() {
    const LONG: usize = 10 << 20;
    let shadow = Shadow::new(ALL).await;
    shadow.sides.candidate.behave(Behaviour::HalvesInChunks(LONG));
    let before = shadow.program.peak_memory_kib();
    for _ in 0..30 {
        assert_eq!(shadow.ask().await.body, "legacy");
    }
    let standing = shadow.until(30, 0).await;
    assert!(found(&standing).contains(&"body length differs".to_owned()), "{standing}");
    if let (Some(before), Some(after)) = (before, shadow.program.peak_memory_kib()) {
        // All of it would be 300 MiB.
        assert!(after - before < 64 << 10, "{before} KiB became {after}");
    }

    let shadow = Shadow::new(ALL).await;
    shadow.sides.legacy.behave(Behaviour::HalvesInChunks(LONG));
    shadow.sides.candidate.behave(Behaviour::HalvesInChunks(LONG));
    assert_eq!(shadow.ask().await.body.len(), LONG);
    let standing = shadow.until(1, 0).await;
    // They are compared by the rest, and that is said.
    assert_eq!((&standing["equal"], &standing["bodies_unread"]), (&json!(1), &json!(1)));
    assert!(standing["says"].as_str().unwrap().contains("Of 1 request the bodies were not compared"));
}

#[tokio::test]
async fn what_is_under_way_is_bounded_and_what_does_not_fit_is_counted() {
    let shadow = Shadow::new("shadow = { percent = 100, max_in_flight = 2 }").await;
    shadow.sides.candidate.hold();
    shadow.ask().await;
    shadow.ask().await;
    let Sides { candidate, .. } = &shadow.sides;
    eventually("two copies are with the candidate", async || (candidate.at_once() == 2).then_some(())).await;
    for _ in 0..8 {
        shadow.ask().await;
    }
    assert_eq!((candidate.asked(), shadow.standing().await["skipped"]["in_flight"].clone()), (2, json!(8)));
    candidate.release();
    shadow.until(2, 8).await;
}

#[tokio::test]
async fn only_what_changes_nothing_is_copied_unless_the_configuration_names_more() {
    let body = r#"{"query": 1}"#;
    let shadow = Shadow::new(ALL).await;
    post_json(shadow.program.gateway, "/", body).await;
    get_with(shadow.program.gateway, "/", &[("if-none-match", "\"x\"")]).await;
    get_with(shadow.program.gateway, "/", &[("cookie", "rad_mode=legacy")]).await;
    shadow.ask().await;
    shadow.until(1, 0).await;
    assert_eq!((shadow.sides.candidate.asked(), shadow.sides.legacy.asked()), (1, 5));

    let shadow = Shadow::new("shadow = { percent = 100, methods = [\"POST\"] }").await;
    assert_eq!(post_json(shadow.program.gateway, "/", body).await.body, body);
    shadow.ask().await;
    shadow.until(1, 0).await;
    assert_eq!(
        (shadow.sides.candidate.last().body.as_ref(), shadow.sides.candidate.asked()),
        (body.as_bytes(), 1)
    );
    // More than is kept is sent once.
    let large = "x".repeat(100 << 10);
    assert_eq!(post_json(shadow.program.gateway, "/", &large).await.body.len(), large.len());
    let standing = shadow.until(1, 1).await;
    assert_eq!(standing["skipped"]["body"], 1);
}

#[tokio::test]
async fn no_copy_goes_where_a_breaker_is_not_closed() {
    let shadow = Shadow::new(ALL).await;
    let forced = json!({"mode": "forced_open"}).to_string();
    post_json(shadow.program.console, "/api/breakers/new/mode", &forced).await;
    for _ in 0..3 {
        assert_eq!(shadow.ask().await.status, StatusCode::OK);
    }
    let standing = shadow.until(0, 3).await;
    assert_eq!((&standing["skipped"]["breaker"], shadow.sides.candidate.asked()), (&json!(3), 0));
}

#[tokio::test]
async fn an_answer_from_the_cache_is_not_copied() {
    let sides = Sides::new(ALL, "").await;
    let text = sides.configuration().replace("limits = []", "limits = []\ncache = { ttl = \"1m\" }");
    let shadow = Shadow { program: Program::with_text(&text), sides };
    for _ in 0..5 {
        assert_eq!(shadow.ask().await.body, "legacy");
    }
    shadow.until(1, 0).await;
    assert_eq!((shadow.sides.legacy.asked(), shadow.sides.candidate.asked()), (2, 1));
}
