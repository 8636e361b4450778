use std::os::unix::fs::PermissionsExt;

use http::StatusCode;

use crate::support::{ADMIN, Browser, PASSWORD, Program, failing_start, get};

#[tokio::test]
async fn the_first_password_is_in_a_file_for_this_user_alone_and_good_for_choosing_another() {
    let program = Program::start("[console.auth]\nadministrator = \"ops\"");
    let file = program.file("state.db.initial-password");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let first = std::fs::read_to_string(&file).unwrap().trim_end().to_owned();
    let browser = Browser::logged_in(&program, ADMIN, &first).await;
    assert_eq!(browser.get("/api/session").await.json()["must_change_password"], true);
    for path in ["/api/metrics", "/api/accounts", "/ws"] {
        assert_eq!(browser.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(browser.get("/limits").await.header("location"), "/login/password?to=%2Flimits");
    let form = String::from_utf8(browser.get("/login/password").await.body.to_vec()).unwrap();
    assert!(
        form.contains("autocomplete=\"new-password\"") && form.contains("autocomplete=\"current-password\"")
    );
    let fields = |repeated: &'static str| {
        [
            ("password", first.as_str()),
            ("new-password", PASSWORD),
            ("repeated-password", repeated),
            ("to", "/limits"),
        ]
    };
    let differs = browser.submit("/login/password", &fields("something else")).await;
    assert_eq!(differs.status, StatusCode::BAD_REQUEST);
    let mut browser = browser;
    let changed = browser.submit("/login/password", &fields(PASSWORD)).await;
    assert_eq!((changed.status, changed.header("location")), (StatusCode::SEE_OTHER, "/limits"));
    browser.keep(&changed);
    assert_eq!(browser.get("/api/metrics").await.status, StatusCode::OK);
    assert!(!file.exists());
    assert_eq!(Browser::new(&program).log_in(ADMIN, &first).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn where_the_first_password_is_is_told_and_what_it_is_is_not() {
    let mut program = Program::start("[console.auth]");
    let first = std::fs::read_to_string(program.file("state.db.initial-password")).unwrap();
    Browser::new(&program).log_in("admin", "wrong password").await;
    program.signal("-TERM");
    program.wait();
    let log = program.whole_log();
    assert!(log.contains("login_failed"), "{log}");
    for secret in [first.trim_end(), "wrong password"] {
        assert!(!log.contains(secret), "{log}");
    }
    // This one ends at a port that is taken, after it has told.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!(
        "[console]\nlisten = \"{}\"\n[console.auth]\n[telemetry]\nlog = \"off\"",
        taken.local_addr().unwrap()
    );
    let said = failing_start(&["--config", "test.toml"], &text);
    let told = said.lines().find(|line| line.contains("initial-password")).expect("where it is");
    let says = "rad-monitor: the password of admin for the first login is in rad-monitor.db.initial-password; \
                it must be changed then";
    assert_eq!(told, says);
}

#[tokio::test]
async fn outside_loopback_it_starts_with_a_login_and_asks_for_it() {
    let text = "[console]\nlisten = \"0.0.0.0:0\"\n[console.auth]\n[gateway]\nlisten = \"127.0.0.1:0\"\n\
                [storage]\npath = \"state.db\"";
    let program = Program::with_text(text);
    let console = std::net::SocketAddr::from(([127, 0, 0, 1], program.console.port()));
    assert_eq!(get(console, "/api/metrics").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(get(console, "/health").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_password_that_cannot_be_read_stops_the_start() {
    for (place, says) in [("env:RAD_SECRET_MISSING", "RAD_SECRET_MISSING"), ("file:missing", "missing")] {
        let text = format!("[console]\nlisten = \"127.0.0.1:0\"\n[console.auth]\npassword = \"{place}\"");
        let said = failing_start(&["--config", "test.toml"], &text);
        assert!(said.contains("console.auth.password") && said.contains(says), "{said}");
    }
}
