use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Behaviour, Program, Upstream, get, post_json};

fn program(upstream: &Upstream, settings: &str) -> Program {
    let route = "[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []";
    Program::start(&format!("{}{route}", upstream.table("u", settings)))
}

async fn set(program: &Program, mode: &str) -> Value {
    let body = json!({"mode": mode, "reason": "a test"}).to_string();
    let answer = post_json(program.console, "/api/breakers/u/mode", &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.json()
}

async fn says(program: &Program) -> Value {
    get(program.console, "/api/breakers/u").await.json()
}

#[tokio::test]
async fn a_breaker_that_is_forced_open_spares_the_upstream_until_the_mode_is_taken_back() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = program(&upstream, "");
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);

    let done = set(&program, "forced_open").await;
    assert_eq!((&done["from"], &done["to"]), (&json!("automatic"), &json!("forced_open")));
    for _ in 0..3 {
        let answer = get(program.gateway, "/").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!((1..=60).contains(&answer.number("retry-after")));
    }
    assert_eq!(upstream.asked(), 1);
    let shown = says(&program).await;
    assert_eq!(
        (&shown["mode"], &shown["state"], &shown["rejected"]),
        (&json!("forced_open"), &json!("closed"), &json!(3))
    );
    assert!(shown["says"].as_str().unwrap().starts_with("Forced open: every call is rejected"), "{shown}");
    let told = program.log_line("circuit_breaker_mode_changed");
    assert_eq!(
        (&told["to"], &told["by"], &told["reason"]),
        (&json!("forced open"), &json!("api"), &json!("a test"))
    );

    set(&program, "automatic").await;
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
    assert_eq!(upstream.asked(), 2);
}

#[tokio::test]
async fn a_disabled_breaker_lets_everything_through_however_much_fails() {
    let upstream = Upstream::start("u", Behaviour::Status(500)).await;
    let program = program(&upstream, "");
    set(&program, "disabled").await;
    for _ in 0..12 {
        assert_eq!(get(program.gateway, "/").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(upstream.asked(), 12);
    assert_eq!(says(&program).await["trips"], 0);
}

#[tokio::test]
async fn with_metrics_only_a_breaker_trips_and_rejects_nothing() {
    let upstream = Upstream::start("u", Behaviour::Status(500)).await;
    let program = program(&upstream, "");
    set(&program, "metrics_only").await;
    for _ in 0..12 {
        assert_eq!(get(program.gateway, "/").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(upstream.asked(), 12);
    let shown = says(&program).await;
    assert_eq!((&shown["state"], &shown["trips"]), (&json!("open"), &json!(1)));
}

#[tokio::test]
async fn a_breaker_forced_open_stays_so_over_a_restart_and_says_who_did_it() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = program(&upstream, "");
    let body = json!({"mode": "forced_open", "reason": "disk full"}).to_string();
    let forced = post_json(program.console, "/api/breakers/u/mode", &body).await;
    assert_eq!(forced.status, StatusCode::OK);

    let program = program.restart("-KILL");
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(upstream.asked(), 0);
    let shown = says(&program).await;
    assert_eq!(
        (&shown["mode_set"]["by"], &shown["mode_set"]["reason"]),
        (&json!("api"), &json!("disk full"))
    );
    assert!(shown["says"].as_str().unwrap().ends_with("ago: disk full."), "{shown}");

    set(&program, "automatic").await;
    let program = program.restart("-KILL");
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
    assert_eq!(says(&program).await["mode_set"], json!(null));
}

#[tokio::test]
async fn a_reset_closes_an_open_breaker_at_once() {
    let upstream = Upstream::start("u", Behaviour::Status(500)).await;
    let program = program(&upstream, "");
    for _ in 0..7 {
        get(program.gateway, "/").await;
    }
    let shown = says(&program).await;
    assert_eq!(
        (&shown["state"], &shown["opened_because"]),
        (&json!("open"), &json!({"consecutive_failures": 5}))
    );
    assert_eq!(shown["figures"][0]["then"], "probes");
    upstream.behave(Behaviour::Echo);
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::SERVICE_UNAVAILABLE);

    let answer = post_json(program.console, "/api/breakers/u/reset", "").await;
    assert_eq!(
        answer.json(),
        json!({
            "breaker": "u",
            "from": "open",
            "to": "closed",
            "says": "Closed, and what it counted is forgotten."
        })
    );
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
    assert_eq!(says(&program).await["state"], "closed");
    assert_eq!(program.log_line("circuit_breaker_reset")["from"], "open");
}

#[tokio::test]
async fn a_breaker_shows_the_figures_that_decide_and_what_they_decide_at() {
    let upstream = Upstream::start("u", Behaviour::Status(500)).await;
    let settings = "breaker = { consecutive_failures = 50, failure_rate_threshold = 60, \
                    sliding_window = 10, minimum_number_of_calls = 4 }";
    let program = program(&upstream, settings);
    get(program.gateway, "/").await;
    upstream.behave(Behaviour::Echo);
    get(program.gateway, "/").await;
    let shown = says(&program).await;
    assert_eq!(
        shown["figures"],
        json!([
            {"name": "Failures in a row", "value": 0.0, "limit": 50.0, "then": "opens"},
            {"name": "Calls in the window", "value": 2.0, "limit": 4.0, "then": "counts"},
            {"name": "Failure rate", "value": 50.0, "limit": 60.0, "unit": "%", "then": "opens"},
        ])
    );
    assert_eq!(shown["window"]["calls"], 2);
    assert_eq!(shown["settings"]["sliding_window"], json!({"calls": 10}));
    assert!(
        !shown.to_string().contains("127.0.0.1"),
        "addresses of upstreams are nobody's business: {shown}"
    );
}

#[tokio::test]
async fn a_name_with_a_space_is_written_with_percent_20_and_stands_for_one_target_only() {
    let [one, other] =
        [Upstream::start("1", Behaviour::Echo).await, Upstream::start("2", Behaviour::Echo).await];
    let program = Program::start(&format!(
        "[upstreams.u]\ntargets = [\"http://{}\", \"http://{}\"]\n\
         [[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []",
        one.address, other.address
    ));
    let mode = post_json(program.console, "/api/breakers/u%202/mode", "{\"mode\": \"forced_open\"}").await;
    assert_eq!(mode.json()["breaker"], "u 2");
    for _ in 0..6 {
        assert_eq!(get(program.gateway, "/").await.header("x-served-by"), "1");
    }
    assert_eq!(other.asked(), 0);
    let list = get(program.console, "/api/breakers").await.json();
    assert_eq!((&list[0]["name"], &list[1]["name"]), (&json!("u 1"), &json!("u 2")));
    let scrape = get(program.console, "/api/monitoring/metrics").await;
    let text = String::from_utf8_lossy(&scrape.body).into_owned();
    assert!(text.contains("rad_breaker_mode{breaker=\"u 2\",upstream=\"u\"} 1"), "{text}");
}

#[tokio::test]
async fn what_is_no_breaker_or_no_mode_is_refused_in_words() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = program(&upstream, "");
    for (path, body, status, word) in [
        ("/api/breakers/none/mode", "{\"mode\": \"disabled\"}", 404, "no breaker is named \"none\""),
        ("/api/breakers/none/reset", "", 404, "no breaker is named \"none\""),
        ("/api/breakers/u/mode", "{\"mode\": \"ajar\"}", 400, "unknown variant `ajar`"),
        ("/api/breakers/u/mode", "", 400, "the body is not valid"),
        ("/api/breakers/u/reset", "{\"by\": \"me\"}", 400, "unknown field `by`"),
    ] {
        let answer = post_json(program.console, path, body).await;
        assert_eq!(answer.status, status, "{path} {body}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(word), "{path} {body}: {detail}");
    }
    assert_eq!(get(program.console, "/api/breakers/none").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(program.console, "/api/breakers/u/reset").await.header("allow"), "POST");
}

#[tokio::test]
async fn what_undoes_a_change_is_told_with_it_and_refused_once_somebody_else_has_decided() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = program(&upstream, "");
    let done = set(&program, "forced_open").await;
    assert_eq!(done["says"], "Changed automatic → forced open.");
    let undo = &done["undo"];
    assert_eq!((&undo["method"], &undo["path"]), (&json!("POST"), &json!("/api/breakers/u/mode")));
    set(&program, "disabled").await;
    let again = async || {
        let (path, body) = (undo["path"].as_str().unwrap(), undo["body"].as_str().unwrap());
        post_json(program.console, path, body).await
    };
    let refused = again().await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.json()["detail"].as_str().unwrap().starts_with("u is disabled now"));
    assert_eq!(says(&program).await["mode"], "disabled");
    set(&program, "forced_open").await;
    assert_eq!(again().await.status, StatusCode::OK);
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
    let nothing = set(&program, "automatic").await;
    assert_eq!((&nothing["says"], &nothing["undo"]), (&json!("It was automatic already."), &Value::Null));
}
