//! Who waits for a place, and what moves the limit.

use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Behaviour, Program, Upstream, eventually, get, get_with};

/// One route `/` with this added to it, and to its upstream.
async fn routed(of_upstream: &str, of_route: &str) -> (Upstream, Program) {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let table = upstream.table("u", of_upstream);
    let program = Program::start(&format!(
        "{table}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\n{of_route}"
    ));
    (upstream, program)
}

async fn total(program: &Program, name: &str) -> u64 {
    get(program.console, "/api/metrics").await.json()["totals"][name].as_u64().unwrap()
}

/// How the queue of the only route that has one stands.
async fn queue(program: &Program) -> Value {
    get(program.console, "/api/queues").await.json()[0].clone()
}

#[tokio::test]
async fn who_finds_the_queue_full_is_told_when_to_come_back() {
    let (upstream, program) = routed("", "queue = { limit = 1, waiting = 1, max_wait = \"1m\" }").await;
    upstream.hold();
    let first = tokio::spawn(get(program.gateway, "/first"));
    eventually("the first is in flight", async || (upstream.asked() == 1).then_some(())).await;
    let second = tokio::spawn(get(program.gateway, "/second"));
    eventually("the second waits", async || {
        let queues = get(program.console, "/api/queues").await.json();
        (queues[0]["waiting"]["normal"] == 1).then_some(())
    })
    .await;
    let shed = eventually("the queue is full", async || {
        // Whoever comes between finds the one place in the queue.
        let answer =
            tokio::time::timeout(std::time::Duration::from_millis(500), get(program.gateway, "/third")).await;
        answer.ok()
    })
    .await;
    assert_eq!((shed.status, &shed.json()["status_code"]), (StatusCode::SERVICE_UNAVAILABLE, &503.into()));
    assert!(shed.number("retry-after") >= 1);
    upstream.release();
    assert_eq!(first.await.unwrap().status, StatusCode::OK);
    assert_eq!(second.await.unwrap().status, StatusCode::OK);
    assert!(total(&program, "shed").await >= 1);
}

#[tokio::test]
async fn who_waited_for_too_long_is_told_so_and_not_that_the_queue_is_full() {
    let (upstream, program) = routed("", "queue = { limit = 1, waiting = 5, max_wait = \"50ms\" }").await;
    upstream.hold();
    let first = tokio::spawn(get(program.gateway, "/first"));
    eventually("the first is in flight", async || (upstream.asked() == 1).then_some(())).await;
    let waited = get(program.gateway, "/second").await;
    assert_eq!(waited.status, StatusCode::SERVICE_UNAVAILABLE);
    let said = waited.json().to_string();
    assert!(said.contains("The request waited for its turn for too long"), "{said}");
    upstream.release();
    assert_eq!(first.await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn the_console_tells_how_a_queue_stands() {
    let (upstream, program) = routed("", "queue = { limit = 2, waiting = 5 }").await;
    upstream.hold();
    let asked: Vec<_> = (0..4).map(|_| tokio::spawn(get(program.gateway, "/"))).collect();
    let queue = eventually("two wait", async || {
        let queues = get(program.console, "/api/queues").await.json();
        (queues[0]["waiting"]["normal"] == 2).then(|| queues[0].clone())
    })
    .await;
    assert_eq!((&queue["in_flight"], &queue["limit"], &queue["path"]), (&2.into(), &2.into(), &"/".into()));
    upstream.release();
    for answer in asked {
        assert_eq!(answer.await.unwrap().status, StatusCode::OK);
    }
    eventually("all places are free", async || {
        let queues = get(program.console, "/api/queues").await.json();
        (queues[0]["in_flight"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_adaptive_queue_gives_way_to_an_upstream_that_says_too_many_requests() {
    let more = "queue = { limit = 20, waiting = 10, adaptive = \"aimd\" }";
    let (upstream, program) = routed("", more).await;
    upstream.behave(Behaviour::Status(429));
    for _ in 0..20 {
        assert_eq!(get(program.gateway, "/").await.status, StatusCode::TOO_MANY_REQUESTS);
    }
    let queues = get(program.console, "/api/queues").await.json();
    assert!(queues[0]["limit"].as_u64().unwrap() < 20, "{queues}");
}

/// More than fits between a gateway and a client that does not read.
const LONG: usize = 8 << 20;

/// An upstream that takes 200 ms to begin with its answer, which is a long one.
async fn steady_upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut asked = [0; 4_096];
                while stream.read(&mut asked).await.is_ok_and(|read| read > 0) {
                    let mut pace = tokio::time::interval(Duration::from_millis(200));
                    pace.tick().await;
                    pace.tick().await;
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LONG}\r\n\r\n");
                    if stream.write_all(head.as_bytes()).await.is_err() {
                        return;
                    }
                    let _ = stream.write_all(&vec![b'x'; LONG]).await;
                }
            });
        }
    });
    address
}

/// So many ask at once, have the beginning of an answer, and read on after that time.
async fn read_after(program: &Program, clients: usize, pause: Duration) {
    let gateway = program.gateway;
    let clients: Vec<_> = (0..clients)
        .map(|_| {
            tokio::spawn(async move {
                let mut client = TcpStream::connect(gateway).await.unwrap();
                client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
                let mut said = [0; 12];
                client.read_exact(&mut said).await.unwrap();
                assert_eq!(&said, b"HTTP/1.1 200");
                let mut pace = tokio::time::interval(pause);
                pace.tick().await;
                pace.tick().await;
                let mut rest = Vec::new();
                client.read_to_end(&mut rest).await.unwrap();
                assert!(rest.len() > LONG);
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

/// A gateway with one route `/` to a steady upstream, with these keys of the upstream and of the route.
async fn steady(of_upstream: &str, of_route: &str) -> Program {
    Program::start(&format!(
        "[upstreams.u]\ntargets = [\"http://{}\"]\n{of_upstream}\n\
         [[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\n{of_route}",
        steady_upstream().await
    ))
}

#[tokio::test]
async fn who_reads_its_answer_slowly_makes_no_smaller_limit() {
    let program = steady("", "queue = { limit = 12, adaptive = \"gradient\" }").await;
    let limit = async || queue(&program).await["limit"].as_u64().unwrap();
    // What is usual: less than half of the limit in use, so that it stays.
    for _ in 0..4 {
        read_after(&program, 5, Duration::from_millis(1)).await;
    }
    let usual = limit().await;
    for _ in 0..3 {
        read_after(&program, 10, Duration::from_millis(900)).await;
        eventually("all are over", async || (queue(&program).await["in_flight"] == 0).then_some(())).await;
    }
    let now = limit().await;
    assert!(now >= usual, "{now} after {usual}");
}

#[tokio::test]
async fn who_reads_its_answer_slowly_makes_no_slow_call() {
    let breaker = "breaker = { slow_call_rate_threshold = 100, slow_call_duration_threshold = \"800ms\", \
                   sliding_window = 5, minimum_number_of_calls = 5 }";
    let program = steady(breaker, "").await;
    read_after(&program, 5, Duration::from_millis(900)).await;
    let breakers = eventually("all are counted", async || {
        let breakers = get(program.console, "/api/breakers").await.json();
        (breakers[0]["requests"] == 5).then_some(breakers)
    })
    .await;
    assert_eq!((&breakers[0]["trips"], &breakers[0]["state"]), (&0.into(), &"closed".into()), "{breakers}");
}

#[tokio::test]
async fn an_urgent_request_tries_for_itself_when_the_one_it_waited_for_finds_no_place() {
    let more = "queue = { limit = 1, waiting = 1, max_wait = \"2s\", priority = \"header:X-Priority\" }\n\
                cache = { ttl = \"1m\" }";
    let (upstream, program) = routed("", more).await;
    upstream.hold();
    let first = tokio::spawn(get(program.gateway, "/first"));
    eventually("it is in flight", async || (upstream.asked() == 1).then_some(())).await;
    let to = program.gateway;
    let leader = tokio::spawn(get(to, "/"));
    eventually("one leads", async || (queue(&program).await["waiting"]["normal"] == 1).then_some(())).await;
    let normal = tokio::spawn(get(to, "/"));
    let urgent = tokio::spawn(async move { get_with(to, "/", &[("x-priority", "high")]).await });
    // Nobody but it waits for a place, when the others have been told.
    for shed in [leader, normal] {
        assert_eq!(shed.await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    }
    eventually("it waits for itself", async || (queue(&program).await["waiting"]["high"] == 1).then_some(()))
        .await;
    upstream.release();
    let answer = urgent.await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"u"[..]));
    assert_eq!((first.await.unwrap().status, upstream.asked()), (StatusCode::OK, 2));
    assert_eq!(total(&program, "shed").await, 2);
}
