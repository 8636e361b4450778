use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use rad_model::Share;

use super::*;
use crate::config::RolloutSettings;
use crate::rollout::{AssignBy, Calendar, Overrides, Phase, Place, Secret, Seed, Stages, Target};
use crate::storage::StoredRollout;

const NOW_S: u64 = 1_800_000_000;

fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in of {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn rollout(assign: AssignBy, overrides: Option<Overrides>, phase: Phase, percent: f64) -> Rollout {
    let share = Share::from_percent(percent).unwrap();
    let settings = RolloutSettings {
        name: "r".to_owned(),
        legacy: 0,
        candidate: 1,
        share,
        stages: Stages::to_all(Duration::from_mins(1)),
        least: 100,
        target: Target::default(),
        assign,
        overrides,
        latency: None,
        start_at: None,
        calendar: Calendar::default(),
        shadow: crate::rollout::shadow::ShadowSettings::default(),
    };
    let place = Place { phase, share, since_ms: 0 };
    Rollout::new(&settings, &StoredRollout { seed: Seed::new(7), place }, None)
}

fn asked(rollout: &Rollout, of: &[(&'static str, &str)]) -> (Side, bool) {
    let (side, drawn) = side(rollout, "10.0.0.1".parse().unwrap(), &headers(of), || NOW_S);
    (side, drawn.is_some())
}

#[test]
fn only_the_whole_cookie_pins_to_legacy() {
    let pinned = |cookies: &str| is_pinned(&headers(&[("cookie", cookies)]));
    assert!(pinned("rad_mode=legacy"));
    assert!(pinned("a=b; rad_mode=legacy; c=d"));
    assert!(!pinned("rad_mode=candidate"));
    assert!(!pinned("x_rad_mode=legacy"));
    assert!(!pinned("rad_mode=legacy2"));
    assert!(!is_pinned(&HeaderMap::new()));
}

#[test]
fn a_client_is_drawn_by_what_the_rollout_says_and_by_address_without_it() {
    let drawn = |assign: AssignBy, of: &[(&'static str, &str)]| {
        let rollout = rollout(assign, None, Phase::Manual, 50.0);
        side(&rollout, "10.0.0.1".parse().unwrap(), &headers(of), || NOW_S).1.unwrap()
    };
    let by_address = drawn(AssignBy::Client, &[("x-org-id", "acme")]);
    let org = || AssignBy::Header("x-org-id".parse().unwrap());
    let acme = drawn(org(), &[("x-org-id", "acme")]);
    assert_ne!(acme, by_address);
    assert_ne!(acme, drawn(org(), &[("x-org-id", "umbrella")]));
    let session = || AssignBy::Cookie("session".to_owned());
    assert_eq!(drawn(session(), &[("cookie", "a=1; session=acme; b=2")]), acme);
    let long = "x".repeat(AssignBy::LONGEST);
    assert_ne!(drawn(org(), &[("x-org-id", &long)]), by_address);
    let longer = format!("{long}x");
    for without in [&[][..], &[("x-org-id", "")], &[("x-org-id", &*longer)], &[("cookie", "session=")]] {
        assert_eq!(drawn(org(), without), by_address, "{without:?}");
        assert_eq!(drawn(session(), without), by_address, "{without:?}");
    }
}

#[test]
fn testers_choose_their_side_only_where_that_is_on_and_not_after_a_rollback() {
    let open = || {
        Some(Overrides {
            header: Some("x-rad-side".parse().unwrap()),
            cookie: Some("rad_side".to_owned()),
            secret: None,
        })
    };
    let none = rollout(AssignBy::Client, None, Phase::Manual, 0.0);
    let (by_header, by_cookie) = ([("x-rad-side", "candidate")], [("cookie", "rad_side=candidate")]);
    assert_eq!(asked(&none, &by_header), (Side::Legacy, true));
    assert_eq!(asked(&none, &by_cookie), (Side::Legacy, true));

    let before = rollout(AssignBy::Client, open(), Phase::Manual, 0.0);
    assert_eq!(asked(&before, &by_header), (Side::Candidate, false));
    assert_eq!(asked(&before, &by_cookie), (Side::Candidate, false));
    assert_eq!(asked(&before, &[("x-rad-side", "nonsense")]), (Side::Legacy, true));
    let pinned = [("x-rad-side", "candidate"), ("cookie", "rad_mode=legacy; rad_side=candidate")];
    assert_eq!(asked(&before, &pinned), (Side::Legacy, false), "the kill switch comes first");

    let complete = rollout(AssignBy::Client, open(), Phase::Complete, 100.0);
    assert_eq!(asked(&complete, &[("x-rad-side", "legacy")]), (Side::Legacy, false));
    let back = rollout(AssignBy::Client, open(), Phase::RolledBack, 0.0);
    assert_eq!(asked(&back, &by_header), (Side::Legacy, true));
}

#[test]
fn where_sides_are_signed_a_forged_one_is_as_good_as_none() {
    let secret = Secret::new(b"a secret of some length");
    let signed = Overrides { header: Some("x-rad-side".parse().unwrap()), cookie: None, secret };
    let value = signed.value("r", Side::Candidate, NOW_S + 60).unwrap();
    let late = signed.value("r", Side::Candidate, NOW_S).unwrap();
    let rollout = rollout(AssignBy::Client, Some(signed), Phase::Manual, 0.0);
    assert_eq!(asked(&rollout, &[("x-rad-side", &value)]), (Side::Candidate, false));
    let forged = value.replace("candidate.1", "candidate.2");
    for value in ["candidate", &*late, &*forged, "candidate.9999999999.00"] {
        assert_eq!(asked(&rollout, &[("x-rad-side", value)]), (Side::Legacy, true), "{value:?}");
    }
}

/// The budget of rollout, assignment and flags on the path of a request, nanoseconds.
const BUDGET_NS: f64 = 200.0;

/// The fastest of several rounds: what a machine does beside it only makes it slower.
fn fastest_ns(mut call: impl FnMut(usize)) -> f64 {
    // Unoptimised code is asked only whether it runs.
    const CALLS: u32 = if cfg!(debug_assertions) { 100 } else { 50_000 };
    let round = |_| {
        let started = std::time::Instant::now();
        (0..CALLS as usize).for_each(&mut call);
        started.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    (0..20).map(round).fold(f64::INFINITY, f64::min)
}

#[test]
fn a_rollout_and_the_flags_cost_a_request_less_than_their_budget() {
    use std::hint::black_box;

    use crate::rollout::flags::Environment;
    use crate::rollout::{Switchboard, Switches};
    use crate::storage::Storage;
    use crate::telemetry::log::Log;
    use crate::telemetry::registry::ClientSamples;

    let storage = Arc::new(Storage::open(Path::new(":memory:")).unwrap());
    let board = Switchboard::open(storage, Environment::Production, &[], Log::off()).unwrap();
    let switches = Switches::new(Arc::new(board));
    let flag = fastest_ns(|_| {
        black_box(switches.logs_request(
            black_box("/search"),
            black_box("GET"),
            black_box("0af7651916cd43dd"),
        ));
    });
    println!("{:36} {flag:6.1} ns", "the flag of the request log");

    let cookie = |value: &str| {
        headers(&[
            ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
            ("cookie", &format!("theme=dark; _ga=GA1.2.1234567890.1234567890; session={value}; lang=de")),
            ("x-org-id", "organisation-4711"),
        ])
    };
    let uuid = "123e4567-e89b-12d3-a456-426614174000";
    let (few, many, long) =
        (headers(&[("x-org-id", "organisation-4711")]), cookie(uuid), cookie(&"7".repeat(256)));
    let org = AssignBy::Header("x-org-id".parse().unwrap());
    let session = AssignBy::Cookie("session".to_owned());
    for (what, assign, headers) in [
        ("by address, no cookies", AssignBy::Client, &few),
        ("by address, 4 cookies", AssignBy::Client, &many),
        ("by header, no cookies", org, &few),
        ("by cookie of 36 bytes among 4", session.clone(), &many),
        ("by cookie of 256 bytes, the longest", session, &long),
    ] {
        let overrides = Overrides { header: Some("x-rad-side".parse().unwrap()), cookie: None, secret: None };
        let rollout = rollout(assign, Some(overrides), Phase::Stage(0), 25.0);
        let samples = ClientSamples::default();
        let ns = fastest_ns(|at| {
            let address = IpAddr::from([10, 0, at.to_le_bytes()[1], at.to_le_bytes()[0]]);
            let (side, drawn) = side(black_box(&rollout), black_box(address), black_box(headers), || NOW_S);
            if let Some(client) = drawn {
                samples.note(client, black_box(true));
            }
            black_box(side);
            black_box(switches.logs_request(
                black_box("/search"),
                black_box("GET"),
                black_box("0af7651916cd43dd"),
            ));
        });
        println!("{what:36} {ns:6.1} ns");
        // Without the compiler's help it says nothing; the longest is for information. Other tests run beside this one,
        // so that on a machine with few cores all take some times as long.
        let is_bounded = !cfg!(debug_assertions) && !what.ends_with("longest");
        assert!(!is_bounded || ns <= 3.0 * BUDGET_NS, "{what}: {ns} ns");
    }
}
