use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    Behaviour, Program, Upstream, configuration, delete, failing_start, get, get_with, post_json,
};

const OFTEN: &str = "[gateway.block]\nrejections = 3\nwindow = \"1m\"\nblock_for = \"10m\"\n";
const FROM: &str = "198.51.100.7";

/// Two requests an hour at `/`, and as many as one likes at `/free`.
fn text(upstream: &Upstream, block: &str) -> String {
    let routes = "[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = [\"2/hour\"]\n\
                  [[routes]]\npath = \"/free\"\nupstream = \"u\"\nlimits = []";
    let text = configuration(&format!("{block}{}{routes}", upstream.table("u", "")));
    text.replace("workers = 2", "workers = 2\ntrusted_proxies = [\"127.0.0.0/8\"]")
}

async fn status(program: &Program, path: &str, from: &str) -> u16 {
    get_with(program.gateway, path, &[("x-forwarded-for", from)]).await.status.as_u16()
}

#[tokio::test]
async fn a_client_that_does_not_stop_is_blocked_at_every_route_until_it_is_unblocked() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::with_text(&text(&upstream, OFTEN));
    for expected in [200, 200, 429, 429] {
        assert_eq!(status(&program, "/", FROM).await, expected);
    }
    assert_eq!(status(&program, "/free", FROM).await, 200);
    assert_eq!(status(&program, "/", FROM).await, 429);

    let refused = get_with(program.gateway, "/free", &[("x-forwarded-for", FROM)]).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        refused.json(),
        json!({"error": "Blocked after too many rejections", "detail": "Too many requests"})
    );
    assert!((590..=600).contains(&refused.number("retry-after")));
    assert_eq!(upstream.asked(), 3);
    assert_eq!(status(&program, "/free", "198.51.100.8").await, 200, "others are served");

    let told = program.log_line("address_blocked");
    assert_eq!((&told["address"], &told["by"]), (&json!(FROM), &json!("limits")));
    let list = get(program.console, "/api/blocked").await.json();
    assert_eq!((&list[0]["address"], &list[0]["reason"]), (&json!(FROM), &json!("3 rejections in 1m")));
    assert_eq!((&list[0]["by_hand"], &list[0]["repetition"]), (&json!(false), &json!(1)));
    let scrape = get(program.console, "/api/monitoring/metrics").await;
    let scraped = String::from_utf8_lossy(&scrape.body).into_owned();
    assert!(scraped.contains("rad_blocked_addresses 1"), "{scraped}");
    assert!(scraped.contains("rad_limiter_keys{route=\"/\"} 1"), "{scraped}");
    assert!(scraped.contains("rad_requests_total{route=\"/free\",outcome=\"blocked\"} 1"), "{scraped}");
    assert!(scraped.contains("rad_requests_total{route=\"/\",outcome=\"limited\"} 3"), "{scraped}");
    assert_eq!(list[0]["refused"], 1, "{list}");
    assert_eq!(list[0]["why"], "3 rejections in 1m; 1 request turned away");
    let limits = get(program.console, "/api/limits").await.json();
    let root = limits.as_array().unwrap().iter().find(|route| route["path"] == "/").unwrap();
    assert_eq!((&root["rejected"], &root["blocked"]), (&json!(3), &json!(0)), "{root}");
    assert_eq!(root["most_rejected"], json!([{"key": FROM, "rejected": 3}]));
    assert!(root["counted"].as_str().unwrap().contains("In the last minute: 198.51.100.7 (3)."), "{root}");

    assert_eq!(delete(program.console, &format!("/api/blocked/{FROM}")).await.status, StatusCode::OK);
    assert_eq!(status(&program, "/free", FROM).await, 200);
    assert_eq!(program.log_line("address_unblocked")["by"], "api");
    let again = delete(program.console, &format!("/api/blocked/{FROM}")).await;
    assert_eq!(
        (again.status, &again.json()["detail"]),
        (StatusCode::NOT_FOUND, &json!("198.51.100.7 is not blocked"))
    );
}

#[tokio::test]
async fn without_its_table_nobody_is_blocked_but_by_hand() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::with_text(&text(&upstream, ""));
    for _ in 0..200 {
        status(&program, "/", FROM).await;
    }
    assert_eq!(get(program.console, "/api/blocked").await.json(), json!([]));
    assert_eq!(status(&program, "/free", FROM).await, 200);
}

#[tokio::test]
async fn a_block_by_hand_holds_over_a_restart_and_so_does_taking_it_off() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::with_text(&text(&upstream, ""));
    let body = json!({"address": FROM, "reason": "scraper", "for": "10m"}).to_string();
    assert_eq!(post_json(program.console, "/api/blocked", &body).await.status, StatusCode::CREATED);
    let for_good = json!({"address": "2001:db8::7"}).to_string();
    let shown = post_json(program.console, "/api/blocked", &for_good).await.json();
    assert_eq!((&shown["address"], &shown["until_ms"]), (&json!("2001:db8::/64"), &Value::Null));
    assert_eq!(status(&program, "/free", FROM).await, 429);
    assert_eq!(status(&program, "/free", "2001:db8::8").await, 429, "a neighbour in the same network");

    let program = program.restart("-KILL");
    assert_eq!(status(&program, "/free", FROM).await, 429);
    let list = get(program.console, "/api/blocked").await.json();
    assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");
    assert_eq!((&list[1]["reason"], &list[1]["by_hand"]), (&json!("scraper"), &json!(true)));
    for address in [FROM, "2001:db8::/64"] {
        assert_eq!(delete(program.console, &format!("/api/blocked/{address}")).await.status, StatusCode::OK);
    }

    let program = program.restart("-KILL");
    assert_eq!(status(&program, "/free", FROM).await, 200);
}

#[tokio::test]
async fn a_block_that_came_by_itself_holds_over_a_planned_restart() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::with_text(&text(&upstream, OFTEN));
    for _ in 0..5 {
        status(&program, "/", FROM).await;
    }
    let program = program.restart("-TERM");
    assert_eq!(status(&program, "/free", FROM).await, 429);
}

#[tokio::test]
async fn what_is_no_address_or_no_time_is_refused_in_words() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let program = Program::with_text(&text(&upstream, ""));
    for (body, word) in [
        (json!({"address": "everybody"}), "is no address of a client"),
        (json!({"address": "10.0.0.0/8"}), "is no address of a client"),
        (json!({"address": FROM, "for": "soon"}), "is no time to block for"),
        (json!({"address": FROM, "for": "0s"}), "is no time to block for"),
        (json!({"address": FROM, "for": "9000y"}), "is no time to block for"),
        (json!({}), "missing field `address`"),
    ] {
        let answer = post_json(program.console, "/api/blocked", &body.to_string()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(word), "{body}: {detail}");
    }
    let said = failing_start(
        &["check", "--config", "test.toml"],
        &text(&upstream, "[gateway.block]\nrejections = 0\nblock_for = \"2h\"\nat_most = \"1h\"\n"),
    );
    assert!(said.contains("gateway.block.rejections: 0 is out of range"), "{said}");
    let said = failing_start(
        &["check", "--config", "test.toml"],
        &text(&upstream, "[gateway.block]\nblock_for = \"2h\"\nat_most = \"1h\"\n"),
    );
    assert!(said.contains("gateway.block.at_most: is shorter than block_for"), "{said}");
}

#[tokio::test]
async fn the_limits_say_who_uses_them_and_how_full_they_are() {
    let upstream = Upstream::start("u", Behaviour::Echo).await;
    let routes = "[[routes]]\npath = \"/\"\nupstream = \"u\"\nlimits = [\"4/minute\", \"100/hour\"]\n\
                  strategy = \"sliding_window\"\nshadow = true\n\
                  [[routes]]\npath = \"/free\"\nupstream = \"u\"\nlimits = []";
    let added = format!("{}{routes}", upstream.table("u", ""));
    let program = Program::with_text(
        &configuration(&added).replace("workers = 2", "workers = 2\ntrusted_proxies = [\"127.0.0.0/8\"]"),
    );
    for from in [FROM, FROM, FROM, "198.51.100.8"] {
        assert_eq!(status(&program, "/", from).await, 200);
    }
    let list = get(program.console, "/api/limits").await.json();
    let route = list.as_array().unwrap().iter().find(|route| route["path"] == "/").unwrap();
    assert_eq!((&route["strategy"], &route["shadow"]), (&json!("sliding_window"), &json!(true)));
    assert_eq!(
        (&route["keys"], &route["max_keys"], &route["evicted"]),
        (&json!(2), &json!(100_000), &json!(0))
    );
    let top = route["top"].as_array().unwrap();
    let keys: Vec<_> =
        top.iter().map(|one| (one["key"].as_str().unwrap(), one["used"].as_u64().unwrap())).collect();
    assert_eq!(keys, [(FROM, 3), ("198.51.100.8", 1)]);
    assert_eq!((&top[0]["limit"], &top[0]["capacity"]), (&json!("4/minute"), &json!(4)));
    assert!(!list.as_array().unwrap().iter().any(|route| route["path"] == "/free"));
}
