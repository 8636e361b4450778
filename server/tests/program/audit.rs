use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    Answer, Behaviour, Program, Sides, Upstream, delete, eventually, get, get_with, post_json,
};

const PRODUCTION: (&str, &str) = ("RAD_PROFILE", "production");

/// A rollout `r`, a breaker `u`, and a route whose answers are kept.
fn text(upstream: &Upstream) -> String {
    format!(
        "{}{}[rollouts.r]\nlegacy = \"u\"\ncandidate = \"v\"\nstages = [50, 100]\n\
         [[routes]]\npath = \"/\"\nrollout = \"r\"\nlimits = []\n\
         cache = {{ ttl = \"1m\", tags = [\"counts\"] }}",
        upstream.table("u", ""),
        upstream.table("v", "")
    )
}

async fn program() -> (Upstream, Program) {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&text(&upstream));
    (upstream, program)
}

async fn entries(program: &Program, query: &str) -> Vec<Value> {
    let page = get(program.console, &format!("/api/audit{query}")).await;
    assert_eq!(page.status, StatusCode::OK, "{query}");
    page.json()["entries"].as_array().unwrap().clone()
}

async fn share(program: &Program, percent: u32, reason: &str) -> Answer {
    let body = json!({"percent": percent, "reason": reason}).to_string();
    post_json(program.console, "/api/rollouts/r", &body).await
}

async fn percent(program: &Program) -> Value {
    get(program.console, "/api/rollouts/r").await.json()["percent"].clone()
}

async fn revert(program: &Program, id: u64, reason: &str) -> Answer {
    let body = json!({"reason": reason}).to_string();
    post_json(program.console, &format!("/api/audit/{id}/revert"), &body).await
}

fn detail(answer: &Answer) -> String {
    answer.json()["detail"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

#[tokio::test]
async fn an_entry_is_taken_back_by_a_change_of_its_own_that_names_it_also_after_a_kill() {
    let (_upstream, program) = program().await;
    assert_eq!(share(&program, 50, "first try").await.status, StatusCode::OK);
    let program = program.restart("-KILL");
    let entry = get(program.console, "/api/audit/1").await.json();
    assert_eq!((&entry["action"], &entry["object"]), (&json!("rollout.share"), &json!("r")));
    assert_eq!((&entry["reason"], &entry["reverted_by"]), (&json!("first try"), &json!(null)));

    let done = revert(&program, 1, "too early").await;
    assert_eq!(done.status, StatusCode::OK, "{done:?}");
    assert_eq!(done.json()["says"], "Changed 50 → 0 %.");
    assert_eq!(percent(&program).await, 0);
    let told = program.log_line("rollout_changed");
    assert_eq!((&told["reason"], &told["by"]), (&json!("too early"), &json!("api")));
    let all = entries(&program, "").await;
    assert_eq!(
        (&all[0]["id"], &all[0]["reverts"], &all[0]["reason"]),
        (&json!(2), &json!(1), &json!("too early"))
    );
    assert_eq!((&all[0]["before"]["percent"], &all[0]["after"]["percent"]), (&json!(50), &json!(0)));
    assert_eq!(all[1]["reverted_by"], 2);

    let again = revert(&program, 1, "").await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(detail(&again), "entry 1 was taken back by entry 2 already");
    // What was taken back can be done again in the same way.
    assert_eq!(revert(&program, 2, "").await.status, StatusCode::OK);
    assert_eq!(percent(&program).await, 50);
    assert_eq!(entries(&program, "").await[0]["reason"], "revert of entry 2");
}

#[tokio::test]
async fn an_entry_is_not_taken_back_once_somebody_has_decided_otherwise() {
    let (_upstream, program) = program().await;
    for (percent, status) in [(50, 200), (20, 200)] {
        assert_eq!(share(&program, percent, "").await.status, status);
    }
    let refused = revert(&program, 1, "").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(detail(&refused), "entry 2 has decided otherwise since entry 1");
    assert_eq!(percent(&program).await, 20);
    assert_eq!(entries(&program, "").await.len(), 2, "what was refused is no entry");
    // Nor if it is by chance what it was then.
    assert_eq!(share(&program, 50, "").await.status, StatusCode::OK);
    assert_eq!(revert(&program, 1, "").await.status, StatusCode::CONFLICT);
    assert_eq!(share(&program, 20, "").await.status, StatusCode::OK);

    for (mode, status) in [("forced_open", 200), ("disabled", 200)] {
        let body = json!({"mode": mode}).to_string();
        assert_eq!(post_json(program.console, "/api/breakers/u/mode", &body).await.status, status);
    }
    assert_eq!(revert(&program, 5, "").await.status, StatusCode::CONFLICT);
    assert_eq!(revert(&program, 6, "").await.status, StatusCode::OK);
    assert_eq!(get(program.console, "/api/breakers/u").await.json()["mode"], "forced_open");
}

#[tokio::test]
async fn a_block_is_taken_back_and_put_on_again_from_the_log() {
    let (_upstream, program) = program().await;
    let block = json!({"address": "203.0.113.7", "for": "1h", "reason": "scraper"}).to_string();
    assert_eq!(post_json(program.console, "/api/blocked", &block).await.status, StatusCode::CREATED);
    let blocked = async || get(program.console, "/api/blocked").await.json().as_array().unwrap().len();
    assert_eq!(revert(&program, 1, "a customer").await.status, StatusCode::OK);
    assert_eq!(blocked().await, 0);
    assert_eq!(revert(&program, 2, "no customer").await.status, StatusCode::CREATED);
    assert_eq!(blocked().await, 1);
    let all = entries(&program, "?action=client").await;
    let told: Vec<_> = all.iter().map(|entry| (&entry["action"], &entry["reason"])).collect();
    let (block, unblock) = (json!("client.block"), json!("client.unblock"));
    let reasons = ["no customer", "a customer", "scraper"].map(Value::from);
    assert_eq!(told, [(&block, &reasons[0]), (&unblock, &reasons[1]), (&block, &reasons[2])]);
}

#[tokio::test]
async fn a_revert_that_makes_no_sense_is_refused_in_words() {
    let (_upstream, program) = program().await;
    assert_eq!(post_json(program.console, "/api/refresh", "").await.status, StatusCode::OK);
    for (path, body, status, word) in [
        ("/api/audit/1/revert", "", 409, "entry 1 (cache.invalidate) cannot be taken back"),
        ("/api/audit/2/revert", "", 404, "the audit log has no entry 2"),
        ("/api/audit/first/revert", "", 400, "\"first\" is no number of an entry"),
        ("/api/audit/1/revert", "{\"because\": 1}", 400, "unknown field `because`"),
    ] {
        let answer = post_json(program.console, path, body).await;
        assert_eq!(answer.status, status, "{path} {body}");
        assert!(detail(&answer).contains(word), "{path} {body}: {answer:?}");
    }
    for path in ["/api/audit/0", "/api/audit/-1", "/api/audit/9x"] {
        assert_eq!(get(program.console, path).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
    assert_eq!(get(program.console, "/api/audit/2").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_page_of_another_site_can_take_nothing_back() {
    let (_upstream, program) = program().await;
    assert_eq!(share(&program, 50, "").await.status, StatusCode::OK);
    let request = http::Request::post("/api/audit/1/revert")
        .header("host", program.console.to_string())
        .header("origin", "http://evil.example")
        .body(http_body_util::Full::default())
        .unwrap();
    let answer = crate::support::send(program.console, request).await.unwrap();
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(percent(&program).await, 50);
}

#[tokio::test]
async fn what_a_verdict_does_is_written_down_as_what_people_do() {
    let sides = Sides::new("stages = [50, 100]\nbake = \"10m\"", "").await;
    let program = sides.start();
    let start = post_json(program.console, "/api/rollouts/r/start", "{\"reason\": \"first try\"}").await;
    assert_eq!(start.status, StatusCode::OK);
    sides.candidate.behave(Behaviour::Status(500));
    let entry = eventually("the candidate is out", async || {
        for client in 0..50 {
            let address = format!("10.0.0.{client}");
            get_with(program.gateway, "/", &[("x-forwarded-for", &address)]).await;
        }
        entries(&program, "?actor=verdict").await.into_iter().next()
    })
    .await;
    assert_eq!((&entry["action"], &entry["object"]), (&json!("rollout.rollback"), &json!("r")));
    assert_eq!(entry["before"], json!({"percent": 50, "phase": "stage", "stage": 1}));
    assert_eq!(entry["after"], json!({"percent": 0, "phase": "rolled_back"}));
    assert!(entry["reason"].as_str().unwrap().contains("failed at this share"), "{entry}");
    let begun = &entries(&program, "?actor=api").await[0];
    assert_eq!((&begun["action"], &begun["reason"]), (&json!("rollout.start"), &json!("first try")));
}

#[tokio::test]
async fn in_production_nothing_is_changed_without_a_reason() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::with_environment(&text(&upstream), &[PRODUCTION]);
    let at_first =
        (percent(&program).await, get(program.console, "/api/breakers/u").await.json()["mode"].clone());
    for (path, body) in [
        ("/api/rollouts/r", json!({"percent": 50})),
        ("/api/rollouts/r", json!({"percent": 50, "reason": "  \n"})),
        ("/api/rollouts/r/start", json!({})),
        ("/api/rollouts/r/rollback", json!({"reason": ""})),
        ("/api/breakers/u/mode", json!({"mode": "forced_open"})),
        ("/api/breakers/u/reset", json!({})),
        ("/api/blocked", json!({"address": "203.0.113.7"})),
        ("/api/cache/invalidate", json!({"all": true})),
        ("/api/refresh", json!({})),
    ] {
        let refused = post_json(program.console, path, &body.to_string()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path} {body}");
        assert_eq!(detail(&refused), "a reason is needed: the profile is production", "{path} {body}");
    }
    let now = (percent(&program).await, get(program.console, "/api/breakers/u").await.json()["mode"].clone());
    assert_eq!(now, at_first);
    assert_eq!(get(program.console, "/api/blocked").await.json(), json!([]));
    assert_eq!(entries(&program, "").await, [] as [Value; 0]);

    let block = json!({"address": "203.0.113.7", "reason": "scraper"}).to_string();
    assert_eq!(post_json(program.console, "/api/blocked", &block).await.status, StatusCode::CREATED);
    assert_eq!(delete(program.console, "/api/blocked/203.0.113.7").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(get(program.console, "/api/blocked").await.json().as_array().map(Vec::len), Some(1));

    // What acts on nothing but the console needs none.
    assert_eq!(post_json(program.console, "/api/metrics/reset", "").await.status, StatusCode::OK);
    assert_eq!(share(&program, 50, "first try").await.status, StatusCode::OK);
    assert_eq!(revert(&program, 3, " ").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(percent(&program).await, 50);
    assert_eq!(revert(&program, 3, "too early").await.status, StatusCode::OK);
    assert_eq!(percent(&program).await, 0);
}

#[tokio::test]
async fn in_production_an_undo_says_by_itself_what_it_undoes() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::with_environment(&text(&upstream), &[PRODUCTION]);
    let block = json!({"address": "203.0.113.7", "reason": "scraper"}).to_string();
    let blocked = post_json(program.console, "/api/blocked", &block).await.json();
    let undo = &blocked["undo"];
    let request = http::Request::delete(undo["path"].as_str().unwrap())
        .header("host", program.console.to_string())
        .body(undo["body"].as_str().unwrap().to_owned().into())
        .unwrap();
    let answer = crate::support::send(program.console, request).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(entries(&program, "").await[0]["reason"], "undo of the block");
}

#[tokio::test]
async fn the_log_is_read_by_filters_and_page_by_page() {
    let (_upstream, program) = program().await;
    for percent in 1..=7 {
        assert_eq!(share(&program, percent, &format!("step {percent}")).await.status, StatusCode::OK);
    }
    assert_eq!(post_json(program.console, "/api/breakers/u/reset", "").await.status, StatusCode::OK);
    let ids = async |query: &str| {
        let found = entries(&program, query).await;
        found.iter().map(|entry| entry["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(ids("?action=breaker").await, [8]);
    assert_eq!(ids("?object=r&text=STEP+4").await, [4]);
    assert_eq!(ids("?actor=console").await, [] as [u64; 0]);
    assert_eq!(ids("?actor=&action=&limit=2").await, [8, 7]);
    assert_eq!(ids("?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z").await, [] as [u64; 0]);
    let first = get(program.console, "/api/audit?action=rollout.share&limit=5").await.json();
    assert_eq!(first["before"], 3);
    assert_eq!(ids("?action=rollout.share&limit=5&before=3").await, [2, 1]);

    for (query, word) in [
        ("?limit=0", "a number from 1 to 500"),
        ("?limit=501", "a number from 1 to 500"),
        ("?before=x", "the number of an entry"),
        ("?from=yesterday", "a moment such as 2026-01-31T20:41:30Z"),
        ("?from=2&to=1", "from is after to"),
        ("?who=me", "unknown field `who`, expected one of `actor`"),
    ] {
        for path in ["/api/audit", "/api/audit.csv", "/api/audit/page"] {
            let answer = get(program.console, &format!("{path}{query}")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}{query}");
            assert!(detail(&answer).contains(word), "{path}{query}: {answer:?}");
        }
    }
    let whole = get(program.console, "/api/audit/verify").await.json();
    let last = get(program.console, "/api/audit/8").await.json();
    assert_eq!(whole, json!({"entries": 8, "head": last["hash"], "broken_at": null}));
}

#[tokio::test]
async fn the_log_is_a_table_for_spreadsheets_in_which_nothing_is_a_formula() {
    let (_upstream, program) = program().await;
    assert_eq!(share(&program, 10, "=1+1").await.status, StatusCode::OK);
    assert_eq!(share(&program, 20, "a, \"b\"").await.status, StatusCode::OK);
    let table = get(program.console, "/api/audit.csv").await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8; header=present");
    let text = String::from_utf8(table.body.to_vec()).unwrap();
    let lines: Vec<_> = text.split("\r\n").collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(lines[0], "id,time,actor,action,object,before,after,reason,reverts,reverted_by,hash");
    assert!(lines[1].starts_with("2,20") && lines[1].contains(",api,rollout.share,r,"), "{text}");
    assert!(lines[1].contains(",\"a, \"\"b\"\"\",,,"), "{text}");
    assert!(lines[2].contains(",'=1+1,,,"), "{text}");
    // More than are read at a time.
    for percent in 0..600 {
        let body = json!({"percent": f64::from(percent) / 10.0}).to_string();
        assert_eq!(post_json(program.console, "/api/rollouts/r", &body).await.status, StatusCode::OK);
    }
    let all = String::from_utf8(get(program.console, "/api/audit.csv").await.body.to_vec()).unwrap();
    let numbers = all.lines().skip(1).map(|line| line.split(',').next().unwrap().parse::<u32>().unwrap());
    assert!(numbers.eq((1..=602).rev()), "{all}");
    let filtered = get(program.console, "/api/audit.csv?text=b").await;
    assert!(String::from_utf8(filtered.body.to_vec()).unwrap().contains("\r\n2,20"));
}

#[tokio::test]
async fn the_page_shows_the_log_before_any_script_runs() {
    let (_upstream, program) = program().await;
    let empty = get(program.console, "/audit").await;
    assert!(String::from_utf8_lossy(&empty.body).contains("Nothing has been changed yet."));
    assert_eq!(share(&program, 50, "<b>first</b> try out").await.status, StatusCode::OK);
    let mode = json!({"mode": "forced_open", "reason": "maintenance"}).to_string();
    assert_eq!(post_json(program.console, "/api/breakers/u/mode", &mode).await.status, StatusCode::OK);
    let page = async |query: &str| {
        let page = get(program.console, &format!("/audit{query}")).await;
        assert_eq!(page.status, StatusCode::OK);
        String::from_utf8_lossy(&page.body).into_owned()
    };
    let all = page("").await;
    for shown in
        ["percent 0 → 50", "&lt;b&gt;first&lt;/b&gt; try out", "mode automatic → forced open", "maintenance"]
    {
        assert!(all.contains(shown), "{shown}: {all}");
    }
    let some = page("?action=rollout&text=try+out").await;
    assert!(some.contains("percent 0 → 50") && !some.contains("mode automatic"), "{some}");
    assert!(some.contains("value=\"try out\""), "{some}");
    assert!(page("?object=none").await.contains("No entry is like this."));
}
