//! Retries and hedges: which target is asked when, and who pays for it.

use std::net::SocketAddr;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Behaviour, Program, Upstream, eventually, get, post_json};

/// A gateway with one route `/` to these targets, with these keys of the upstream and of the route.
fn in_front_of(targets: &[SocketAddr], of_upstream: &str, of_route: &str) -> Program {
    let targets: Vec<_> = targets.iter().map(|target| format!("\"http://{target}\"")).collect();
    Program::start(&format!(
        "[upstreams.u]\ntargets = [{}]\n{of_upstream}\n[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\n{of_route}",
        targets.join(", ")
    ))
}

async fn total(program: &Program, name: &str) -> u64 {
    get(program.console, "/api/metrics").await.json()["totals"][name].as_u64().unwrap()
}

/// A number of each breaker.
async fn breakers(program: &Program, name: &str) -> Vec<u64> {
    let breakers = get(program.console, "/api/breakers").await.json();
    breakers.as_array().unwrap().iter().map(|breaker| breaker[name].as_u64().unwrap()).collect()
}

const NEVER_OPENS: &str = "breaker = { consecutive_failures = 1000 }";

#[tokio::test]
async fn a_retry_goes_to_another_target_than_the_one_that_failed() {
    let (good, bad) = (
        Upstream::start("good", Behaviour::Echo).await,
        Upstream::start("bad", Behaviour::Status(503)).await,
    );
    let retry = "retry = { max_attempts = 2, base = \"1ms\", budget = 100 }";
    let program = in_front_of(&[bad.address, good.address], NEVER_OPENS, retry);
    for _ in 0..21 {
        let answer = get(program.gateway, "/").await;
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"good"[..]));
    }
    assert_eq!(good.asked(), 21);
    assert_eq!(bad.asked() as u64, total(&program, "retries").await);
    // Each is asked first every other time.
    assert_eq!(bad.asked(), 11);
}

#[tokio::test]
async fn with_no_good_target_each_is_asked_before_one_is_asked_again() {
    let targets = [
        Upstream::start("a", Behaviour::Status(503)).await,
        Upstream::start("b", Behaviour::Status(503)).await,
        Upstream::start("c", Behaviour::Status(503)).await,
    ];
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut addresses: Vec<_> = targets.iter().map(|target| target.address).collect();
    let retry =
        "retry = { max_attempts = 6, base = \"1ms\", budget = 100, budget_minimum_per_second = 1000 }";
    let program = in_front_of(&addresses, NEVER_OPENS, retry);
    for round in 1..=5 {
        assert_eq!(get(program.gateway, "/").await.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(targets.each_ref().map(Upstream::asked), [2 * round; 3]);
    }
    // One that cannot be reached is no better than one that fails.
    addresses.truncate(1);
    addresses.push(nobody);
    let program = in_front_of(&addresses, NEVER_OPENS, "retry = { max_attempts = 3, base = \"1ms\" }");
    let before = targets[0].asked();
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(targets[0].asked() - before, 3);
}

#[tokio::test]
async fn a_slow_read_is_asked_of_another_target_and_the_first_answer_wins() {
    let (slow, fast) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), Upstream::start("fast", Behaviour::Echo).await);
    let addresses = [slow.local_addr().unwrap(), fast.address];
    let breaker = "breaker = { consecutive_failures = 1 }";
    let program = in_front_of(&addresses, breaker, "hedge = { after = \"30ms\" }");
    let asked = tokio::spawn(get(program.gateway, "/"));
    let (mut stream, _) = slow.accept().await.unwrap();
    let answer = asked.await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"fast"[..]));
    // The loser is told to stop: its connection ends.
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    assert!(said.starts_with(b"GET / HTTP/1.1"));
    assert_eq!((total(&program, "hedges").await, total(&program, "hedge_wins").await), (1, 1));
    // And pays for nothing.
    assert_eq!(breakers(&program, "failures").await, [0, 0]);
    assert_eq!((total(&program, "answered").await, total(&program, "failed").await), (1, 0));
    // Now the fast one is asked first, and nobody else.
    assert_eq!(get(program.gateway, "/").await.body, "fast");
    assert_eq!((fast.asked(), total(&program, "hedges").await), (2, 1));
}

#[tokio::test]
async fn a_first_attempt_that_answers_after_all_wins_and_the_other_is_dropped() {
    let (first, second) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let addresses = [first.local_addr().unwrap(), second.local_addr().unwrap()];
    let program = in_front_of(&addresses, "", "hedge = { after = \"30ms\" }");
    let asked = tokio::spawn(get(program.gateway, "/"));
    let (mut first, _) = first.accept().await.unwrap();
    let (mut other, _) = second.accept().await.unwrap();
    first.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst").await.unwrap();
    assert_eq!(asked.await.unwrap().body, "first");
    other.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!((total(&program, "hedges").await, total(&program, "hedge_wins").await), (1, 0));
    eventually("nothing is in flight", async || {
        (breakers(&program, "requests").await == [1, 1]).then_some(())
    })
    .await;
    assert_eq!(breakers(&program, "failed").await, [0, 0]);
}

#[tokio::test]
async fn a_write_is_not_hedged_and_neither_is_what_the_budget_does_not_allow() {
    let slow = Upstream::start("slow", Behaviour::Stall).await;
    let upstream = format!("timeout = \"200ms\"\n{NEVER_OPENS}");
    let program = in_front_of(&[slow.address], &upstream, "hedge = { after = \"10ms\", max = 2 }");
    assert_eq!(post_json(program.gateway, "/", "{}").await.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!((slow.asked(), total(&program, "hedges").await), (1, 0));
    // With one target, the same is asked again.
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!((slow.asked(), total(&program, "hedges").await), (4, 2));
    let frugal = "hedge = { after = \"10ms\" }\n\
                  retry = { max_attempts = 1, budget = 10, budget_minimum_per_second = 0 }";
    let program = in_front_of(&[slow.address], &upstream, frugal);
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!((slow.asked(), total(&program, "hedges").await), (5, 0));
}

#[tokio::test]
async fn attempts_that_fail_side_by_side_each_count_for_their_target() {
    let (slow, bad) = (
        Upstream::start("slow", Behaviour::Stall).await,
        Upstream::start("bad", Behaviour::Status(503)).await,
    );
    let upstream = "timeout = \"200ms\"\nbreaker = { consecutive_failures = 1 }";
    let program = in_front_of(&[slow.address, bad.address], upstream, "hedge = { after = \"10ms\" }");
    // The other one fails at once; the first may still do better, and does not.
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!((slow.asked(), bad.asked()), (1, 1));
    assert_eq!(breakers(&program, "trips").await, [1, 1]);
    assert_eq!((total(&program, "failed").await, total(&program, "hedge_wins").await), (1, 0));
}

#[tokio::test]
async fn an_attempt_that_the_breaker_would_refuse_is_neither_waited_for_nor_counted() {
    let bad = Upstream::start("bad", Behaviour::Status(503)).await;
    let breaker = "breaker = { consecutive_failures = 1 }";
    let retry = "retry = { base = \"25s\", jitter = 0, budget = 50, budget_minimum_per_second = 0 }";
    let program = in_front_of(&[bad.address], breaker, retry);
    let started = std::time::Instant::now();
    let answer = get(program.gateway, "/").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::SERVICE_UNAVAILABLE, &b"bad"[..]));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    assert_eq!((bad.asked(), total(&program, "retries").await), (1, 0));
    assert_eq!((total(&program, "failed").await, total(&program, "short_circuited").await), (1, 0));
    // One that is open for less time than the wait takes, is waited for.
    let breaker = "breaker = { consecutive_failures = 1, open_for = \"50ms\", successes_to_close = 1 }";
    let retry = "retry = { max_attempts = 2, base = \"100ms\", jitter = 0 }";
    let program = in_front_of(&[bad.address], breaker, retry);
    assert_eq!(get(program.gateway, "/").await.body, "bad");
    assert_eq!((bad.asked(), total(&program, "retries").await), (3, 1));
}
