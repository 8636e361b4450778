use crate::support::{Behaviour, Program, Upstream, get, get_with};

#[tokio::test]
async fn every_line_is_json_and_tells_neither_query_nor_address() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let route = "[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = [\"2/hour\"]";
    let mut program = Program::start(&format!("{}{route}", upstream.table("u", "")));
    let sent = [
        ("x-request-id", "log-1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("authorization", "Bearer hunter2"),
    ];
    get_with(program.gateway, "/some/path?token=hunter2", &sent).await;
    upstream.behave(Behaviour::Status(500));
    get(program.gateway, "/").await;
    get(program.gateway, "/").await;
    program.signal("-TERM");
    program.wait();
    let lines = program.remaining_log();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();

    let success = of("query_execute_success")[0];
    assert_eq!(success["request_id"], "log-1");
    assert_eq!(success["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(success["span_id"], "b7ad6b7169203331");
    assert_eq!(success["client_ip"], "127.0.0.1");
    assert_eq!(success["path"], "/some/path");
    assert_eq!((&success["status"], &success["level"]), (&200.into(), &"info".into()));
    assert!(success["duration_ms"].is_f64());
    assert_eq!(of("query_execute_error")[0]["status"], 500);
    assert_eq!(of("rate_limit_exceeded")[0]["limit"], "2/hour");
    assert_eq!(of("shutdown_signal_received").len(), 1);

    let all = format!("{lines:?}");
    assert!(!all.contains("hunter2"), "a secret is in the log");
    assert!(!all.contains(&upstream.address.port().to_string()), "an upstream's address is in the log");
}
