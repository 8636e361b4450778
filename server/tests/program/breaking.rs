use http::StatusCode;
use serde_json::json;

use crate::support::{Behaviour, Program, Upstream, eventually, get, get_with};

#[tokio::test]
async fn the_eleventh_request_of_a_minute_is_rejected_with_the_known_body() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let route = "[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = [\"10/minute\"]";
    let program = Program::start(&format!("{}{route}", upstream.table("u", "")));
    for sent in 1..=10 {
        let answer = get(program.gateway, "/").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.number("x-ratelimit-limit"), 10);
        assert_eq!(answer.number("x-ratelimit-remaining"), 10 - sent);
        assert!(answer.number("x-ratelimit-reset") > 1_700_000_000);
        assert!(answer.number("retry-after") >= 1);
    }
    let answer = get(program.gateway, "/").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        answer.json(),
        json!({"error": "Rate limit exceeded: 10 per 1 minute", "detail": "Too many requests"})
    );
    assert_eq!(answer.number("x-ratelimit-remaining"), 0);
    assert!((1..=6).contains(&answer.number("retry-after")));
    assert_eq!(upstream.asked(), 10);
}

#[tokio::test]
async fn limits_count_by_the_key_that_the_route_names() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&format!(
        "{}[[routes]]\npath = \"/org\"\nupstream = \"u\"\nlimits = [\"1/hour\"]\nkey = \"org\"\n\
         [[routes]]\npath = \"/all\"\nupstream = \"u\"\nlimits = [\"1/hour\"]\nkey = \"global\"",
        upstream.table("u", "")
    ));
    let org = async |name| get_with(program.gateway, "/org", &[("x-org-id", name)]).await.status.as_u16();
    assert_eq!([org("acme").await, org("acme").await, org("other").await], [200, 429, 200]);
    let all = async |name| get_with(program.gateway, "/all", &[("x-org-id", name)]).await.status.as_u16();
    assert_eq!([all("acme").await, all("other").await], [200, 429]);
}

#[tokio::test]
async fn forwarded_addresses_count_only_from_trusted_proxies() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let route = "[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = [\"1/hour\"]";
    let statuses = async |program: &Program| {
        let mut statuses = Vec::new();
        for client in ["198.51.100.1", "198.51.100.2", "198.51.100.1"] {
            statuses
                .push(get_with(program.gateway, "/", &[("x-forwarded-for", client)]).await.status.as_u16());
        }
        statuses
    };
    let untrusting = Program::start(&format!("{}{route}", upstream.table("u", "")));
    assert_eq!(statuses(&untrusting).await, [200, 429, 429]);
    let text = crate::support::configuration(&format!("{}{route}", upstream.table("u", "")));
    let trusting = Program::with_text(&text.replace("workers = 2", "trusted_proxies = [\"127.0.0.0/8\"]"));
    assert_eq!(statuses(&trusting).await, [200, 200, 429]);
}

fn breaker(upstream: &Upstream, settings: &str) -> Program {
    let route = "[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []";
    Program::start(&format!("{}{route}", upstream.table("u", settings)))
}

#[tokio::test]
async fn after_five_failures_the_upstream_is_not_asked_any_more() {
    let upstream = Upstream::start("u", Behaviour::Status(500)).await;
    let program = breaker(&upstream, "");
    for _ in 0..5 {
        assert_eq!(get(program.gateway, "/").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    for _ in 0..10 {
        let answer = get(program.gateway, "/").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            answer.json(),
            json!({"detail": "Service temporarily unavailable due to circuit breaker", "status_code": 503})
        );
        assert!((1..=60).contains(&answer.number("retry-after")));
    }
    assert_eq!(upstream.asked(), 5);
    assert_eq!(program.log_line("circuit_breaker_open")["reason"], "5 failures in a row");
}

#[tokio::test]
async fn a_breaker_closes_again_when_its_probes_succeed() {
    let upstream = Upstream::start("u", Behaviour::Status(503)).await;
    let program = breaker(&upstream, "breaker = { open_for = \"200ms\" }");
    for _ in 0..5 {
        get(program.gateway, "/").await;
    }
    upstream.behave(Behaviour::Echo);
    eventually("the breaker closes", async || {
        (get(program.gateway, "/").await.status == StatusCode::OK && upstream.asked() >= 7).then_some(())
    })
    .await;
    program.log_line("circuit_breaker_open");
    program.log_line("circuit_breaker_half_open");
    assert_eq!(program.log_line("circuit_breaker_closed")["successes"], 2);
    for _ in 0..20 {
        assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn one_target_may_fail_while_the_other_serves() {
    let bad = Upstream::start("bad", Behaviour::Status(500)).await;
    let good = Upstream::start("good", Behaviour::Echo).await;
    let program = Program::start(&format!(
        "[upstreams.u]\ntargets = [\"http://{}\", \"http://{}\"]\n[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []",
        bad.address, good.address
    ));
    for _ in 0..10 {
        get(program.gateway, "/").await;
    }
    for _ in 0..20 {
        assert_eq!(get(program.gateway, "/").await.header("x-served-by"), "good");
    }
    assert_eq!(bad.asked(), 5);
}
