use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::net::TcpStream;

use crate::support::{Behaviour, Program, Upstream, configuration, eventually, failing_start, get, send};

#[tokio::test]
async fn health_is_200_while_traffic_is_taken() {
    let program = Program::start("");
    let answer = get(program.console, "/health").await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::OK, &"HEALTHY".into()));
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_program_leaves() {
    let upstream = Upstream::start("u", Behaviour::Stall).await;
    let route = "[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = []";
    let mut program = Program::start(&format!("{}{route}", upstream.table("u", "timeout = \"1500ms\"")));
    let (gateway, console) = (program.gateway, program.console);
    let request = Request::get("/").body(Full::<Bytes>::default()).unwrap();
    let under_way = tokio::spawn(send(gateway, request));
    eventually("the upstream is asked", async || (upstream.asked() == 1).then_some(())).await;
    program.signal("-TERM");
    assert_eq!(program.log_line("shutdown_signal_received")["signal"], "SIGTERM");
    eventually("no new connections", async || TcpStream::connect(gateway).await.is_err().then_some(())).await;
    let answer = under_way.await.unwrap().expect("an answer");
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert!(program.wait().success());
    assert!(TcpStream::connect(console).await.is_err());
}

#[tokio::test]
async fn it_leaves_quickly_when_nothing_is_under_way() {
    let mut program = Program::start("");
    // An idle keep-alive connection must not hold it up.
    let _idle = TcpStream::connect(program.gateway).await.unwrap();
    let started = Instant::now();
    program.signal("-INT");
    assert!(program.wait().success());
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_port_that_is_taken_stops_the_start_and_is_named() {
    let running = Program::start("");
    for (key, address) in [("gateway.listen", running.gateway), ("console.listen", running.console)] {
        let text = format!("[{}]\nlisten = \"{address}\"\n", key.split('.').next().unwrap());
        let other = if key.starts_with("gateway") { "[console]\nlisten = \"127.0.0.1:0\"\n" } else { "" };
        let said = failing_start(&["--config", "test.toml"], &format!("{text}{other}"));
        assert!(said.contains(key) && said.contains(&address.to_string()), "{said}");
    }
}

#[test]
fn a_wrong_configuration_stops_the_start_with_file_line_and_what_is_allowed() {
    let text = "[gateway]\nlisten = \"nowhere\"\n";
    for arguments in [
        &["--config", "test.toml"][..],
        &["serve", "--config", "test.toml"],
        &["check", "--config", "test.toml"],
    ] {
        let said = failing_start(arguments, text);
        assert!(said.contains("test.toml") && said.contains("line 2"), "{said}");
    }
    let said = failing_start(
        &["check", "--config", "test.toml"],
        &configuration("[[routes]]\npath = \"/\"\nupstream = \"x\""),
    );
    assert!(said.contains("routes[0] (\"/\").upstream: no upstream is named \"x\""), "{said}");
    let said = failing_start(&["--config", "missing.toml"], "");
    assert!(said.contains("missing.toml"), "{said}");
}

#[test]
fn outside_loopback_the_console_does_not_start_without_authentication_and_says_how() {
    let said = failing_start(&["--config", "test.toml"], "[console]\nlisten = \"0.0.0.0:0\"\n");
    assert!(
        said.contains("console.listen") && said.contains("127.0.0.1") && said.contains("authenticat"),
        "{said}"
    );
}
