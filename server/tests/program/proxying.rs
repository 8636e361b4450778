use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::support::{Behaviour, Program, Upstream, get, get_with, send};

async fn echo(more: &str) -> (Upstream, Program) {
    let upstream = Upstream::start("echo", Behaviour::Echo).await;
    let route = "[[routes]]\npath = \"/\"\nupstream = \"echo\"\nlimits = []";
    let program = Program::start(&format!("{}\n{route}\n{more}", upstream.table("echo", "")));
    (upstream, program)
}

#[tokio::test]
async fn a_request_reaches_the_upstream_and_its_answer_comes_back() {
    let (upstream, program) = echo("").await;
    let answer = get(program.gateway, "/some/path?with=query").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"echo"[..]));
    assert_eq!(answer.header("x-served-by"), "echo");
    assert_eq!(upstream.last().path, "/some/path?with=query");
}

#[tokio::test]
async fn a_large_body_passes_both_ways_unchanged() {
    let (upstream, program) = echo("").await;
    let body: Bytes = (0..5_000_000_u32).map(|at| (at % 251).to_le_bytes()[0]).collect();
    let request = Request::post("/upload").body(Full::from(body.clone())).unwrap();
    let answer = send(program.gateway, request).await.unwrap();
    assert_eq!(answer.body, body);
    assert_eq!(upstream.last().body, body);
}

#[tokio::test]
async fn the_upstream_learns_who_asks_and_nothing_of_the_connection() {
    let (upstream, program) = echo("").await;
    let sent = [
        ("x-forwarded-for", "203.0.113.7"),
        ("connection", "keep-alive, x-secret"),
        ("x-secret", "1"),
        ("te", "trailers"),
        ("proxy-authorization", "Basic Zm9v"),
        ("authorization", "Bearer stays"),
    ];
    let answer = get_with(program.gateway, "/", &sent).await;
    let asked = upstream.last().headers;
    assert_eq!(asked["x-forwarded-for"], "203.0.113.7, 127.0.0.1");
    assert_eq!(
        asked["host"],
        program.gateway.to_string(),
        "the upstream must build addresses from what the client asked"
    );
    assert_eq!(asked["authorization"], "Bearer stays");
    for gone in ["connection", "x-secret", "te", "proxy-authorization"] {
        assert!(!asked.contains_key(gone), "{gone} went through");
    }
    assert!(
        !answer.headers.contains_key("x-private"),
        "a header that the upstream's Connection names came back"
    );
}

#[tokio::test]
async fn a_request_id_is_kept_or_made_and_both_sides_see_the_same() {
    let (upstream, program) = echo("").await;
    let answer = get_with(program.gateway, "/", &[("x-request-id", "mine-1")]).await;
    assert_eq!(answer.header("x-request-id"), "mine-1");
    assert_eq!(upstream.last().headers["x-request-id"], "mine-1");
    let answer = get(program.gateway, "/").await;
    assert_eq!(answer.header("x-request-id").len(), 32);
    assert_eq!(upstream.last().headers["x-request-id"], answer.header("x-request-id"));
}

#[tokio::test]
async fn the_longest_prefix_wins_and_an_unknown_path_is_404_json() {
    let (a, b) = (Upstream::start("a", Behaviour::Echo).await, Upstream::start("b", Behaviour::Echo).await);
    let program = Program::start(&format!(
        "{}{}[[routes]]\npath = \"/x\"\nupstream = \"a\"\n[[routes]]\npath = \"/x/y\"\nupstream = \"b\"\nrewrite = \"/z\"",
        a.table("a", ""),
        b.table("b", "")
    ));
    assert_eq!(get(program.gateway, "/x/other").await.header("x-served-by"), "a");
    assert_eq!(get(program.gateway, "/x/y/1?q").await.header("x-served-by"), "b");
    assert_eq!(b.last().path, "/z/1?q");
    let answer = get(program.gateway, "/xy").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.json()["status_code"], 404);
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn connections_to_the_upstream_are_used_again() {
    let (upstream, program) = echo("").await;
    for _ in 0..40 {
        get(program.gateway, "/").await;
    }
    // At most one a worker: each client connection may land on either.
    assert!(upstream.connections() <= 2, "{} connections for 40 requests", upstream.connections());
}

#[tokio::test]
async fn http_2_clients_are_served_on_the_same_port() {
    let (upstream, program) = echo("").await;
    let stream = TcpStream::connect(program.gateway).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("http://{}/h2?x", program.gateway)).version(Version::HTTP_2);
    let answer = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "echo");
    assert_eq!(upstream.last().path, "/h2?x");
    // What the gateway says itself has no content either, when only its head is asked for.
    let request = Request::head(format!("http://{}/a/../b", program.gateway)).version(Version::HTTP_2);
    let answer = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_ne!(answer.headers()["content-length"], "0");
    assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
}
