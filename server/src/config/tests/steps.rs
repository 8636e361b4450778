//! What routes do besides limiting.

use super::{Settings, errors, parse};

const UPSTREAMS: &str = r#"
[upstreams.a]
targets = ["http://127.0.0.1:1"]
timeout = "10s"
[upstreams.b]
targets = ["http://127.0.0.1:2"]
timeout = "1m"
[rollouts.r]
legacy = "a"
candidate = "b"
"#;

fn to_a(more: &str) -> String {
    format!("{UPSTREAMS}[[routes]]\npath = \"/\"\nupstream = \"a\"\n{more}")
}

fn accepted(text: &str) -> Settings {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_would_change_nothing_or_cannot_be_is_refused_with_its_key_and_what_is_allowed() {
    for (more, told) in [
        (
            "cache = { ttl = \"1m\", methods = [] }",
            "cache.methods: is empty: nothing would be kept; write [\"GET\"]",
        ),
        (
            "cache = { ttl = \"1m\", tags = [\"a\", \" \"] }",
            "cache.tags[1]: \" \" is not a tag; write its name",
        ),
        ("cache = { ttl = \"1m\", tier = \"counts\" }", "cache.tier: stands beside ttl; write one of them"),
        ("cache = { tier = \"search\" }", "cache.tier: \"search\" is not a tier; write statistics_overview"),
        ("retry = { statuses = [] }", "retry.statuses: is empty; write at least one, such as [503]"),
        (
            "retry = { jitter = 10, jitter_kind = \"full\" }",
            "retry.jitter: changes nothing: jitter_kind is \"full\"",
        ),
        (
            "retry = { multiplier = 3, jitter_kind = \"decorrelated\" }",
            "retry.multiplier: changes nothing: jitter_kind is \"decorrelated\"",
        ),
        (
            "retry = { attempt_deadline = \"11s\" }",
            "retry.attempt_deadline: 11s is longer than all attempts may take: the upstream's timeout is 10s",
        ),
        ("fallback = { status = 204, body = \"x\" }", "fallback.status: 204 has no content, but body has"),
        ("fallback = { status = 304, body = \"x\" }", "fallback.status: 304 has no content, but body has"),
        (
            "fallback = { body = \"x\", content_type = \"json\" }",
            "fallback.content_type: is no media type; write TYPE/SUBTYPE",
        ),
        ("fallback = { body = \"x\", content_type = \"a b/c\" }", "fallback.content_type: is no media type"),
        ("fallback = { body = \"x\", content_type = \"/\" }", "fallback.content_type: is no media type"),
        (
            "fallback = { upstream = \"a\" }",
            "fallback.upstream: is the route's own; another one must stand in for it",
        ),
        (
            "queue = { limit = 10001, adaptive = \"aimd\" }",
            "queue.limit: 10001 is where an adaptive limit cannot go; allowed beside adaptive: 1 to 10000",
        ),
        (
            "queue = { max_wait = \"2h\" }",
            "queue.max_wait: \"2h\" is out of range; write it with a unit, such as \"30s\" (allowed 1ms to 1h)",
        ),
    ] {
        let error = errors(&to_a(more));
        assert!(error.contains(told), "{told:?} is missing in:\n{error}");
        assert!(error.contains("one thing is wrong"), "{error}");
    }
    let error = errors("[cache]\nmax_entry_kib = 4096\nmax_collecting_mib = 1");
    assert!(
        error.contains(
            "line 3: cache.max_collecting_mib: has no room for one answer of cache.max_entry_kib, 4096 KiB"
        ),
        "{error}"
    );
}

#[test]
fn what_only_looks_like_it_is_accepted() {
    for more in [
        "cache = { tier = \"statistics_overview\", methods = [\"POST\"] }",
        "cache = { tier = \"search_results\" }",
        "retry = { jitter = 20, jitter_kind = \"proportional\" }",
        "retry = { multiplier = 3, jitter_kind = \"full\", attempt_deadline = \"10s\" }",
        "fallback = { status = 204, body = \"\" }",
        "fallback = { body = \"x\", content_type = \"text/plain; charset=utf-8\" }",
        "fallback = { upstream = \"b\" }",
        "queue = { limit = 10000, adaptive = \"gradient\", max_wait = \"1h\" }",
        "queue = { limit = 10001 }",
    ] {
        accepted(&to_a(more));
    }
    // One side may stand in for the other; and the longer one's time counts.
    let to_r =
        format!("{UPSTREAMS}[[routes]]\npath = \"/\"\nrollout = \"r\"\nfallback = {{ upstream = \"a\" }}\n");
    accepted(&format!("{to_r}retry = {{ attempt_deadline = \"1m\" }}"));
    assert!(errors(&format!("{to_r}retry = {{ attempt_deadline = \"61s\" }}")).contains("timeout is 1m"));
    // Probes are granted anew as they end: one at a time closes a breaker that wants several.
    let probes = "breaker = { permitted_probes = 1, successes_to_close = 3 }\n";
    accepted(&UPSTREAMS.replacen("timeout = \"10s\"\n", probes, 1));
}

#[test]
fn there_is_room_to_collect_the_largest_answer() {
    assert_eq!(accepted("").collecting_bytes, 32 << 20);
    assert_eq!(accepted("[cache]\nmax_mib = 128\nmax_entry_kib = 65536").collecting_bytes, 64 << 20);
    assert_eq!(accepted("[cache]\nmax_collecting_mib = 1").collecting_bytes, 1 << 20);
}
