//! What limits count, and by what.

use super::{errors, parse};

#[test]
fn impossible_limits_and_durations_say_what_is_allowed() {
    let route = |limits: &str| {
        format!(
            "[upstreams.a]\ntargets = [\"http://h\"]\n[[routes]]\npath = \"/\"\nupstream = \"a\"\nlimits = {limits}"
        )
    };
    let error = errors(&route("[\"0/minute\"]"));
    assert!(error.contains("line 6") && error.contains("would reject everything"), "{error}");
    let error = errors(&route("[\"1/s\", \"1/m\", \"1/h\", \"1/d\", \"2/d\"]"));
    assert!(error.contains("allowed are 1 to 4"), "{error}");
    let error = errors("[upstreams.a]\ntargets = [\"http://h\"]\ntimeout = \"soon\"");
    assert!(error.contains("line 3") && error.contains("\"30s\""), "{error}");
}

fn route_with(keys: &str) -> String {
    format!("[upstreams.a]\ntargets = [\"http://h\"]\n[[routes]]\npath = \"/\"\nupstream = \"a\"\n{keys}\n")
}

#[test]
fn a_key_is_one_thing_or_several_together() {
    let key = |text: &str| parse(&route_with(&format!("key = {text}"))).unwrap().routes[0].key.to_string();
    for (written, read) in [
        ("\"cookie:session\"", "cookie:session"),
        ("\"route\"", "route"),
        ("[\"client\", \"header:X-Tenant\"]", "client + header:x-tenant"),
        ("[\"client\", \"route\"]", "client"),
        ("[\"org\"]", "org"),
        ("[\"route\"]", "route"),
    ] {
        assert_eq!(key(written), read, "{written}");
    }
    for (written, wrong) in [
        ("[]", "0 things to count by; allowed are 1 to 4"),
        ("[\"client\", \"global\"]", "global is everybody; it stands alone"),
        ("[\"client\", \"client\"]", "client stands twice"),
        ("[\"client\", 1]", "is not what to count by; write client, org"),
        ("[\"client\", \"header:a b\"]", "\"header:a b\" is unknown"),
        ("\"cookie:a;b\"", "\"cookie:a;b\" is unknown"),
        ("\"cookie:\"", "\"cookie:\" is unknown"),
        ("\"client:x\"", "\"client:x\" is unknown"),
        ("[\"header:a\", \"header:b\", \"header:c\", \"header:d\", \"header:e\"]", "5 things to count by"),
    ] {
        let error = errors(&route_with(&format!("key = {written}")));
        assert!(error.contains("line 6") && error.contains(wrong), "{written}: {error}");
    }
}

#[test]
fn impossible_settings_of_limits_and_attempts_are_refused_with_what_is_allowed() {
    for (written, wrong) in [
        ("limits = [\"4294967296/minute\"]", "the number of requests is no whole number"),
        ("limits = [\"18446744073709551615/minute\"]", "(1 to 4294967295 requests;"),
        ("limits = [\"-1/minute\"]", "the number of requests is no whole number"),
        ("limits = [\"5/0s\"]", "a window of 0 s holds nothing"),
        ("limits = [\"5/366d\"]", "the window is over 365 days"),
        ("limits = [\"5/99999999999999999999d\"]", "the window is too long"),
        ("limits = [\"5/60s\", \"9/minute\"]", "two windows of 60 s"),
        ("limits = [\"5/s\"]\nburst = 0", "0 is out of range; allowed: 1 to 4294967295"),
        ("limits = [\"1/365d\"]\nburst = 4294967295", "would take"),
        ("limits = [\"5/s\"]\nstrategy = \"fixed_window\"\nburst = 9", "fixed_window has none"),
        (
            "limits = [\"200/minute\", \"1000/hour\"]\nburst = 1001",
            "burst: 1001 at once is more than 1000/hour ever lets through; allowed: 1 to 1000",
        ),
        ("limits = [\"5/s\"]\nlimit_wait = \"0s\"", "\"0s\" is out of range; write it with a unit"),
        ("limits = [\"5/s\"]\nlimit_wait = \"2m\"", "(allowed 1ms to 1m)"),
        ("limits = [\"5/s\"]\nlimit_wait = \"1s\"\nlimit_waiting = 0", "allowed: 1 to 1000"),
        ("limits = [\"5/s\"]\nlimit_waiting = 5", "limit_wait is not set"),
        ("limits = [\"5/s\"]\nshadow = true\nlimit_wait = \"1s\"", "limits in shadow reject nothing"),
        ("limits = []\nlimit_wait = \"1s\"", "limits is empty"),
        ("retry = { max_attempts = 0 }", "allowed: 1 to 100"),
        ("retry = { max_attempts = 101 }", "allowed: 1 to 100"),
        ("retry = { base = \"0s\" }", "(allowed 1ms to 1day)"),
        ("retry = { base = \"2m\", cap = \"1m\" }", "cap: 60s is outside 120s, the base, to 1 day"),
        ("retry = { base = \"2m\" }", "cap: 60s is outside 120s, the base, to 1 day"),
        ("retry = { multiplier = 0.5 }", "write a number of 1 to 100"),
        ("retry = { multiplier = nan }", "write a number of 1 to 100"),
        ("retry = { jitter = 101 }", "101 is out of range; write a number of percent, 0 to 100"),
        ("retry = { jitter = -1 }", "-1 is out of range; write a number of percent, 0 to 100"),
        ("retry = { jitter_kind = \"full\", jitter = 10 }", "changes nothing: jitter_kind is \"full\""),
        ("retry = { budget = 100.5 }", "out of range; write a number of percent, 0 to 100"),
        ("retry = { budget = 0, budget_minimum_per_second = 0 }", "share: 0 % is outside"),
        ("retry = { budget_minimum_per_second = 100001 }", "allowed: 0 to 100000"),
        ("retry = { statuses = [399] }", "allowed: 400 to 599"),
        ("retry = { statuses = [502, 502] }", "502 stands twice"),
        ("retry = { attempt_deadline = \"0ms\" }", "(allowed 1ms to 1day)"),
        (
            "retry = { base = \"40s\" }",
            "retry.base: 40s leaves no time for another attempt: all of them share the upstream's timeout, 30s",
        ),
        ("hedge = {}", "hedge.after: is missing"),
        ("hedge = { after = \"0s\" }", "(allowed 1ms to 1day)"),
        ("hedge = { after = \"1s\", max = 4 }", "allowed: 1 to 3"),
        ("hedge = { after = \"40s\" }", "is not before the timeout of a (30s): it would never happen"),
    ] {
        let error = errors(&route_with(written));
        assert!(error.contains(wrong), "{written}: {error}");
    }
}

#[test]
fn a_bucket_may_hold_more_than_its_window_refills_and_as_much_as_longer_ones_let_through() {
    for keys in ["limits = [\"5/s\"]\nburst = 100", "limits = [\"200/minute\", \"1000/hour\"]\nburst = 1000"]
    {
        parse(&route_with(keys)).unwrap_or_else(|error| panic!("{keys}: {error}"));
    }
}
