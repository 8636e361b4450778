use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, Behaviour, Program, Upstream, eventually, get, send};

const ROUTE: &str = "[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []";

fn in_front_of(upstream: &Upstream) -> Program {
    Program::start(&format!("{}{ROUTE}", upstream.table("u", "timeout = \"300ms\"")))
}

/// Says what went wrong, and not where.
fn assert_discreet(answer: &Answer, status: StatusCode, upstream: SocketAddr) {
    assert_eq!(answer.status, status);
    assert_eq!(answer.json()["status_code"], status.as_u16());
    let told = format!("{answer:?}");
    assert!(!told.contains(&upstream.port().to_string()), "the address is told: {told}");
}

async fn failures(program: &Program) -> u64 {
    get(program.console, "/api/metrics").await.json()["totals"]["failed"].as_u64().unwrap()
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_502_without_its_address() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let program = Program::start(&format!("[upstreams.u]\ntargets = [\"http://{free}\"]\n{ROUTE}"));
    assert_discreet(&get(program.gateway, "/").await, StatusCode::BAD_GATEWAY, free);
    assert_eq!(failures(&program).await, 1);
}

#[tokio::test]
async fn an_upstream_that_resets_or_talks_rubbish_is_502() {
    for behaviour in [Behaviour::Reset, Behaviour::Rubbish] {
        let upstream = Upstream::start("u", behaviour).await;
        let program = in_front_of(&upstream);
        assert_discreet(&get(program.gateway, "/").await, StatusCode::BAD_GATEWAY, upstream.address);
        assert_eq!(failures(&program).await, 1);
    }
}

#[tokio::test]
async fn an_upstream_that_stalls_is_504_after_its_timeout() {
    let upstream = Upstream::start("u", Behaviour::Stall).await;
    let program = in_front_of(&upstream);
    assert_discreet(&get(program.gateway, "/").await, StatusCode::GATEWAY_TIMEOUT, upstream.address);
    assert_eq!(failures(&program).await, 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_or_stalls_breaks_off_for_the_client_and_counts_as_failure() {
    for behaviour in [Behaviour::BreakOff, Behaviour::StallInBody] {
        let upstream = Upstream::start("u", behaviour).await;
        let program = in_front_of(&upstream);
        let request = Request::get("/").body(Full::<Bytes>::default()).unwrap();
        assert!(send(program.gateway, request).await.is_err(), "{behaviour:?} looked whole");
        eventually("the failure is counted", async || (failures(&program).await == 1).then_some(())).await;
    }
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_in_the_pool_costs_nobody_a_request() {
    let upstream = Upstream::start("u", Behaviour::AnswerAndClose).await;
    let program = in_front_of(&upstream);
    for _ in 0..20 {
        assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
    }
    assert_eq!(upstream.asked(), 20);
}

#[tokio::test]
async fn a_client_that_goes_away_is_no_failure_of_the_upstream() {
    let upstream = Upstream::start("u", Behaviour::Stall).await;
    let program = Program::start(&format!("{}{ROUTE}", upstream.table("u", "")));
    for _ in 0..6 {
        let before = upstream.asked();
        let mut stream = TcpStream::connect(program.gateway).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        eventually("the upstream is asked", async || (upstream.asked() > before).then_some(())).await;
    }
    eventually("all are gone", async || {
        let metrics = get(program.console, "/api/metrics").await.json();
        (metrics["totals"]["abandoned"] == 6).then_some(())
    })
    .await;
    assert_eq!(failures(&program).await, 0);
    let breakers = get(program.console, "/api/breakers").await.json();
    assert_eq!(breakers[0]["trips"], 0);
}

#[tokio::test]
async fn a_client_that_sends_slowly_is_no_failure_of_the_upstream() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = in_front_of(&upstream);
    for _ in 0..6 {
        let mut stream = TcpStream::connect(program.gateway).await.unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
        let mut said = [0; 12];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"HTTP/1.1 408");
    }
    assert_eq!(failures(&program).await, 0);
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_path_that_could_be_read_as_another_is_refused() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = in_front_of(&upstream);
    for path in ["/free/../limited", "/free/%2e%2e/limited", "/./limited"] {
        let answer = get(program.gateway, path).await;
        assert_eq!(
            (answer.status, &answer.json()["status_code"]),
            (StatusCode::BAD_REQUEST, &400.into()),
            "{path}"
        );
    }
    assert_eq!(upstream.asked(), 0);
}

#[tokio::test]
async fn a_path_of_thousands_of_segments_costs_little() {
    let program = Program::start("");
    let path = format!("/a{}", "/".repeat(60_000));
    let started = std::time::Instant::now();
    for _ in 0..100 {
        assert_eq!(get(program.gateway, &path).await.status, StatusCode::NOT_FOUND);
    }
    // A look-up of every parent took 80 ms each.
    assert!(started.elapsed().as_secs() < 4, "{:?}", started.elapsed());
}

#[tokio::test]
async fn rubbish_from_a_client_is_answered_with_400_and_disturbs_nobody() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = in_front_of(&upstream);
    for rubbish in ["\u{16}\u{3}\u{1}\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\u{0} HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(program.gateway).await.unwrap();
        stream.write_all(rubbish.as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 400"), "{rubbish:?}: {said:?}");
    }
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn two_contradicting_lengths_are_refused_instead_of_smuggled() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = in_front_of(&upstream);
    let smuggled = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 44\r\n\r\nabcd";
    let mut stream = TcpStream::connect(program.gateway).await.unwrap();
    stream.write_all(smuggled.as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 400"), "{said:?}");
    assert_eq!(upstream.asked(), 0);
}
