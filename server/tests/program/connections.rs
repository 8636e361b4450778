//! What passes over one connection to an upstream, and when it may be used again.

use std::net::TcpListener;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, Behaviour, Program, Upstream, eventually, get, send};

const ROUTE: &str = "[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []";

/// One worker: all requests share its pool.
fn in_front_of(upstream: &Upstream) -> Program {
    let text = crate::support::configuration(&format!("{}{ROUTE}", upstream.table("u", "timeout = \"10s\"")));
    Program::with_text(&text.replace("workers = 2", "workers = 1"))
}

async fn scripted(script: &'static [&'static [u8]]) -> (Upstream, Program) {
    let upstream = Upstream::start("u", Behaviour::Script(script)).await;
    let program = in_front_of(&upstream);
    (upstream, program)
}

async fn ask(program: &Program, method: &str, body: &'static str) -> Answer {
    let request = Request::builder().method(method).uri("/").header("host", "x");
    send(program.gateway, request.body(Full::from(body)).unwrap()).await.unwrap()
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn a_request_that_an_idle_connection_swallowed_is_sent_again_on_a_new_one() {
    let (upstream, program) = scripted(&[OK]).await;
    for round in 0..4 {
        // The upstream reads every second request and closes: each must be answered nevertheless.
        assert_eq!(ask(&program, "GET", "").await.status, StatusCode::OK, "round {round}");
    }
    assert_eq!((upstream.connections(), upstream.asked()), (4, 7));
    let metrics = get(program.console, "/api/metrics").await.json();
    assert_eq!((&metrics["totals"]["answered"], &metrics["totals"]["failed"]), (&4.into(), &0.into()));
}

#[tokio::test]
async fn a_request_that_may_have_had_an_effect_is_not_sent_again() {
    let (upstream, program) = scripted(&[OK]).await;
    assert_eq!(ask(&program, "POST", "a").await.status, StatusCode::OK);
    assert_eq!(ask(&program, "POST", "b").await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(upstream.asked(), 2);
}

#[tokio::test]
async fn chunks_an_early_hint_and_an_empty_answer_leave_the_connection_usable() {
    let (upstream, program) = scripted(&[
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nA: b\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 None\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
        OK,
    ])
    .await;
    assert_eq!(ask(&program, "GET", "").await.body, "hello world");
    assert_eq!(ask(&program, "GET", "").await.status, StatusCode::NO_CONTENT);
    let head = ask(&program, "HEAD", "").await;
    assert_eq!((head.header("content-length"), head.body.len()), ("7", 0));
    assert_eq!(ask(&program, "GET", "").await.status, StatusCode::NOT_MODIFIED);
    assert_eq!(ask(&program, "POST", "x").await.body, "ok");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn what_an_upstream_says_too_much_answers_nobody_elses_request() {
    let (upstream, program) = scripted(&[
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ])
    .await;
    for _ in 0..3 {
        assert_eq!(ask(&program, "GET", "").await.body, "ok");
    }
    assert_eq!(upstream.connections(), 3);
}

#[tokio::test]
async fn a_body_without_a_length_ends_with_its_connection() {
    let (upstream, program) = scripted(&[b"HTTP/1.0 200 OK\r\n\r\nall of it"]).await;
    let (ended, answer) = (upstream.clone(), ask(&program, "GET", ""));
    let (answer, ()) = tokio::join!(answer, async {
        eventually("it is asked", async || (ended.asked() == 1).then_some(())).await;
        ended.hang_up();
    });
    assert_eq!(answer.body, "all of it");
}

#[tokio::test]
async fn an_answer_whose_end_cannot_be_known_is_502() {
    const SCRIPTS: [&[&[u8]]; 3] = [
        &[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!"],
        &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
        &[b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
    ];
    for script in SCRIPTS {
        let upstream = Upstream::start("u", Behaviour::Script(script)).await;
        let program = in_front_of(&upstream);
        assert_eq!(ask(&program, "GET", "").await.status, StatusCode::BAD_GATEWAY);
    }
}

#[tokio::test]
async fn a_broken_chunk_breaks_the_answer_off_and_never_looks_whole() {
    let (_upstream, program) =
        scripted(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n"]).await;
    let request = Request::get("/").body(Full::<Bytes>::default()).unwrap();
    assert!(send(program.gateway, request).await.is_err());
}

#[tokio::test]
async fn both_directions_stream_at_once() {
    let upstream = Upstream::start("u", Behaviour::Parrot).await;
    let program = in_front_of(&upstream);
    let mut stream = TcpStream::connect(program.gateway).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let mut read = String::new();
    for word in ["one", "two", "three"] {
        // The answer's part comes before the request's next one is sent.
        stream.write_all(format!("{:x}\r\n{word}\r\n", word.len()).as_bytes()).await.unwrap();
        while !read.contains(word) {
            let mut part = [0; 1_024];
            let length = stream.read(&mut part).await.unwrap();
            assert_ne!(length, 0, "{read}");
            read.push_str(std::str::from_utf8(&part[..length]).unwrap());
        }
    }
}

async fn counts(program: &Program, name: &str) -> u64 {
    get(program.console, "/api/metrics").await.json()["totals"][name].as_u64().unwrap()
}

#[tokio::test]
async fn a_client_that_pauses_its_upload_is_no_failure_of_an_upstream_that_answers_already() {
    let upstream = Upstream::start("u", Behaviour::Parrot).await;
    let program = Program::start(&format!("{}{ROUTE}", upstream.table("u", "timeout = \"300ms\"")));
    for _ in 0..6 {
        let mut stream = TcpStream::connect(program.gateway).await.unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
        let mut read = Vec::new();
        let _ = stream.read_to_end(&mut read).await;
        assert!(read.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&read));
    }
    assert_eq!((counts(&program, "abandoned").await, counts(&program, "failed").await), (6, 0));
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_upstream_has_its_whole_time_after_the_last_part_of_a_slow_upload() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&format!("{}{ROUTE}", upstream.table("u", "timeout = \"600ms\"")));
    let mut stream = TcpStream::connect(program.gateway).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\n").await.unwrap();
    // Parts that come in time, for longer than the whole of the time.
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(150));
    for _ in 0..8 {
        pace.tick().await;
        stream.write_all(b"x").await.unwrap();
    }
    let mut said = [0; 12];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 200");
    assert_eq!(counts(&program, "failed").await, 0);
}

#[tokio::test]
async fn what_cannot_be_passed_on_rightly_is_refused() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = in_front_of(&upstream);
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: u:p@a\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"),
        ("CONNECT http://a/ HTTP/1.1\r\nhost: a\r\n\r\n", "501"),
    ] {
        let mut stream = TcpStream::connect(program.gateway).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut said = [0; 12];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said[9..], status.as_bytes(), "{request}");
    }
    assert_eq!(upstream.asked(), 0);
}

#[tokio::test]
async fn the_host_in_the_address_counts_before_the_header_and_no_path_means_the_root() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = in_front_of(&upstream);
    let mut stream = TcpStream::connect(program.gateway).await.unwrap();
    stream.write_all(b"GET http://real.example?x=1 HTTP/1.1\r\nhost: other.example\r\n\r\n").await.unwrap();
    let mut said = [0; 12];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 200");
    assert_eq!(
        (upstream.last().path.as_str(), &upstream.last().headers["host"]),
        ("/?x=1", &"real.example".parse().unwrap())
    );
}

#[tokio::test]
async fn a_post_that_an_idle_connection_swallowed_does_not_count_against_the_target() {
    let (_upstream, program) = scripted(&[OK]).await;
    for _ in 0..6 {
        assert_eq!(ask(&program, "POST", "a").await.status, StatusCode::OK);
        assert_eq!(ask(&program, "POST", "b").await.status, StatusCode::BAD_GATEWAY);
    }
    assert_eq!(get(program.console, "/api/breakers").await.json()[0]["trips"], 0);
}

#[tokio::test]
async fn hints_without_end_are_no_answer() {
    static HINTS: std::sync::LazyLock<&'static [u8]> =
        std::sync::LazyLock::new(|| "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(200).leak().as_bytes());
    let script: &'static [&'static [u8]] = vec![*HINTS].leak();
    let upstream = Upstream::start("u", Behaviour::Script(script)).await;
    let program = in_front_of(&upstream);
    assert_eq!(ask(&program, "GET", "").await.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_whole_reaches_the_client() {
    let upstream = Upstream::start(
        "u",
        Behaviour::Script(&[b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfull"]),
    )
    .await;
    let program = in_front_of(&upstream);
    let mut stream = TcpStream::connect(program.gateway).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nsome").await.unwrap();
    let mut read = String::new();
    while !read.ends_with("full") {
        let mut part = [0; 1_024];
        let length = stream.read(&mut part).await.unwrap();
        assert_ne!(length, 0, "{read}");
        read.push_str(std::str::from_utf8(&part[..length]).unwrap());
    }
    assert!(read.starts_with("HTTP/1.1 413"), "{read}");
}

#[tokio::test]
async fn a_target_that_is_not_reached_is_passed_over() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let table = format!("[upstreams.u]\ntargets = [\"http://{nobody}\", \"http://{}\"]\n", upstream.address);
    let program = Program::start(&format!("{table}{ROUTE}"));
    for _ in 0..20 {
        assert_eq!(ask(&program, "POST", "order").await.status, StatusCode::OK);
    }
    assert_eq!(upstream.asked(), 20);
    let breakers = get(program.console, "/api/breakers").await.json();
    // The one that nobody answers has tripped, once, and no client has noticed.
    assert_eq!((&breakers[0]["trips"], &breakers[1]["trips"]), (&1.into(), &0.into()));
}

#[tokio::test]
async fn another_spelling_of_a_path_does_not_get_around_its_limits() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::start(&format!(
        "{}{ROUTE}\n[[routes]]\npath = \"/limited\"\nupstream = \"u\"\nlimits = [\"2/minute\"]\nrewrite = \"/v2\"",
        upstream.table("u", "")
    ));
    assert_eq!(get(program.gateway, "/limited/x").await.status, StatusCode::OK);
    assert_eq!(get(program.gateway, "//l%69mited//x%20y").await.status, StatusCode::OK);
    assert_eq!(upstream.last().path, "/v2//x%20y");
    for path in ["/limited", "//limited", "/%6cimited/x", "///%6C%69mited"] {
        assert_eq!(get(program.gateway, path).await.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
    assert_eq!(get(program.gateway, "//other%2Fpart").await.status, StatusCode::OK);
    assert_eq!(upstream.last().path, "//other%2Fpart");
}

#[tokio::test]
async fn half_a_request_does_not_delay_a_shutdown() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let mut program = in_front_of(&upstream);
    let mut half = TcpStream::connect(program.gateway).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
    let mut idle = TcpStream::connect(program.gateway).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut said = [0; 15];
    idle.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 200 OK");
    let started = std::time::Instant::now();
    program.signal("-TERM");
    assert!(tokio::task::spawn_blocking(move || program.wait()).await.unwrap().success());
    // Requests under way would have had 25 s.
    assert!(started.elapsed().as_secs() < 15, "{:?}", started.elapsed());
}
