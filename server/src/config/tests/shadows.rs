//! How requests are copied.

use rad_model::Share;

use super::{Settings, errors, parse};
use crate::rollout::shadow::{Headers, ShadowSettings};

fn with(shadow: &str) -> String {
    format!(
        "[upstreams.a]\ntargets = [\"http://h\"]\n[upstreams.b]\ntargets = [\"http://i\"]\n\
         [rollouts.r]\nlegacy = \"a\"\ncandidate = \"b\"\n{shadow}"
    )
}

fn accepted(text: &str) -> ShadowSettings {
    let Settings { rollouts, .. } = parse(&with(text)).unwrap_or_else(|error| panic!("{error}"));
    rollouts[0].shadow.clone()
}

#[test]
fn a_rollout_copies_nothing_until_it_is_told_to() {
    let shadow = accepted("");
    assert_eq!((shadow.share, shadow.max_in_flight, shadow.max_body), (Share::NONE, 16, 256 << 10));
    assert!(!shadow.takes_bodies());
    let shadow =
        accepted("[rollouts.r.shadow]\npercent = 5\nmethods = [\"GET\", \"POST\"]\nheaders = [\"*\"]");
    assert_eq!((shadow.share.percent(), shadow.rules.headers), (5.0, Headers::All));
    assert!(accepted("shadow = { methods = [\"POST\"] }").takes_bodies());
}

#[test]
fn what_would_copy_or_change_nothing_is_refused_with_what_is_allowed() {
    for (shadow, told) in [
        ("percent = 101", "shadow.percent: 101 is out of range; write a number of percent, 0 to 100"),
        ("methods = []", "shadow.methods: is empty: nothing would be copied; write [\"GET\"]"),
        (
            "methods = [\"PATCH\"]",
            "shadow.methods[0]: \"PATCH\" is not a method whose requests can be copied; write GET, HEAD",
        ),
        ("max_in_flight = 0", "shadow.max_in_flight: 0 is out of range; allowed: 1 to 256"),
        ("requests_per_second = 0", "shadow.requests_per_second: 0 is out of range; allowed: 1 to 10000"),
        ("timeout = \"2m\"", "shadow.timeout: \"2m\" is out of range; write it with a unit"),
        ("max_body_kib = 4096", "shadow.max_body_kib: 4096 is out of range; allowed: 1 to 1024 KiB"),
        ("ignore = [\"took\"]", "shadow.ignore[0]: \"took\" is not a part of answers; write a path, such as"),
        ("ignore = [\"$.a\", \"$.a\"]", "shadow.ignore[1]: stands twice; once is enough"),
        (
            "ignore = [\"header:date\"]",
            "shadow.ignore[0]: changes nothing: headers does not hold \"date\", so it is not compared",
        ),
        ("headers = [\"a b\"]", "shadow.headers[0]: \"a b\" is not a header; write its name"),
        ("share = 5", "shadow.share: is no key; known: percent, max_in_flight"),
    ] {
        let error = errors(&with(&format!("[rollouts.r.shadow]\n{shadow}\n")));
        assert!(error.contains(told), "{told:?} is missing in:\n{error}");
        assert!(error.contains("one thing is wrong"), "{error}");
    }
    accepted("[rollouts.r.shadow]\nignore = [\"$.took\", \"header:date\"]\nheaders = [\"*\"]");
}
