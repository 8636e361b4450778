//! Bodies of requests that come in chunks, on routes where small ones are kept.

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Behaviour, Program, Upstream, get};

fn in_front_of(upstream: &Upstream, of_route: &str) -> Program {
    let table = upstream.table("u", "timeout = \"5s\"");
    Program::start(&format!("{table}[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []\n{of_route}"))
}

fn chunk(data: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

/// Begins a request with a body in chunks.
async fn begin(program: &Program, method: &str) -> TcpStream {
    let mut client = TcpStream::connect(program.gateway).await.unwrap();
    let head =
        format!("{method} / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    client
}

async fn ask(program: &Program, method: &str, chunks: &[&[u8]]) -> String {
    let mut client = begin(program, method).await;
    for data in chunks {
        client.write_all(&chunk(data)).await.unwrap();
    }
    client.write_all(b"0\r\n\r\n").await.unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    said
}

#[tokio::test]
async fn a_small_body_in_chunks_is_a_part_of_the_key_and_a_large_one_passes_as_it_comes() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = in_front_of(&upstream, "cache = { ttl = \"1m\", methods = [\"POST\"] }");
    for (chunks, how) in
        [([&b"{\"q\":"[..], b"1}"], "MISS"), ([b"{\"q\"", b":1}"], "HIT"), ([b"{\"q\":", b"2}"], "MISS")]
    {
        let said = ask(&program, "POST", &chunks).await;
        assert!(said.contains(&format!("x-cache: {how}")), "{said}");
        assert!(said.ends_with(&String::from_utf8(chunks.concat()).unwrap()), "{said}");
    }
    assert_eq!(upstream.asked(), 2);
    let large = [b'x'; 50_000];
    for asked in 3..=4 {
        let said = ask(&program, "POST", &[&large, &large]).await;
        assert!(said.ends_with(&"x".repeat(100_000)) && !said.contains("x-cache"), "{}", &said[..200]);
        assert_eq!((upstream.asked(), upstream.last().body.len()), (asked, 100_000));
    }
}

#[tokio::test]
async fn a_small_body_in_chunks_is_said_again_and_a_large_one_is_not() {
    const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n";
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let upstream = Upstream::start("u", Behaviour::Script(&[UNAVAILABLE, OK])).await;
    let program = in_front_of(&upstream, "retry = { base = \"1ms\" }");
    let said = ask(&program, "PUT", &[b"a", b"b"]).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert_eq!(upstream.asked(), 2);
    let upstream = Upstream::start("u", Behaviour::Status(503)).await;
    let program = in_front_of(&upstream, "retry = { base = \"1ms\" }");
    let said = ask(&program, "PUT", &[&[b'x'; 40_000], &[b'x'; 40_000]]).await;
    assert!(said.starts_with("HTTP/1.1 503"), "{}", &said[..100]);
    assert_eq!((upstream.asked(), upstream.last().body.len()), (1, 80_000));
}

#[tokio::test]
async fn parts_that_are_waited_for_at_the_other_side_pass_though_the_body_has_not_ended() {
    let upstream = Upstream::start("u", Behaviour::Parrot).await;
    let program = in_front_of(&upstream, "retry = { base = \"1ms\" }");
    let mut client = begin(&program, "POST").await;
    let mut said = Vec::new();
    for part in ["first", "second", "third"] {
        client.write_all(&chunk(part.as_bytes())).await.unwrap();
        while !said.ends_with(format!("{part}\r\n").as_bytes()) {
            assert!(client.read_buf(&mut said).await.unwrap() > 0, "it broke off before {part}");
        }
    }
    client.write_all(b"0\r\n\r\n").await.unwrap();
    client.read_to_end(&mut said).await.unwrap();
    assert!(said.ends_with(b"0\r\n\r\n"));
    assert_eq!(get(program.gateway, "/").await.status, StatusCode::OK);
}
