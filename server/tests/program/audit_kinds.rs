//! Nothing that changes something is forgotten: every call that the API has is looked up here.

use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    ADMIN, Answer, Behaviour, Browser, PASSWORD, Program, Sides, Upstream, get, post_json, send, with_login,
};

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
        // No start is planned here, so that there is none to be called off.
        ("DELETE", "/api/rollouts/{name}/start") => Elsewhere,
        ("POST", "/api/rollouts/{name}/override") => Entry(
            "/api/rollouts/r/override",
            json!({"side": "candidate"}),
            [
                json!("rollout.override"),
                json!("r"),
                json!(null),
                json!({"side": "candidate", "expires_at_ms": null}),
            ],
        ),
        ("POST", "/api/rollouts/{name}/shadow") => Entry(
            "/api/rollouts/r/shadow",
            json!({"percent": 5, "reason": "why"}),
            [json!("shadow.share"), json!("r"), json!({"percent": 0}), json!({"percent": 5})],
        ),
        ("POST", "/api/rollouts/{name}/shadow/reset") => Entry(
            "/api/rollouts/r/shadow/reset",
            json!({"reason": "why"}),
            [json!("shadow.reset"), json!("r"), json!({"compared": 0}), json!({"compared": 0})],
        ),
        // Anybody can say so, and it moves nothing.
        ("POST", "/api/client/{name}/report") => Nowhere,
        ("PUT", "/api/flags/{key}") => Entry(
            "/api/flags/f",
            json!({"flag": {"on": true, "variants": {"on": true, "off": false}, "off_variant": "off", "default": "on"},
                   "reason": "why"}),
            [json!("flag.replace"), json!("f"), json!(null), some],
        ),
        ("DELETE", "/api/flags/{key}") => Entry(
            "/api/flags/f",
            json!({"reason": "why"}),
            [json!("flag.archive"), json!("f"), some, json!(null)],
        ),
        ("POST", "/api/flags/{key}/toggle") => Entry(
            "/api/flags/rad.request-log/toggle",
            json!({"on": false, "reason": "why"}),
            [json!("flag.toggle"), json!("rad.request-log"), some.clone(), some],
        ),
        ("POST", "/api/flags/{key}/share") => Entry(
            "/api/flags/rad.request-log/share",
            json!({"percent": 50, "reason": "why"}),
            [json!("flag.share"), json!("rad.request-log"), some.clone(), some],
        ),
        ("POST", "/api/flags/{key}/revert") => Entry(
            "/api/flags/rad.request-log/revert",
            json!({"to": 1, "reason": "why"}),
            [json!("flag.revert"), json!("rad.request-log"), some.clone(), some],
        ),
        ("POST", "/api/flags/{key}/evaluate") => Nowhere,
        // Who comes and goes changes nothing; the rest needs a login, see below.
        (_, "/api/session") => Nowhere,
        (
            _,
            "/api/session/password"
            | "/api/accounts"
            | "/api/accounts/{name}"
            | "/api/tokens"
            | "/api/tokens/{id}",
        )
        | ("POST", "/api/audit/{id}/revert") => Elsewhere,
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
        let some =
            path.replace("{name}", "r").replace("{*address}", "x").replace("{id}", "1").replace("{key}", "f");
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
         override = {{ header = \"x-rad-side\" }}\n\
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

#[tokio::test]
async fn a_start_that_is_planned_and_called_off_leaves_an_entry_each() {
    let sides = Sides::new("stages = [10, 100]", "").await;
    let program = sides.start();
    let planned = json!({"at": "2999-12-01T08:00:00Z", "reason": "why"}).to_string();
    let far = post_json(program.console, "/api/rollouts/r/start", &planned).await;
    assert_eq!(far.status, StatusCode::BAD_REQUEST, "{far:?}");
    let at =
        humantime::format_rfc3339_seconds(std::time::SystemTime::now() + std::time::Duration::from_hours(48));
    let planned = json!({"at": at.to_string(), "reason": "why"});
    assert_eq!(call(&program, "POST", "/api/rollouts/r/start", &planned).await.status, StatusCode::OK);
    let off = json!({"reason": "not yet"});
    assert_eq!(call(&program, "DELETE", "/api/rollouts/r/start", &off).await.status, StatusCode::OK);
    let all = get(program.console, "/api/audit").await.json();
    let entries = all["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2, "{all}");
    assert_eq!(
        (&entries[1]["action"], &entries[1]["before"]),
        (&json!("rollout.plan"), &json!({"starts_at": null}))
    );
    assert_eq!(entries[1]["after"], entries[0]["before"]);
    assert_eq!(
        (&entries[0]["action"], &entries[0]["after"], &entries[0]["reason"]),
        (&json!("rollout.call_off"), &json!({"starts_at": null}), &json!("not yet"))
    );
}

#[tokio::test]
async fn what_is_done_with_accounts_and_tokens_is_written_down_without_what_lets_in() {
    let program = with_login("");
    let mut admin = Browser::logged_in(&program, ADMIN, PASSWORD).await;
    let made = admin.send("POST", "/api/accounts", json!({"name": "ada", "role": "viewer"})).await;
    let drawn = made.json()["password"].as_str().unwrap().to_owned();
    admin.send("PATCH", "/api/accounts/ada", json!({"role": "operator"})).await;
    let token = admin.send("POST", "/api/tokens", json!({"name": "ci", "scopes": ["read"]})).await.json();
    let (secret, id) =
        (token["token"].as_str().unwrap().to_owned(), token["id"].to_string().replace('"', ""));
    admin.send("DELETE", &format!("/api/tokens/{id}"), json!(null)).await;
    admin.send("DELETE", "/api/accounts/ada", json!(null)).await;
    let another = "another horse battery";
    let changed =
        admin.send("POST", "/api/session/password", json!({"current": PASSWORD, "new": another})).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    admin.keep(&changed);
    let all = admin.get("/api/audit").await;
    let text = String::from_utf8_lossy(&all.body).into_owned();
    for secret in [&drawn, &secret, &PASSWORD.to_owned(), &another.to_owned()] {
        assert!(!text.contains(secret.as_str()), "{secret}");
    }
    let entries = all.json()["entries"].as_array().unwrap().clone();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry["action"].as_str().unwrap(), entry["object"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("account.password", ADMIN),
            ("account.remove", "ada"),
            ("token.remove", "ci"),
            ("token.add", "ci"),
            ("account.change", "ada"),
            ("account.add", "ada"),
        ]
    );
    assert!(entries.iter().all(|entry| entry["actor"] == ADMIN), "{text}");
    assert_eq!(
        (&entries[4]["before"], &entries[4]["after"]["role"]),
        (&json!({"role": "viewer"}), &json!("operator"))
    );
}
