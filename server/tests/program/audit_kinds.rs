//! Nothing that changes something is forgotten: every call that the API has is looked up here.

use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Behaviour, Program, Upstream, get, send};

/// What a call of the API leads to.
enum Leads {
    /// A body that changes something, and the entry that it leaves: action, object, before and after.
    Entry(&'static str, Value, [Value; 4]),
    /// No entry, because it changes nothing.
    Nowhere,
    /// Its test is elsewhere.
    Elsewhere,
}

fn leads(method: &str, path: &str) -> Leads {
    use Leads::{Elsewhere, Entry, Nowhere};
    let some = json!("any");
    let stage =
        |percent: u32, phase: &str, stage: u32| json!({"percent": percent, "phase": phase, "stage": stage});
    let rolled_back = || json!({"percent": 0, "phase": "rolled_back"});
    match (method, path) {
        ("POST", "/api/metrics/reset") => Entry(
            "/api/metrics/reset",
            json!({}),
            [json!("metrics.reset"), json!("metrics"), some.clone(), some],
        ),
        // A search, which is no change.
        ("POST", "/api/fetch-kibana-data") => Nowhere,
        ("POST", "/api/cache/invalidate") => Entry(
            "/api/cache/invalidate",
            json!({"tag": "counts", "reason": "why"}),
            [json!("cache.invalidate"), json!("tag counts"), json!(null), json!({"removed": 0})],
        ),
        ("POST", "/api/refresh") => Entry(
            "/api/refresh",
            json!({"reason": "why"}),
            [json!("cache.invalidate"), json!("everything"), json!(null), json!({"removed": 0})],
        ),
        ("POST", "/api/breakers/{name}/mode") => Entry(
            "/api/breakers/u/mode",
            json!({"mode": "disabled", "reason": "why"}),
            [json!("breaker.mode"), json!("u"), json!({"mode": "automatic"}), json!({"mode": "disabled"})],
        ),
        ("POST", "/api/breakers/{name}/reset") => Entry(
            "/api/breakers/u/reset",
            json!({"reason": "why"}),
            [json!("breaker.reset"), json!("u"), json!({"state": "closed"}), json!({"state": "closed"})],
        ),
        ("POST", "/api/blocked") => Entry(
            "/api/blocked",
            json!({"address": "203.0.113.7", "reason": "why"}),
            [json!("client.block"), json!("203.0.113.7"), json!(null), json!({"until": "for good"})],
        ),
        ("DELETE", "/api/blocked/{*address}") => Entry(
            "/api/blocked/203.0.113.7",
            json!({"reason": "why"}),
            [
                json!("client.unblock"),
                json!("203.0.113.7"),
                json!({"until": "for good", "reason": "why"}),
                json!(null),
            ],
        ),
        ("POST", "/api/rollouts/{name}") => Entry(
            "/api/rollouts/r",
            json!({"percent": 5, "reason": "why"}),
            [
                json!("rollout.share"),
                json!("r"),
                json!({"percent": 0, "phase": "manual"}),
                json!({"percent": 5, "phase": "manual"}),
            ],
        ),
        ("POST", "/api/rollouts/{name}/start") => Entry(
            "/api/rollouts/r/start",
            json!({"reason": "why"}),
            [
                json!("rollout.start"),
                json!("r"),
                json!({"percent": 5, "phase": "manual"}),
                stage(10, "stage", 1),
            ],
        ),
        ("POST", "/api/rollouts/{name}/pause") => Entry(
            "/api/rollouts/r/pause",
            json!({"reason": "why"}),
            [json!("rollout.pause"), json!("r"), stage(10, "stage", 1), stage(10, "paused", 1)],
        ),
        ("POST", "/api/rollouts/{name}/resume") => Entry(
            "/api/rollouts/r/resume",
            json!({"reason": "why"}),
            [json!("rollout.resume"), json!("r"), stage(10, "paused", 1), stage(10, "stage", 1)],
        ),
        ("POST", "/api/rollouts/{name}/promote") => Entry(
            "/api/rollouts/r/promote",
            json!({"reason": "why"}),
            [json!("rollout.promote"), json!("r"), stage(10, "stage", 1), stage(100, "stage", 2)],
        ),
        ("POST", "/api/rollouts/{name}/rollback") => Entry(
            "/api/rollouts/r/rollback",
            json!({"reason": "why"}),
            [json!("rollout.rollback"), json!("r"), stage(100, "stage", 2), rolled_back()],
        ),
        ("POST", "/api/audit/{id}/revert") => Elsewhere,
        ("PATCH", "/api/lab/traffic") => Entry(
            "/api/lab/traffic",
            json!({"requests_per_second": 1}),
            [
                json!("lab.traffic"),
                json!("traffic"),
                json!({"requests_per_second": 0}),
                json!({"requests_per_second": 1}),
            ],
        ),
        ("PATCH", "/api/lab/{upstream}") => Entry(
            "/api/lab/legacy",
            json!({"latency_ms": 1}),
            [
                json!("lab.knobs"),
                json!("legacy"),
                json!({"failure_share": 0.0, "latency_ms": 20}),
                json!({"failure_share": 0.0, "latency_ms": 1}),
            ],
        ),
        _ => panic!("say here what {method} {path} leaves in the audit log, or why it leaves nothing"),
    }
}

async fn call(program: &Program, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(path)
        .header("host", program.console.to_string())
        .header("origin", format!("http://{}", program.console))
        .body(body.to_string().into())
        .unwrap();
    send(program.console, request).await.unwrap()
}

/// Everything that the API answers beside `GET` and `HEAD`, in the order in which it lists its paths.
async fn calls(program: &Program) -> Vec<(String, String)> {
    let known = get(program.console, "/api/nothing").await.json()["detail"].as_str().unwrap().to_owned();
    let (_, paths) = known.split_once("the API has ").unwrap();
    let mut calls = Vec::new();
    for path in paths.split(", ") {
        let some = path.replace("{name}", "r").replace("{*address}", "x").replace("{id}", "1");
        let answer = call(program, "OPTIONS", &some.replace("{upstream}", "legacy"), &json!(null)).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = answer.header("allow").split(", ").filter(|method| !["GET", "HEAD"].contains(method));
        calls.extend(allowed.map(|method| (method.to_owned(), path.to_owned())));
    }
    calls
}

#[tokio::test]
async fn every_change_leaves_one_entry_that_says_who_what_and_why() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&format!(
        "[sample]\nlegacy = \"127.0.0.1:0\"\ncandidate = \"127.0.0.1:0\"\n{}{}\
         [rollouts.r]\nlegacy = \"u\"\ncandidate = \"v\"\nstages = [10, 100]\nbake = \"1h\"\n\
         [[routes]]\npath = \"/\"\nrollout = \"r\"\nlimits = []\ncache = {{ ttl = \"1m\", tags = [\"counts\"] }}",
        upstream.table("u", ""),
        upstream.table("v", "")
    ));
    let calls = calls(&program).await;
    assert!(calls.len() > 15, "{calls:?}");
    let mut entries = 0;
    for (method, path) in &calls {
        let Leads::Entry(path, body, expected) = leads(method, path) else { continue };
        let answer = call(&program, method, path, &body).await;
        assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
        entries += 1;
        let all = get(program.console, "/api/audit?limit=500").await.json();
        assert_eq!(all["entries"].as_array().map(Vec::len), Some(entries), "{method} {path}: {all}");
        let entry = &all["entries"][0];
        assert_eq!(entry["actor"], "console", "{method} {path}");
        assert_eq!(entry["reason"], body.get("reason").cloned().unwrap_or(json!("")), "{method} {path}");
        for (name, expected) in ["action", "object", "before", "after"].into_iter().zip(expected) {
            assert!(
                expected == "any" || entry[name] == expected,
                "{method} {path}: {name} is {}",
                entry[name]
            );
        }
        assert_eq!(
            entry["undo"],
            answer.json().get("undo").cloned().unwrap_or(json!(null)),
            "{method} {path}"
        );
        assert!(
            !entry.to_string().contains("127.0.0.1"),
            "addresses of upstreams are nobody's business: {entry}"
        );
        // The same once more changes nothing: what was so already is no entry.
        if method == "PATCH" || path.ends_with("/mode") {
            assert!(call(&program, method, path, &body).await.status.is_success());
            let again = get(program.console, "/api/audit?limit=500").await.json();
            assert_eq!(again["entries"].as_array().map(Vec::len), Some(entries), "{method} {path}");
        }
    }
    // No call of those that read leaves anything.
    assert_eq!(get(program.console, "/api/audit/verify").await.json()["entries"], entries);
}
