use std::time::{Duration, Instant};

use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Program, eventually, get, get_with, post_json, send};

pub const SHOP: &str = "https://shop.example";
pub const ROLLOUT: &str = r#"
    [upstreams.old]
    targets = ["http://127.0.0.1:1"]
    [upstreams.new]
    targets = ["http://127.0.0.1:2"]
    [rollouts.r]
    legacy = "old"
    candidate = "new"
    percent = 10
"#;

pub fn start() -> Program {
    Program::with_environment(ROLLOUT, &[("RAD_CONSOLE__ORIGINS", &format!("[{SHOP:?}]"))])
}

pub async fn ask(
    program: &Program,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", program.console.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(program.console, request.body(body.to_owned().into()).unwrap()).await.unwrap()
}

pub fn report() -> Value {
    let calls = |answered: u64, bad_status: u64| {
        json!({"answered": answered, "bad_status": bad_status, "network_error": 0, "timeout": 0, "sum_ms": 70,
               "latency": [answered, bad_status, 0, 0, 0, 0, 0, 0, 0]})
    };
    json!({"legacy": calls(5, 0), "candidate": calls(2, 1), "fallbacks": 1})
}

async fn standing(program: &Program) -> Value {
    get(program.console, "/api/client/r").await.json()
}

#[tokio::test]
async fn the_script_is_served_for_pages_of_any_site_and_not_sent_twice() {
    let program = start();
    let answer = get(program.console, "/client.js").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin");
    assert!(answer.body.starts_with(b"/*\n * RAD Monitor"));
    let tag = answer.header("etag").to_owned();
    let packed = get_with(program.console, "/client.js", &[("accept-encoding", "br")]).await;
    assert_eq!((packed.header("content-encoding"), packed.header("etag")), ("br", tag.as_str()));
    assert!(packed.body.len() < 6_000, "{}", packed.body.len());
    let again = get_with(program.console, "/client.js", &[("if-none-match", &format!("\"x\", {tag}"))]).await;
    assert_eq!(
        (again.status, again.body.len(), again.header("etag")),
        (StatusCode::NOT_MODIFIED, 0, tag.as_str())
    );
    assert_eq!(post_json(program.console, "/client.js", "").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_browser_is_told_what_it_needs_to_choose_its_side_and_the_same_after_a_restart() {
    let program = start();
    let told = standing(&program).await;
    let expected = ["poll_after_ms", "report_every_ms", "rollout", "seed", "share_basis_points"];
    assert_eq!(told.as_object().unwrap().keys().collect::<Vec<_>>(), expected);
    assert_eq!((&told["share_basis_points"], &told["poll_after_ms"]), (&json!(1000), &json!(0)));
    assert!(
        u64::from_str_radix(told["seed"].as_str().unwrap(), 16).is_ok()
            && told["seed"].as_str().unwrap().len() == 16
    );
    let program = program.restart("-TERM");
    assert_eq!(standing(&program).await, told);
    assert_eq!(get(program.console, "/api/client/unknown").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(program.console, "/api/client/r?wait=long").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_question_that_is_held_is_answered_within_100_ms_of_a_rollback() {
    let program = start();
    let console = program.console;
    let held = tokio::spawn(async move {
        let answer = get(console, "/api/client/r?wait=25&known=1000").await;
        (answer.json(), Instant::now())
    });
    // What is asked later is answered first: the question is being held.
    for _ in 0..20 {
        standing(&program).await;
    }
    assert!(!held.is_finished());
    let before = Instant::now();
    assert_eq!(post_json(console, "/api/rollouts/r/rollback", "").await.status, StatusCode::OK);
    let (told, at) = held.await.unwrap();
    assert_eq!(told["share_basis_points"], 0);
    assert!(at - before < Duration::from_millis(100), "{:?}", at - before);
    // Who does not know of it yet is told at once.
    let late = get(console, "/api/client/r?wait=25&known=1000").await.json();
    assert_eq!(late["share_basis_points"], 0);
}

#[tokio::test]
async fn a_program_that_leaves_lets_go_of_the_questions_that_it_holds() {
    let mut program = start();
    let console = program.console;
    let held = tokio::spawn(async move { get(console, "/api/client/r?wait=25&known=1000").await.json() });
    for _ in 0..20 {
        standing(&program).await;
    }
    let before = Instant::now();
    program.signal("-TERM");
    let told = held.await.unwrap();
    assert_eq!(told["share_basis_points"], 1000);
    assert!(told["poll_after_ms"].as_u64() > Some(0), "{told}");
    assert!(program.wait().success() && before.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn reports_are_shown_exported_and_logged_and_move_no_verdict() {
    let program = start();
    post_json(program.console, "/api/rollouts/r/start", "").await;
    let before = get(program.console, "/api/rollouts/r").await.json();
    let failing = json!({"answered": 0, "bad_status": 9000, "network_error": 0, "timeout": 0, "sum_ms": 900,
                         "latency": [9000, 0, 0, 0, 0, 0, 0, 0, 0]});
    let mut forged = report();
    forged["candidate"] = failing;
    for body in [report(), forged] {
        let taken = post_json(program.console, "/api/client/r/report", &body.to_string()).await;
        assert_eq!((taken.status, taken.body.len()), (StatusCode::NO_CONTENT, 0));
    }
    let tally = get(program.console, "/api/rollouts/r/browsers").await.json();
    assert_eq!((&tally["reports"], &tally["fallbacks"]), (&json!(2), &json!(2)));
    assert_eq!((&tally["legacy"]["answered"], &tally["candidate"]["bad_status"]), (&json!(10), &json!(9001)));
    assert!(tally["last_ms"].as_u64() > Some(1_700_000_000_000), "{tally}");
    let line = program.log_line("client_report");
    assert_eq!(
        (&line["rollout"], &line["candidate"], &line["candidate_failed"]),
        (&json!("r"), &json!(3), &json!(1))
    );
    let scraped = get(program.console, "/api/monitoring/metrics").await;
    let scraped = String::from_utf8(scraped.body.to_vec()).unwrap();
    for line in [
        r#"rad_client_requests_total{rollout="r",side="candidate",outcome="bad_status"} 9001"#,
        r#"rad_client_requests_total{rollout="r",side="legacy",outcome="answered"} 10"#,
        r#"rad_client_fallbacks_total{rollout="r"} 2"#,
        r#"rad_client_request_duration_seconds_count{rollout="r",side="legacy"} 10"#,
        r#"rad_client_request_duration_seconds_bucket{le="0.1",rollout="r",side="candidate"} 9003"#,
    ] {
        assert!(scraped.contains(line), "{line} is missing in {scraped}");
    }
    // The verdict looks ten times a second; the gateway itself has seen nothing.
    let looks = std::cell::Cell::new(0);
    eventually("it has been looked at for a while", async || {
        let after = get(program.console, "/api/rollouts/r").await.json();
        for key in ["phase", "percent", "verdict", "candidate", "legacy"] {
            assert_eq!(after[key], before[key], "{key}");
        }
        looks.set(looks.get() + 1);
        (looks.get() > 20).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_report_that_no_browser_sends_is_refused_and_not_counted() {
    let program = start();
    let changed = |change: fn(&mut Value)| {
        let mut body = report();
        change(&mut body);
        body.to_string()
    };
    for (body, status, word) in [
        (String::new(), 400, "not valid"),
        ("[]".to_owned(), 400, "not valid"),
        (changed(|body| body["url"] = json!("/secret")), 400, "unknown field"),
        (changed(|body| body["candidate"]["answered"] = json!(-1)), 400, "not valid"),
        (changed(|body| body["candidate"]["answered"] = json!(10_001)), 400, "at most 10000 calls"),
        (changed(|body| body["candidate"]["latency"] = json!([3])), 400, "not valid"),
        (
            changed(|body| body["candidate"]["latency"][8] = json!(1)),
            400,
            "latency must count each call once",
        ),
        (changed(|body| body["legacy"]["sum_ms"] = json!(u64::MAX)), 400, "ten minutes"),
        (changed(|body| body["fallbacks"] = json!(2)), 400, "fallbacks"),
        (" ".repeat(5_000) + &report().to_string(), 413, "at most 4 KiB"),
    ] {
        let answer = post_json(program.console, "/api/client/r/report", &body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(word), "{body}: {detail}");
    }
    let unknown = post_json(program.console, "/api/client/unknown/report", &report().to_string()).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(get(program.console, "/api/rollouts/unknown/browsers").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(program.console, "/api/rollouts/r/browsers").await.json()["reports"], 0);
}

#[tokio::test]
async fn an_address_that_reports_too_often_is_turned_away_until_later() {
    let proxies = ("RAD_GATEWAY__TRUSTED_PROXIES", "[\"127.0.0.0/8\"]");
    let program = Program::with_environment(ROLLOUT, &[proxies]);
    let body = report().to_string();
    let mut taken = 0;
    let refused = loop {
        let answer = post_json(program.console, "/api/client/r/report", &body).await;
        match answer.status {
            StatusCode::NO_CONTENT if taken < 1_000 => taken += 1,
            _ => break answer,
        }
    };
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(taken >= 300, "{taken}");
    assert!((1..=60).contains(&refused.number("retry-after")));
    let detail = refused.json();
    assert_eq!(
        (&detail["error"], &detail["detail"]),
        (&json!("Rate limit exceeded: 300 per 1 minute"), &json!("Too many requests"))
    );
    // Others behind the same proxy are others, and reading is another matter.
    let other = [("x-forwarded-for", "203.0.113.7")];
    let other = ask(&program, "POST", "/api/client/r/report", &other, &body).await;
    assert_eq!(other.status, StatusCode::NO_CONTENT);
    assert_eq!(standing(&program).await["share_basis_points"], 1000);
}

#[tokio::test]
async fn a_visitor_who_leaves_gives_the_place_back_in_which_the_question_was_held() {
    let program = start();
    let question = "/api/client/r?wait=25&known=1000";
    let mut asking: Vec<_> = (0..1_000)
        .map(|_| {
            let console = program.console;
            tokio::spawn(async move { get(console, question).await })
        })
        .collect();
    eventually("all places are taken", async || {
        (standing(&program).await["poll_after_ms"] == 4_000).then_some(())
    })
    .await;
    // Nobody is turned away for it: the answer comes at once.
    let full = get(program.console, question).await.json();
    assert_eq!((&full["share_basis_points"], &full["poll_after_ms"]), (&json!(1000), &json!(4000)));
    asking.drain(..).for_each(|asked| asked.abort());
    eventually("places are free again", async || {
        (standing(&program).await["poll_after_ms"] == 0).then_some(())
    })
    .await;
}
