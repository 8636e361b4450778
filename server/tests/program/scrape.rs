use crate::support::{Answer, Behaviour, Program, Upstream, get, get_with};

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

async fn program() -> (Upstream, Program) {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let routes = r#"
        [[routes]]
        path = "/"
        upstream = "u"
        [[routes]]
        path = '/a"b\c'
        upstream = "u"
    "#;
    let program = Program::start(&format!("{}{routes}", upstream.table("u", "")));
    get(program.gateway, "/").await;
    (upstream, program)
}

#[tokio::test]
async fn a_scraper_gets_the_format_that_it_asks_for() {
    let (_upstream, program) = program().await;
    let classic = get(program.console, "/api/monitoring/metrics").await;
    assert_eq!(classic.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(!text(&classic).contains("# EOF"));
    for name in ["rad_requests_total", "rad_breaker_trips_total"] {
        assert!(text(&classic).contains(&format!("# TYPE {name} counter\n")), "{}", text(&classic));
        assert!(text(&classic).contains(&format!("# HELP {name} ")));
    }
    assert!(text(&classic).contains("# TYPE rad_requests_in_flight gauge\n"));
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let open = get_with(program.console, "/api/monitoring/metrics", &[("accept", accept)]).await;
    assert_eq!(open.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(text(&open).contains("# TYPE rad_requests counter\n"));
    assert!(text(&open).ends_with("# EOF\n"));
}

#[tokio::test]
async fn every_histogram_has_a_bucket_for_everything() {
    let (_upstream, program) = program().await;
    let scraped = text(&get(program.console, "/api/monitoring/metrics").await);
    let all = r#"rad_request_duration_seconds_bucket{le="+Inf",route="/"} 1"#;
    assert!(scraped.contains(all), "{scraped}");
    assert!(scraped.contains("rad_request_duration_seconds_count{route=\"/\"} 1"));
}

#[tokio::test]
async fn labels_are_escaped() {
    let (_upstream, program) = program().await;
    let scraped = text(&get(program.console, "/api/monitoring/metrics").await);
    assert!(scraped.contains(r#"{route="/a\"b\\c",outcome="answered"} 0"#), "{scraped}");
    assert!(scraped.contains(r#"rad_breaker_state{breaker="u",upstream="u"} 0"#), "{scraped}");
}
