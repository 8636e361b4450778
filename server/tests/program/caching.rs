//! What is kept, who waits for whom, and what that may cost.

use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Behaviour, Program, Upstream, eventually, get, get_with, send};

/// One route `/` with this added to it, before the tables of `tables`.
async fn routed(behaviour: Behaviour, tables: &str, more: &str) -> (Upstream, Program) {
    let upstream = Upstream::start("u", behaviour).await;
    let table = upstream.table("u", "timeout = \"10s\"\nbreaker = { consecutive_failures = 1000 }");
    let route = format!("[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\n{more}");
    let program = Program::start(&format!("{tables}\n{table}{route}"));
    (upstream, program)
}

const ONE_MINUTE: &str = "cache = { ttl = \"1m\" }";

/// Asks on a connection of its own, and reads until so much of the answer is there.
async fn ask_and_read(program: &Program, path: &str, until: usize) -> (TcpStream, Vec<u8>) {
    let mut client = TcpStream::connect(program.gateway).await.unwrap();
    // Requests to another host are not equal ones.
    let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", program.gateway);
    client.write_all(head.as_bytes()).await.unwrap();
    let mut said = vec![0; 0];
    while said.len() < until {
        assert!(client.read_buf(&mut said).await.unwrap() > 0, "it broke off after {}", said.len());
    }
    (client, said)
}

async fn asked_once(upstream: &Upstream) {
    eventually("the upstream is asked", async || (upstream.asked() == 1).then_some(())).await;
}

async fn total(program: &Program, name: &str) -> u64 {
    get(program.console, "/api/metrics").await.json()["totals"][name].as_u64().unwrap()
}

#[tokio::test]
async fn who_finds_an_answer_here_or_on_its_way_needs_no_place() {
    let more = format!("queue = {{ limit = 1, waiting = 0 }}\n{ONE_MINUTE}");
    let (upstream, program) = routed(Behaviour::Echo, "", &more).await;
    assert_eq!(get(program.gateway, "/kept").await.header("x-cache"), "MISS");
    upstream.hold();
    let asked: Vec<_> = (0..5).map(|_| tokio::spawn(get(program.gateway, "/coming"))).collect();
    eventually("one is in flight", async || (upstream.asked() == 2).then_some(())).await;
    assert_eq!(get(program.gateway, "/kept").await.header("x-cache"), "HIT");
    let shed = get(program.gateway, "/another").await;
    assert_eq!((shed.status, shed.number("retry-after") >= 1), (StatusCode::SERVICE_UNAVAILABLE, true));
    upstream.release();
    for answer in asked {
        assert_eq!(answer.await.unwrap().status, StatusCode::OK);
    }
    assert_eq!(upstream.asked(), 2);
    assert_eq!((total(&program, "shed").await, total(&program, "answered").await), (1, 7));
}

#[tokio::test]
async fn a_load_goes_on_when_its_asker_leaves_in_the_middle_of_the_answer() {
    let (upstream, program) = routed(Behaviour::Halves(1_000), "", ONE_MINUTE).await;
    upstream.hold();
    // It has the first half, as soon as that is here.
    let (leader, said) = ask_and_read(&program, "/", 500).await;
    assert!(said.starts_with(b"HTTP/1.1 200"));
    let follower = tokio::spawn(get(program.gateway, "/"));
    drop(leader);
    // Long enough for the gateway to see it go: another request of another client has been through.
    assert_eq!(get(program.console, "/health").await.status, StatusCode::OK);
    upstream.release();
    let answer = follower.await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 1_000));
    assert_eq!(get(program.gateway, "/").await.header("x-cache"), "HIT");
    assert_eq!(upstream.asked(), 1);
}

#[tokio::test]
async fn a_load_goes_on_when_its_asker_leaves_before_the_answer_and_is_counted_as_abandoned() {
    let (upstream, program) = routed(Behaviour::Echo, "", ONE_MINUTE).await;
    upstream.hold();
    let (leader, _) = ask_and_read(&program, "/", 0).await;
    asked_once(&upstream).await;
    drop(leader);
    let follower = tokio::spawn(get(program.gateway, "/"));
    tokio::time::timeout(std::time::Duration::from_millis(200), async {
        while upstream.asked() == 1 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect_err("nobody asks once more");
    upstream.release();
    assert_eq!(follower.await.unwrap().header("x-cache"), "COALESCED");
    assert_eq!(get(program.gateway, "/").await.header("x-cache"), "HIT");
    assert_eq!(upstream.asked(), 1);
    assert_eq!((total(&program, "abandoned").await, total(&program, "answered").await), (1, 2));
}

#[tokio::test]
async fn equal_requests_for_what_is_not_to_be_shared_go_side_by_side() {
    const OWN: Behaviour = Behaviour::Saying(&[("cache-control", "no-store")]);
    let (upstream, program) = routed(OWN, "", ONE_MINUTE).await;
    upstream.hold();
    let mut asked: Vec<_> = (0..20).map(|_| tokio::spawn(get(program.gateway, "/"))).collect();
    asked_once(&upstream).await;
    // The first answer tells all the others that they have to ask for themselves.
    upstream.release_one();
    eventually("all others are there at once", async || (upstream.at_once() == 19).then_some(())).await;
    // From now on nobody waits for anybody.
    asked.extend((0..20).map(|_| tokio::spawn(get(program.gateway, "/"))));
    eventually("and those who come now", async || (upstream.at_once() == 39).then_some(())).await;
    upstream.release();
    for answer in asked {
        assert_eq!(answer.await.unwrap().status, StatusCode::OK);
    }
    assert_eq!(upstream.asked(), 40);
}

#[tokio::test]
async fn an_answer_for_which_there_is_no_room_passes_through_and_is_not_kept() {
    let tables = "[cache]\nmax_collecting_mib = 1\nmax_entry_kib = 1024";
    let (upstream, program) = routed(Behaviour::Halves(600_000), tables, ONE_MINUTE).await;
    upstream.hold();
    let (mut first, mut said) = ask_and_read(&program, "/first", 300_000).await;
    let (mut second, passed) = ask_and_read(&program, "/second", 300_000).await;
    let head = |said: &[u8]| String::from_utf8_lossy(&said[..300]).into_owned();
    assert!(head(&said).contains("x-cache: MISS") && !head(&passed).contains("x-cache"));
    upstream.release();
    for (client, said) in [(&mut first, &mut said), (&mut second, &mut { passed })] {
        while said.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4 + 600_000 > said.len() {
            assert!(client.read_buf(said).await.unwrap() > 0);
        }
    }
    assert_eq!(get(program.gateway, "/first").await.header("x-cache"), "HIT");
    let again = get(program.gateway, "/second").await;
    assert_eq!((again.header("x-cache"), again.body.len()), ("MISS", 600_000));
    assert!((0..600_000).all(|at| again.body[at] == (at % 251).to_le_bytes()[0]));
    assert_eq!(upstream.asked(), 3);
}

#[tokio::test]
async fn an_answer_that_turns_out_too_long_reaches_its_asker_whole() {
    let tables = "[cache]\nmax_entry_kib = 100";
    let (upstream, program) = routed(Behaviour::HalvesInChunks(150_000), tables, ONE_MINUTE).await;
    upstream.hold();
    let asked: Vec<_> = (0..3).map(|_| tokio::spawn(get(program.gateway, "/"))).collect();
    asked_once(&upstream).await;
    upstream.release();
    for answer in asked {
        let answer = answer.await.unwrap();
        assert_eq!(answer.body.len(), 150_000);
        assert!((0..150_000).all(|at| answer.body[at] == (at % 251).to_le_bytes()[0]));
    }
    assert_eq!(upstream.asked(), 3);
    // One that fits is kept, of whatever framing.
    let (_upstream, program) = routed(Behaviour::HalvesInChunks(90_000), tables, ONE_MINUTE).await;
    assert_eq!(get(program.gateway, "/").await.body.len(), 90_000);
    let again = get(program.gateway, "/").await;
    assert_eq!((again.header("x-cache"), again.body.len()), ("HIT", 90_000));
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_so_for_its_asker_and_is_not_kept() {
    let (upstream, program) = routed(Behaviour::BreakOff, "", ONE_MINUTE).await;
    for asked in 1..=2 {
        let request = Request::get("/").body(Full::default()).unwrap();
        // Unless the end came with the beginning: then it can be said.
        if let Ok(answer) = send(program.gateway, request).await {
            assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
        }
        assert_eq!(upstream.asked(), asked);
    }
    assert_eq!(total(&program, "failed").await, 2);
}

#[tokio::test]
async fn the_upstream_may_shorten_what_the_route_says_and_say_what_it_does_not() {
    let old = &[("cache-control", "max-age=60"), ("age", "60")];
    let (upstream, program) = routed(Behaviour::Saying(old), "", ONE_MINUTE).await;
    for _ in 0..2 {
        let answer = get(program.gateway, "/old").await;
        let is_hit = answer.headers.get("x-cache").is_some_and(|cache| cache != "MISS");
        assert_eq!((answer.status, is_hit), (StatusCode::OK, false));
    }
    assert_eq!(upstream.asked(), 2);
    upstream.behave(Behaviour::Saying(&[("cache-control", "max-age=60"), ("age", "7")]));
    assert_eq!(get(program.gateway, "/young").await.header("x-cache"), "MISS");
    let kept = get(program.gateway, "/young").await;
    assert_eq!(kept.header("x-cache"), "HIT");
    assert!((7..60).contains(&kept.number("age")), "{kept:?}");

    const LASTS: Behaviour = Behaviour::Saying(&[("cache-control", "stale-if-error=600")]);
    let (upstream, program) = routed(LASTS, "", "cache = { ttl = \"20ms\" }").await;
    assert_eq!(get(program.gateway, "/").await.header("x-cache"), "MISS");
    upstream.behave(Behaviour::Status(500));
    eventually("the answer is old, and there is no other", async || {
        (get(program.gateway, "/").await.header("x-cache") == "STALE").then_some(())
    })
    .await;
}

#[tokio::test]
async fn clients_that_a_route_counts_apart_are_not_given_each_others_answers() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let table = upstream.table("u", "timeout = \"10s\"");
    let route = format!(
        "[[routes]]\npath = \"/\"\nupstream = \"u\"\nkey = [\"client\", \"header:X-Tenant\"]\n{ONE_MINUTE}"
    );
    let program = Program::start(&format!("{table}{route}"));
    let mut found = Vec::new();
    for tenant in ["a", "b", "a"] {
        found
            .push(get_with(program.gateway, "/", &[("x-tenant", tenant)]).await.header("x-cache").to_owned());
    }
    assert_eq!(found, ["MISS", "MISS", "HIT"]);
    assert_eq!(upstream.asked(), 2);
}

#[tokio::test]
async fn what_the_upstream_has_replaced_does_not_come_back_when_it_fails() {
    let (upstream, program) =
        routed(Behaviour::Echo, "", "cache = { ttl = \"1ms\", stale_if_error = \"1h\" }").await;
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
    upstream.behave(Behaviour::Status(503));
    let stale = eventually("it is old", async || {
        let answer = get(program.gateway, "/").await;
        (answer.header("x-cache") == "STALE").then_some(answer)
    });
    assert_eq!(stale.await.status, StatusCode::OK);
    upstream.behave(Behaviour::Status(404));
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::NOT_FOUND);
    upstream.behave(Behaviour::Status(503));
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn too_many_requests_is_no_failure_that_something_stands_in_for() {
    let more = format!("{ONE_MINUTE}\nfallback = {{ status = 200, body = \"instead\" }}");
    let (upstream, program) = routed(Behaviour::Status(429), "", &more).await;
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::TOO_MANY_REQUESTS);
    upstream.behave(Behaviour::Status(500));
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_answer_that_has_expired_is_not_kept_and_one_that_has_not_is() {
    const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    const EXPIRED: Behaviour = Behaviour::Saying(&[DATE, ("expires", "0")]);
    let (upstream, program) = routed(EXPIRED, "", ONE_MINUTE).await;
    for asked in 1..=2 {
        assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
        assert_eq!(upstream.asked(), asked);
    }
    upstream.behave(Behaviour::Saying(&[DATE, ("expires", "Sun, 06 Nov 1994 09:49:37 GMT")]));
    assert_eq!(get(program.gateway, "/lives").await.header("x-cache"), "MISS");
    assert_eq!(get(program.gateway, "/lives").await.header("x-cache"), "HIT");
}

#[tokio::test]
async fn who_waits_for_an_answer_that_stops_to_come_waits_no_longer_than_for_one_of_its_own() {
    for (fallback, status) in [("", 504), ("fallback = { upstream = \"spare\" }", 200)] {
        let upstream = Upstream::start("u", Behaviour::StallInBody).await;
        let spare = Upstream::start("spare", Behaviour::Echo).await;
        let program = Program::start(&format!(
            "{}{}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\n{ONE_MINUTE}\n{fallback}",
            upstream.table("u", "timeout = \"1s\""),
            spare.table("spare", "")
        ));
        let (_leader, _) = ask_and_read(&program, "/", 1).await;
        let started = std::time::Instant::now();
        let waiting: Vec<_> = (0..3).map(|_| tokio::spawn(get(program.gateway, "/"))).collect();
        for answer in waiting {
            assert_eq!(answer.await.unwrap().status.as_u16(), status);
        }
        assert!(started.elapsed().as_millis() < 1_900, "{:?}", started.elapsed());
        assert_eq!((upstream.asked(), spare.asked()), (1, usize::from(status == 200)));
    }
}

#[tokio::test]
async fn who_waits_for_an_answer_that_comes_slowly_asks_for_itself_in_the_time_that_is_left() {
    let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let program = Program::start(&format!(
        "[upstreams.u]\ntargets = [\"http://{}\"]\ntimeout = \"2s\"\n\
         [[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\n{ONE_MINUTE}",
        upstream.local_addr().unwrap()
    ));
    let (_leader, (mut slow, _)) =
        tokio::join!(ask_and_read(&program, "/", 0), async { upstream.accept().await.unwrap() });
    slow.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    tokio::spawn(async move {
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(50));
        while slow.write_all(b"1\r\nx\r\n").await.is_ok() {
            pace.tick().await;
        }
    });
    let mut pace = tokio::time::interval(std::time::Duration::from_secs(1));
    pace.tick().await;
    pace.tick().await;
    let follower = tokio::spawn(get(program.gateway, "/"));
    let (mut fast, _) = upstream.accept().await.unwrap();
    fast.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    let answer = follower.await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"ok"[..]));
}
