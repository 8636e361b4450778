//! What stands in for an upstream, within the bounds of its route.

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, Behaviour, Program, Upstream, eventually, get, post_json};

/// A route `/` to an upstream that fails, and one that stands in for it, with this added to the route.
async fn failing(breaker: &str, more: &str) -> (Upstream, Upstream, Program) {
    let broken = Upstream::start("u", Behaviour::Status(500)).await;
    let spare = Upstream::start("spare", Behaviour::Echo).await;
    let program = Program::start(&format!(
        "{}{}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\nfallback = {{ upstream = \"spare\" }}\n{more}",
        broken.table("u", &format!("breaker = {{ consecutive_failures = {breaker} }}")),
        spare.table("spare", "")
    ));
    (broken, spare, program)
}

#[tokio::test]
async fn an_upstream_that_stands_in_is_asked_on_the_place_of_the_one_that_failed() {
    for cache in ["", "cache = { ttl = \"1m\" }"] {
        let queue = format!("queue = {{ limit = 1, waiting = 0 }}\n{cache}");
        let (broken, spare, program) = failing("1000", &queue).await;
        spare.hold();
        let first = tokio::spawn(get(program.gateway, "/first"));
        eventually("the spare is asked", async || (spare.asked() == 1).then_some(())).await;
        assert_eq!(get(program.gateway, "/second").await.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!((broken.asked(), spare.asked()), (1, 1), "{cache}");
        spare.release();
        let first = first.await.unwrap();
        assert_eq!((first.status, &first.body[..]), (StatusCode::OK, &b"spare"[..]));
        eventually("the place is free again", async || {
            (get(program.gateway, "/third").await.status == StatusCode::OK).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_failure_is_told_to_its_breaker_though_the_client_leaves_before_something_stood_in() {
    for cache in ["", "cache = { ttl = \"1m\" }"] {
        let (_broken, spare, program) = failing("1", cache).await;
        spare.hold();
        let mut client = TcpStream::connect(program.gateway).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        eventually("the spare is asked", async || (spare.asked() == 1).then_some(())).await;
        drop(client);
        eventually("its breaker opens", async || {
            let breakers = get(program.console, "/api/breakers").await.json();
            breakers.as_array().unwrap().iter().any(|one| one["trips"] == 1).then_some(())
        })
        .await;
        eventually("the request is over", async || {
            let metrics = get(program.console, "/api/metrics").await.json();
            (metrics["totals"]["abandoned"] == 1).then_some(())
        })
        .await;
        spare.release();
    }
}

#[tokio::test]
async fn who_waited_for_a_load_that_failed_is_answered_by_what_stands_in() {
    let (broken, spare, program) = failing("1000", "cache = { ttl = \"1m\" }").await;
    broken.hold();
    let asked: Vec<_> = (0..5).map(|_| tokio::spawn(get(program.gateway, "/"))).collect();
    eventually("one leads", async || (broken.asked() == 1).then_some(())).await;
    broken.release();
    for answer in asked {
        let answer = answer.await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"spare"[..]));
    }
    // Asked once for all of them.
    assert_eq!((broken.asked(), spare.asked()), (1, 1));
    let totals = get(program.console, "/api/metrics").await.json()["totals"].clone();
    assert_eq!(totals["fallbacks"], 5, "{totals}");
    // Both down: what the upstream said.
    spare.behave(Behaviour::Status(502));
    let answer = get(program.gateway, "/").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::INTERNAL_SERVER_ERROR, &b"u"[..]));
    let mut client = TcpStream::connect(program.gateway).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    assert!(said.contains("x-cache: MISS"), "{said}");
}

async fn total(program: &Program, name: &str) -> u64 {
    get(program.console, "/api/metrics").await.json()["totals"][name].as_u64().unwrap()
}

/// Waits until so many requests are under way.
async fn under_way(program: &Program, count: usize) {
    eventually("all are there", async || {
        let scraped = get(program.console, "/api/monitoring/metrics").await;
        let scraped = String::from_utf8(scraped.body.to_vec()).unwrap();
        scraped.contains(&format!("rad_requests_in_flight {count}\n")).then_some(())
    })
    .await;
}

/// Five equal requests of which one asks the upstream, which fails when all are there.
async fn five_at_once(broken: &Upstream, program: &Program) -> Vec<tokio::task::JoinHandle<Answer>> {
    broken.hold();
    let asked = (0..5).map(|_| tokio::spawn(get(program.gateway, "/"))).collect();
    eventually("one leads", async || (broken.asked() == 1).then_some(())).await;
    under_way(program, 5).await;
    broken.release();
    asked
}

#[tokio::test]
async fn what_stands_in_is_asked_once_for_those_who_wait_though_the_first_of_them_leaves() {
    let (broken, spare, program) = failing("1000", "cache = { ttl = \"1m\" }").await;
    broken.hold();
    let mut leader = TcpStream::connect(program.gateway).await.unwrap();
    let head = format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", program.gateway);
    leader.write_all(head.as_bytes()).await.unwrap();
    eventually("one leads", async || (broken.asked() == 1).then_some(())).await;
    let follower = tokio::spawn(get(program.gateway, "/"));
    under_way(&program, 2).await;
    spare.hold();
    broken.release();
    eventually("the spare is asked", async || (spare.asked() == 1).then_some(())).await;
    drop(leader);
    eventually("the one who left is counted", async || {
        let metrics = get(program.console, "/api/metrics").await.json();
        (metrics["totals"]["abandoned"] == 1).then_some(())
    })
    .await;
    spare.release();
    let answer = follower.await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"spare"[..]));
    assert_eq!((broken.asked(), spare.asked()), (1, 1));
}

#[tokio::test]
async fn what_stands_in_for_one_alone_is_asked_by_each_and_what_fails_by_nobody_else() {
    let (broken, spare, program) = failing("1000", "cache = { ttl = \"1m\" }").await;
    spare.behave(Behaviour::Saying(&[("set-cookie", "session=1")]));
    for answer in five_at_once(&broken, &program).await {
        assert_eq!(answer.await.unwrap().body, "spare");
    }
    assert_eq!((broken.asked(), spare.asked()), (1, 5));
    let (broken, spare, program) = failing("1000", "cache = { ttl = \"1m\" }").await;
    spare.behave(Behaviour::Status(502));
    for answer in five_at_once(&broken, &program).await {
        let answer = answer.await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::INTERNAL_SERVER_ERROR, &b"u"[..]));
    }
    assert_eq!((broken.asked(), spare.asked()), (1, 1));
}

#[tokio::test]
async fn who_finds_no_place_is_given_the_fixed_answer_if_there_is_one() {
    for cache in ["", "cache = { ttl = \"1m\" }"] {
        let upstream = Upstream::start("u", Behaviour::Echo).await;
        let program = Program::start(&format!(
            "{}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\nqueue = {{ limit = 1, waiting = 0 }}\n\
             fallback = {{ status = 203, body = \"instead\", content_type = \"text/plain\" }}\n{cache}",
            upstream.table("u", "")
        ));
        upstream.hold();
        let first = tokio::spawn(get(program.gateway, "/first"));
        eventually("it is in flight", async || (upstream.asked() == 1).then_some(())).await;
        let answer = get(program.gateway, "/second").await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (203, &b"instead"[..]));
        upstream.release();
        assert_eq!(first.await.unwrap().body, "u");
        let totals = get(program.console, "/api/metrics").await.json()["totals"].clone();
        let counted = ["shed", "fallbacks", "answered"].map(|name| totals[name].as_u64().unwrap());
        assert_eq!(counted, [1, 1, 1]);
    }
}

#[tokio::test]
async fn a_fixed_answer_stands_in_for_an_upstream_that_is_not_there() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let program = Program::start(&format!(
        "[upstreams.u]\ntargets = [\"http://{nobody}\"]\n[[routes]]\npath = \"/\"\nupstream = \"u\"\n\
         limits = []\nfallback = {{ status = 203, body = '{{\"results\": []}}' }}"
    ));
    let answer = get(program.gateway, "/").await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (203, &br#"{"results": []}"#[..]));
    assert_eq!((total(&program, "fallbacks").await, total(&program, "failed").await), (1, 1));
}

#[tokio::test]
async fn another_upstream_stands_in_for_one_that_fails() {
    let (spare, broken) =
        (Upstream::start("spare", Behaviour::Echo).await, Upstream::start("u", Behaviour::Status(500)).await);
    let program = Program::start(&format!(
        "{}{}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\nfallback = {{ upstream = \"spare\" }}",
        broken.table("u", ""),
        spare.table("spare", "")
    ));
    let answer = get(program.gateway, "/").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"spare"[..]));
    let answer = post_json(program.gateway, "/", "said twice").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"said twice"[..]));
    assert_eq!((broken.asked(), spare.asked()), (2, 2));
    // Both down: the first one's answer.
    spare.behave(Behaviour::Status(502));
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn what_stood_in_for_an_answer_is_not_kept_as_one() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&format!(
        "{}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\ncache = {{ ttl = \"1m\" }}\n\
         fallback = {{ body = '{{\"results\": []}}' }}",
        upstream.table("u", "")
    ));
    upstream.behave(Behaviour::Status(500));
    let answer = get(program.gateway, "/").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &br#"{"results": []}"#[..]));
    upstream.behave(Behaviour::Echo);
    let answer = get(program.gateway, "/").await;
    assert_eq!((answer.header("x-cache"), &answer.body[..]), ("MISS", &b"u"[..]));
}
