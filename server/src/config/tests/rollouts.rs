//! Who is assigned by what, who may choose, and when a rollout moves by itself.

use std::time::Duration;

use super::{errors, parse};
use crate::config::RolloutSettings;
use crate::rollout::{AssignBy, Side, calendar};

fn text(more: &str) -> String {
    format!(
        "[upstreams.a]\ntargets = [\"http://127.0.0.1:1\"]\n[upstreams.b]\ntargets = [\"http://127.0.0.1:2\"]\n\
         [rollouts.r]\nlegacy = \"a\"\ncandidate = \"b\"\n{more}\n"
    )
}

fn accepted(more: &str) -> RolloutSettings {
    parse(&text(more)).unwrap_or_else(|error| panic!("{error}")).rollouts.remove(0)
}

#[test]
fn clients_are_assigned_by_what_tells_them_apart_and_by_address_unless_it_is_said() {
    for (written, meant) in [
        ("", "client"),
        ("assign = \"client\"", "client"),
        ("assign = \"org\"", "header:x-org-id"),
        ("assign = \"header:X-Tenant\"", "header:x-tenant"),
        ("assign = \"cookie:visitor\"", "cookie:visitor"),
    ] {
        assert_eq!(accepted(written).assign.to_string(), meant, "{written}");
    }
    assert_eq!(accepted("").assign, AssignBy::Client);
    for wrong in ["global", "route", "header:", "cookie:a b", "cookie:rad_mode", "visitor"] {
        let error = errors(&text(&format!("assign = \"{wrong}\"")));
        assert!(error.contains("rollouts.r.assign: "), "{error}");
        assert!(error.contains("write client, org, header:NAME or cookie:NAME"), "{error}");
    }
}

#[test]
fn nobody_chooses_unless_it_is_on_and_a_secret_is_read_from_where_it_is_and_told_to_nobody() {
    assert!(accepted("").overrides.is_none());
    let open = accepted("override = { header = \"X-Rad-Side\" }").overrides.unwrap();
    assert_eq!(open.side("r", b"candidate", 0), Some(Side::Candidate));
    for taken in ["header = \"Host\"", "header = \"Authorization\"", "cookie = \"rad_mode\""] {
        let error = errors(&text(&format!("override = {{ {taken} }}")));
        assert!(error.contains("of its own; write it as in"), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "hunter2 hunter2 hunter2\n").unwrap();
    let with = |secret: &str| text(&format!("override = {{ cookie = \"rad_side\", secret = \"{secret}\" }}"));
    let signed = parse(&with(&format!("file:{}", path.display()))).unwrap();
    assert!(!format!("{signed:?}").contains("hunter2"));
    assert_eq!(signed.rollouts[0].overrides.as_ref().unwrap().side("r", b"candidate", 0), None);

    std::fs::write(&path, "hunter2").unwrap();
    for (secret, told) in [
        (format!("file:{}", path.display()), "too short to be a secret: 16 bytes are the least"),
        (format!("file:{}/none", folder.path().display()), "is not there, or cannot be read"),
        ("env:RAD_SECRET_THAT_IS_NOT_THERE".to_owned(), "RAD_SECRET_THAT_IS_NOT_THERE is not there"),
        ("env:HOME".to_owned(), "write \"env:RAD_SECRET_NAME\" or \"file:PATH\""),
        ("hunter2 hunter2 hunter2".to_owned(), "this text is not where a secret is"),
    ] {
        let error = errors(&with(&secret));
        assert!(error.contains("rollouts.r.override.secret: ") && error.contains(told), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let error = errors(&text("override = {}"));
    assert!(error.contains("rollouts.r.override: names neither a header nor a cookie"), "{error}");
}

#[test]
fn a_latency_guard_asks_for_something_that_can_be_measured() {
    let guard = accepted("latency = { at_most = \"300ms\", no_slower_than = 1.2 }").latency.unwrap();
    let asked = (guard.quantile, guard.at_most, guard.no_slower_than);
    assert_eq!(asked, (0.99, Some(Duration::from_millis(300)), Some(1.2)));
    assert!(accepted("").latency.is_none());
    for (written, told) in [
        ("{}", "latency: asks for nothing"),
        ("{ quantile = 0.95 }", "latency: asks for nothing"),
        (
            "{ quantile = 1, at_most = \"1s\" }",
            "latency.quantile: 1 is out of range; write a number from 0.5 to 0.999",
        ),
        (
            "{ no_slower_than = 0.9 }",
            "latency.no_slower_than: 0.9 is out of range; write a number from 1 to 10",
        ),
        ("{ at_most = \"10m\" }", "latency.at_most: \"10m\" is out of range"),
        ("{ at_most = 300 }", "latency.at_most: 300 is not a duration"),
    ] {
        let error = errors(&text(&format!("latency = {written}")));
        assert!(error.contains(&format!("rollouts.r.{told}")), "{error}");
    }
}

#[test]
fn moments_hours_days_and_zones_are_read_as_people_write_them() {
    let rollout = accepted(
        "start_at = 2026-12-01T09:00:00+01:00\npromote_between = [\"Mon-Fri 09:00-16:00\"]\n\
         freeze = [\"2026-12-24/2027-01-02\"]\ntime_zone = \"Europe/Berlin\"",
    );
    assert_eq!(rollout.start_at, calendar::moment("2026-12-01T08:00:00Z"));
    assert_eq!(accepted("start_at = \"2026-12-01T08:00:00Z\"").start_at, rollout.start_at);
    let at = |moment| rollout.calendar.is_open(calendar::moment(moment).unwrap());
    assert!(at("2026-12-01T08:00:00Z") && !at("2026-12-01T15:00:00Z") && !at("2026-12-24T10:00:00Z"));
    for (written, told) in [
        (
            "start_at = \"2026-12-01\"",
            "start_at: \"2026-12-01\" is not a moment; write date, time and offset",
        ),
        ("start_at = 2026-12-01T08:00:00", "start_at: 2026-12-01T08:00:00 is not a moment"),
        (
            "promote_between = [\"Mon-Fri 9-16\"]",
            "promote_between[0]: \"Mon-Fri 9-16\" is not hours of a week",
        ),
        (
            "freeze = [\"2027-01-02/2026-12-24\"]",
            "freeze[0]: \"2027-01-02/2026-12-24\" is not days on which nothing moves",
        ),
        (
            "time_zone = \"Europe/Atlantis\"",
            "time_zone: \"Europe/Atlantis\" is not a time zone; write its name",
        ),
    ] {
        let error = errors(&text(written));
        assert!(error.contains(&format!("rollouts.r.{told}")), "{error}");
    }
}
