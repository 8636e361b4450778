//! What upstreams may be, and what their answers may take.

use super::{errors, parse};

fn with_breaker(timeout: &str, breaker: &str) -> String {
    format!("[upstreams.a]\ntargets = [\"http://h\"]\ntimeout = \"{timeout}\"\nbreaker = {{ {breaker} }}\n")
}

#[test]
fn slow_calls_are_a_share_and_a_time_that_a_call_may_take() {
    for (breaker, told) in [
        (
            "slow_call_rate_threshold = 50",
            "breaker.slow_call_duration_threshold: is missing; slow_call_rate_threshold needs the time",
        ),
        (
            "slow_call_duration_threshold = \"2s\"",
            "line 4: upstreams.a.breaker.slow_call_duration_threshold: changes nothing: slow_call_rate_threshold is",
        ),
        (
            "slow_call_rate_threshold = 50, slow_call_duration_threshold = \"11s\"",
            "slow_call_duration_threshold: 11s is longer than any call may take: the upstream's timeout is 10s",
        ),
        (
            "slow_call_rate_threshold = 50, slow_call_duration_threshold = 11",
            "slow_call_duration_threshold: 11 is not a duration",
        ),
        (
            "slow_call_rate_threshold = 101, slow_call_duration_threshold = \"2s\"",
            "slow_call_rate_threshold: 101 is out of range",
        ),
    ] {
        let error = errors(&with_breaker("10s", breaker));
        assert!(error.contains(told), "{told:?} is missing in:\n{error}");
        assert!(error.contains("one thing is wrong"), "{error}");
    }
    let both = "slow_call_rate_threshold = 50, slow_call_duration_threshold = \"10s\"";
    let settings = parse(&with_breaker("10s", both)).unwrap();
    let breaker = settings.upstreams[0].breaker.settings();
    assert_eq!(breaker.slow_call_duration_threshold.as_secs(), 10);
    // An upstream that fails fast is never slow.
    assert_eq!(breaker.consecutive_failures, Some(5));
    let settings = parse(&with_breaker("10s", "failure_rate_threshold = 50")).unwrap();
    assert_eq!(settings.upstreams[0].breaker.settings().consecutive_failures, None);
}

#[test]
fn an_attempt_must_be_able_to_begin_before_the_time_of_all_is_over() {
    let route = |timeout: &str, retry: &str| {
        format!(
            "{}[[routes]]\npath = \"/\"\nupstream = \"a\"\nretry = {{ {retry} }}",
            with_breaker(timeout, "")
        )
    };
    for (timeout, retry) in [
        ("500ms", ""),
        ("10s", "base = \"10s\", jitter = 0"),
        ("10s", "base = \"20s\", jitter_kind = \"equal\""),
        ("10s", "base = \"10s\", jitter_kind = \"decorrelated\""),
    ] {
        let error = errors(&route(timeout, retry));
        assert!(error.contains(".retry.base: ") && error.contains("one thing is wrong"), "{retry}: {error}");
    }
    for (timeout, retry) in [
        ("1s", ""),
        ("10s", "base = \"10s\""),
        ("10s", "base = \"20s\", jitter_kind = \"full\""),
        ("500ms", "max_attempts = 1"),
    ] {
        parse(&route(timeout, retry)).unwrap_or_else(|error| panic!("{timeout} {retry}: {error}"));
    }
}

#[test]
fn one_answer_has_room_among_all_and_the_keys_are_told_by_their_names() {
    let error = errors("[cache]\nmax_mib = 1\nmax_entry_kib = 2048\n");
    assert!(
        error.contains(
            "line 3: cache.max_entry_kib: 2048 is more than all answers may take: cache.max_mib is 1; \
             allowed: 1 to 1024"
        ),
        "{error}"
    );
    assert!(!error.contains("max_entry_bytes"), "{error}");
    parse("[cache]\nmax_mib = 2\nmax_entry_kib = 2048\n").unwrap();
}
