use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::rollout::Seed;

mod operators;
mod validation;

fn parsed(flag: Value) -> Flag {
    serde_json::from_value(flag).unwrap()
}

fn kept(key: &str, flag: Flag) -> Kept {
    let flag = Arc::new(flag);
    let (by, reason) = ("ada".to_owned(), String::new());
    Kept { key: key.to_owned(), flag, seed: Seed::new(42), version: 1, by, reason, at_ms: 0 }
}

fn snapshot(flags: &[(&str, Value)]) -> Snapshot {
    let flags = flags.iter().map(|(key, flag)| kept(key, parsed(flag.clone())));
    Snapshot::new(flags.collect(), Environment::Production)
}

/// Value, reason and sentence; or the error's code and sentence.
fn told(flags: &Snapshot, key: &str, context: Value) -> (Value, String, String) {
    let Value::Object(context) = context else { panic!("no object: {context}") };
    let context = JsonContext(context);
    match flags.evaluate(flags.position(key).unwrap(), &context).unwrap() {
        Ok(found) => (found.value.clone(), found.reason.word().to_owned(), found.because.to_string()),
        Err(failure) => {
            let code = serde_json::to_value(failure.code).unwrap();
            (Value::Null, code.as_str().unwrap().to_owned(), failure.because.to_string())
        }
    }
}

fn bool_flag(more: Value) -> Value {
    let mut flag = json!({
        "variants": {"on": true, "off": false}, "off_variant": "off", "default": "on",
    });
    flag.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    flag
}

#[test]
fn each_answer_says_why() {
    let country = json!({"if": [{"attribute": "country", "is": "one_of", "values": ["CH", "DE"]},
        {"attribute": "plan", "not": true, "is": "equals", "values": ["free"]}], "serve": "on"});
    let half = json!([{"variant": "on", "percent": 50}, {"variant": "off", "percent": 50}]);
    let flags = snapshot(&[
        ("plain", bool_flag(json!({}))),
        ("off", bool_flag(json!({"on": false}))),
        ("dev", bool_flag(json!({"environments": ["development", "staging"]}))),
        ("ruled", bool_flag(json!({"rules": [country], "default": "off"}))),
        ("needy", bool_flag(json!({"prerequisites": [{"flag": "ruled", "variant": "on"}]}))),
        ("half", bool_flag(json!({"default": half}))),
        ("by-org", bool_flag(json!({"default": half, "bucket_by": "org"}))),
        (
            "rule-split",
            bool_flag(json!({"rules": [{"if": [{"attribute": "beta", "is": "exists"}], "serve": half}]})),
        ),
    ]);
    let swiss = json!({"country": "CH", "plan": "pro", "targetingKey": "user-6"});
    let cases = [
        ("plain", json!({}), json!(true), "STATIC", "everybody gets it"),
        ("off", json!({}), json!(false), "DISABLED", "it is off"),
        (
            "dev",
            json!({}),
            json!(false),
            "DISABLED",
            "this is production, and it is for development and staging only",
        ),
        (
            "ruled",
            swiss.clone(),
            json!(true),
            "TARGETING_MATCH",
            "rule 1 matched: country is one of CH or DE, and plan is not free",
        ),
        ("ruled", json!({"country": "CH"}), json!(false), "DEFAULT", "no rule matched"),
        ("ruled", json!({"country": "CH", "plan": "free"}), json!(false), "DEFAULT", "no rule matched"),
        ("needy", json!({}), json!(false), "DISABLED", "it needs ruled to be on, which is off"),
        ("needy", swiss.clone(), json!(true), "STATIC", "everybody gets it"),
        ("half", swiss.clone(), json!(true), "SPLIT", "its targetingKey falls on 91.37 % ≥ 50 %"),
        (
            "half",
            json!({"targetingKey": "user-5"}),
            json!(false),
            "SPLIT",
            "its targetingKey falls on 7.19 % < 50 %",
        ),
        (
            "half",
            json!({}),
            Value::Null,
            "TARGETING_KEY_MISSING",
            "it is split by targetingKey, which the context does not hold",
        ),
        (
            "by-org",
            json!({}),
            Value::Null,
            "INVALID_CONTEXT",
            "it is split by org, which the context does not hold",
        ),
        (
            "by-org",
            json!({"org": []}),
            Value::Null,
            "INVALID_CONTEXT",
            "it is split by org, which must be a text or a number",
        ),
        (
            "rule-split",
            json!({"beta": 0, "targetingKey": "user-6"}),
            json!(true),
            "SPLIT",
            "rule 1 matched: beta is known; its targetingKey falls on 91.37 % ≥ 50 %",
        ),
    ];
    for (key, context, value, reason, because) in cases {
        let expected = (value, reason.to_owned(), because.to_owned());
        assert_eq!(told(&flags, key, context.clone()), expected, "{key} {context}");
    }
}

#[test]
fn all_kinds_of_values_come_back_as_they_were_written() {
    for value in [json!(true), json!("blue"), json!(3), json!(0.1), json!({"a": {"b": [1, null]}})] {
        let flags = snapshot(&[("f", json!({"variants": {"v": value}, "off_variant": "v", "default": "v"}))]);
        assert_eq!(told(&flags, "f", json!({})).0, value);
    }
}

fn three(a: f64, b: f64, c: f64) -> Snapshot {
    let split = json!([{"variant": "c", "percent": c}, {"variant": "a", "percent": a}, {"variant": "b", "percent": b}]);
    let variants = json!({"a": 1, "b": 2, "c": 3});
    snapshot(&[("f", json!({"variants": variants, "off_variant": "a", "default": split}))])
}

fn variant_of(flags: &Snapshot, user: u32) -> String {
    let key = format!("user-{user}");
    let context = Facts(&[(TARGETING_KEY, &key)]);
    flags.evaluate(0, &context).unwrap().unwrap().variant.to_owned()
}

#[test]
fn each_variant_has_its_share_of_twenty_thousand_keys() {
    for shares in [(10.0, 20.0, 70.0), (0.5, 0.0, 99.5), (33.33, 33.33, 33.34)] {
        let flags = three(shares.0, shares.1, shares.2);
        let got: Vec<_> = (0..20_000).map(|user| variant_of(&flags, user)).collect();
        for (variant, percent) in [("a", shares.0), ("b", shares.1), ("c", shares.2)] {
            let count = got.iter().filter(|got| *got == variant).count();
            let seen = f64::from(u32::try_from(count).unwrap()) / 200.0;
            // The 99 % interval of a fair draw of 20,000.
            let allowed = 2.576 * (percent * (100.0 - percent) / 20_000.0).sqrt();
            assert!((seen - percent).abs() <= allowed, "{variant}: {percent} % asked, {seen} % seen");
        }
    }
}

#[test]
fn nobody_loses_a_variant_whose_share_alone_is_raised() {
    // Of each in turn, at the expense of either or both of the others.
    let start = (20.0, 30.0, 50.0);
    let raised = [
        ("a", (35.0, 30.0, 35.0)),
        ("a", (35.0, 15.0, 50.0)),
        ("a", (60.0, 10.0, 30.0)),
        ("b", (10.0, 40.0, 50.0)),
        ("b", (20.0, 45.0, 35.0)),
        ("b", (0.0, 100.0, 0.0)),
        ("c", (5.0, 30.0, 65.0)),
        ("c", (0.0, 0.0, 100.0)),
    ];
    let before = three(start.0, start.1, start.2);
    for (variant, to) in raised {
        let after = three(to.0, to.1, to.2);
        for user in 0..2_000 {
            if variant_of(&before, user) == variant {
                assert_eq!(variant_of(&after, user), variant, "user {user}, {variant} raised: {to:?}");
            }
        }
    }
}

#[test]
fn a_share_is_given_and_taken_between_two_variants() {
    let share = |percent| rad_model::Share::from_percent(percent).unwrap();
    let whole = Serve::Variant("off".to_owned());
    let tenth = whole.shifted("on", share(10.0), "off").unwrap();
    assert_eq!((tenth.share("on"), tenth.share("off")), (share(10.0), share(90.0)));
    let more = tenth.shifted("on", share(33.33), "off").unwrap();
    assert_eq!((more.share("on"), more.share("off")), (share(33.33), share(66.67)));
    let third = more.shifted("blue", share(50.0), "off").unwrap();
    assert_eq!((third.share("on"), third.share("off")), (share(33.33), share(16.67)));
    assert_eq!(third.shifted("blue", share(70.0), "off"), None);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("1.2.3-rc.1")),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(".{0,6}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn every_operator() -> Snapshot {
    let numbers = ["less_than", "at_most", "more_than", "at_least"];
    let versions = ["semver_equals", "semver_before", "semver_at_most", "semver_after", "semver_at_least"];
    let texts = ["equals", "one_of", "starts_with", "ends_with", "contains"];
    let condition = |operator: &str, value: Value| {
        json!({"if": [{"attribute": "a", "is": operator, "values": [value]},
            {"attribute": "b.c", "not": true, "is": operator, "values": [value]}], "serve": "off"})
    };
    let rules: Vec<_> = numbers
        .iter()
        .map(|operator| condition(operator, json!(0.5)))
        .chain(versions.iter().map(|operator| condition(operator, json!("1.2.3"))))
        .chain(texts.iter().map(|operator| condition(operator, json!("a"))))
        .collect();
    let split = json!([{"variant": "on", "percent": 50}, {"variant": "off", "percent": 50}]);
    snapshot(&[("f", bool_flag(json!({"rules": rules, "default": split, "bucket_by": "a"})))])
}

proptest! {
    #[test]
    fn any_context_is_answered_and_always_in_the_same_way(a in any_json(), b in any_json()) {
        let flags = every_operator();
        let context = json!({"a": a, "b": b});
        let answer = told(&flags, "f", context.clone());
        prop_assert_eq!(told(&flags, "f", context), answer);
    }

    /// Whatever was stored: also what a check would have refused.
    #[test]
    fn prerequisites_never_go_round_for_ever(edges in prop::collection::vec((0_usize..6, 0_usize..6), 0..18)) {
        let name = |at: usize| format!("f{at}");
        let flags = (0..6).map(|at| {
            let needs: Vec<_> = edges.iter().filter(|(from, _)| *from == at)
                .map(|(_, to)| json!({"flag": name(*to), "variant": "on"})).collect();
            kept(&name(at), parsed(bool_flag(json!({"prerequisites": needs}))))
        });
        let flags = Snapshot::new(flags.collect(), Environment::Production);
        for at in 0..6 {
            prop_assert!(flags.evaluate(at, &Facts(&[])).is_some());
            let flag = flags.entries()[at].kept.flag.clone();
            let wrong = flag.check(&name(at), &flags);
            // Where nothing is wrong with any of them, all are on.
            let is_right = (0..6).all(|at| flags.entries()[at].kept.flag.check(&name(at), &flags).is_empty());
            if is_right {
                prop_assert_eq!(told(&flags, &name(at), json!({})).0, json!(true));
                prop_assert!(wrong.is_empty());
            }
        }
    }
}
