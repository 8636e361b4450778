use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rad_model::{EventKind, Frame, Hello, Resume};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as RawFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::{Behaviour, Program, Upstream, eventually, get};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(program: &Program, query: &str, origin: Option<&str>) -> Result<Socket, Error> {
    let mut request = format!("ws://{}/ws{query}", program.console).into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "rad.v1+json".parse().unwrap());
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    Ok(tokio_tungstenite::connect_async(request).await?.0)
}

async fn frame(socket: &mut Socket) -> Frame {
    loop {
        let message =
            tokio::time::timeout(Duration::from_secs(5), socket.next()).await.expect("a frame in time");
        match message.expect("an open connection").expect("a message") {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            other => assert!(other.is_ping(), "{other:?}"),
        }
    }
}

async fn hello(socket: &mut Socket) -> Hello {
    match frame(socket).await {
        Frame::Hello(hello) => *hello,
        other => panic!("not hello: {other:?}"),
    }
}

async fn close_code(socket: &mut Socket) -> u16 {
    loop {
        if let Message::Close(close) = socket.next().await.expect("a close").expect("a message") {
            return close.expect("a code").code.into();
        }
    }
}

fn text_frame(bytes: &[u8], is_last: bool) -> Message {
    Message::Frame(RawFrame::message(bytes.to_vec(), OpCode::Data(Data::Text), is_last))
}

async fn program(behaviour: Behaviour) -> (Upstream, Program) {
    let upstream = Upstream::start("u", behaviour).await;
    let route = "[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = [\"1000/minute\"]";
    let program = Program::start(&format!("{}{route}", upstream.table("u", "")));
    (upstream, program)
}

#[tokio::test]
async fn a_client_is_greeted_with_everything_and_then_told_each_second() {
    let (_upstream, program) = program(Behaviour::Echo).await;
    let mut socket = connect(&program, "", None).await.unwrap();
    let Hello { seq, resume, interval_ms, .. } = hello(&mut socket).await;
    let Resume::Snapshot(snapshot) = resume else { panic!("no snapshot") };
    assert_eq!((interval_ms, snapshot.topology.breakers[0].name.as_str()), (1_000, "u"));
    for _ in 0..7 {
        get(program.gateway, "/").await;
    }
    let mut answered = 0;
    let mut last = seq;
    while answered < 7 {
        if let Frame::Tick(tick) = frame(&mut socket).await {
            assert_eq!(tick.seq, last + 1);
            last = tick.seq;
            answered += tick.totals.answered;
        }
    }
    assert_eq!(answered, 7);
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_and_nothing_twice() {
    let (_upstream, program) = program(Behaviour::Echo).await;
    let mut first = connect(&program, "", None).await.unwrap();
    let Hello { epoch, seq, .. } = hello(&mut first).await;
    let Frame::Tick(tick) = frame(&mut first).await else { panic!("not a tick") };
    assert_eq!(tick.seq, seq + 1);
    drop(first);
    let mut watcher = connect(&program, "", None).await.unwrap();
    hello(&mut watcher).await;
    frame(&mut watcher).await;
    let mut again = connect(&program, &format!("?epoch={epoch}&seq={}", tick.seq), None).await.unwrap();
    let hello = hello(&mut again).await;
    let Resume::Missed(frames) = hello.resume else { panic!("a snapshot instead of what was missed") };
    let seqs: Vec<_> = frames.iter().filter_map(Frame::seq).collect();
    assert_eq!(seqs, (tick.seq + 1..=hello.seq).collect::<Vec<_>>());
    assert!(!seqs.is_empty());
}

#[tokio::test]
async fn an_unknown_epoch_gets_a_snapshot_and_a_malformed_number_an_error() {
    let (_upstream, program) = program(Behaviour::Echo).await;
    let mut socket = connect(&program, "?epoch=other&seq=3", None).await.unwrap();
    assert!(matches!(hello(&mut socket).await.resume, Resume::Snapshot(_)));
    let refused = connect(&program, "?epoch=other&seq=three", None).await.unwrap_err();
    assert!(matches!(refused, Error::Http(answer) if answer.status() == 400));
}

#[tokio::test]
async fn a_breaker_that_opens_is_told_at_once_with_its_reason() {
    let (_upstream, program) = program(Behaviour::Status(500)).await;
    let mut socket = connect(&program, "", None).await.unwrap();
    hello(&mut socket).await;
    for _ in 0..5 {
        get(program.gateway, "/").await;
    }
    loop {
        if let Frame::Event(event) = frame(&mut socket).await {
            let EventKind::BreakerOpened { breaker, .. } = event.kind else { continue };
            assert_eq!(breaker, "u");
            break;
        }
    }
}

#[tokio::test]
async fn a_malformed_message_ends_its_own_connection_with_a_code_and_no_other() {
    let (_upstream, program) = program(Behaviour::Echo).await;
    let mut bystander = connect(&program, "", None).await.unwrap();
    hello(&mut bystander).await;
    let messages = [
        (Message::text("not json"), 1007),
        (Message::text(r#"{"type":"shout"}"#), 1007),
        (Message::text(r#"{"type":"report","attempts":-1}"#), 1007),
        (Message::binary(vec![1, 2, 3]), 1003),
        (Message::text("x".repeat(8 << 10 | 1)), 1009),
        (Message::text("x".repeat(20_000)), 1009),
        (Message::text("x".repeat(3 << 20)), 1009),
        (Message::binary(vec![0; 20_000]), 1009),
        (text_frame(b"\xff\xfe", true), 1007),
        (text_frame(b"{\"type\": \xe2\x82", true), 1007),
        (Message::Frame(RawFrame::message(Vec::new(), OpCode::Data(Data::Reserved(3)), true)), 1002),
    ];
    let sent = messages.len();
    for (message, code) in messages {
        let mut socket = connect(&program, "", None).await.unwrap();
        hello(&mut socket).await;
        socket.send(message.clone()).await.unwrap();
        let told = tokio::time::timeout(Duration::from_secs(5), close_code(&mut socket)).await;
        assert_eq!(told.expect("a close in time"), code, "{} bytes", message.len());
    }
    frame(&mut bystander).await;
    frame(&mut bystander).await;
    let counted = get(program.console, "/api/metrics").await.json()["websocket"]["malformed"].clone();
    assert_eq!(counted, sent);
}

#[tokio::test]
async fn a_message_in_parts_is_measured_as_a_whole() {
    let (_upstream, program) = program(Behaviour::Echo).await;
    let mut socket = connect(&program, "", None).await.unwrap();
    hello(&mut socket).await;
    socket.send(text_frame(&[b'x'; 5_000], false)).await.unwrap();
    let rest = RawFrame::message(vec![b'x'; 5_000], OpCode::Data(Data::Continue), true);
    socket.send(Message::Frame(rest)).await.unwrap();
    assert_eq!(close_code(&mut socket).await, 1009);
}

#[tokio::test]
async fn a_connection_that_is_cut_is_no_malformed_message() {
    let (_upstream, program) = program(Behaviour::Echo).await;
    let mut socket = connect(&program, "", None).await.unwrap();
    hello(&mut socket).await;
    drop(socket);
    eventually("the connection is gone", async || {
        let counted = get(program.console, "/api/metrics").await.json()["websocket"].clone();
        (counted["connected"] == 0).then(|| assert_eq!(counted["malformed"], 0))
    })
    .await;
}

#[tokio::test]
async fn what_clients_report_of_their_attempts_is_added_up() {
    let (_upstream, program) = program(Behaviour::Echo).await;
    let mut socket = connect(&program, "", None).await.unwrap();
    hello(&mut socket).await;
    let report = r#"{"type":"report","attempts":3,"connected_ms":5000,"delays_ms":[900,1600]}"#;
    socket.send(Message::text(report)).await.unwrap();
    eventually("the report is counted", async || {
        let counted = get(program.console, "/api/metrics").await.json()["websocket"].clone();
        (counted["attempts"] == 3 && counted["delay_ms_sum"] == 2_500 && counted["connected"] == 1)
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_site_is_not_connected() {
    let (_upstream, program) = program(Behaviour::Echo).await;
    let own = format!("http://{}", program.console);
    assert!(connect(&program, "", Some(&own)).await.is_ok());
    let refused = connect(&program, "", Some("http://evil.example")).await.unwrap_err();
    assert!(matches!(refused, Error::Http(answer) if answer.status() == 403));
}

#[tokio::test]
async fn before_a_restart_the_server_says_goodbye_and_when_to_come_back() {
    let (_upstream, mut program) = program(Behaviour::Echo).await;
    let mut socket = connect(&program, "", None).await.unwrap();
    hello(&mut socket).await;
    program.signal("-TERM");
    loop {
        match frame(&mut socket).await {
            Frame::Bye(bye) => {
                let (from, to) = bye.reconnect_ms.expect("a window");
                assert!(from < to);
                break;
            }
            Frame::Tick(_) | Frame::Event(_) => {}
            other @ Frame::Hello(_) => panic!("{other:?}"),
        }
    }
    assert_eq!(close_code(&mut socket).await, 1012);
    assert!(program.wait().success());
}
