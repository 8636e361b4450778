use super::*;

fn wrong(flag: Value) -> Vec<String> {
    let others = snapshot(&[
        ("other", bool_flag(json!({}))),
        ("needs-f", bool_flag(json!({"prerequisites": [{"flag": "f", "variant": "on"}]}))),
    ]);
    parsed(flag).check("f", &others).iter().map(ToString::to_string).collect()
}

#[test]
fn everything_that_is_wrong_is_said_with_its_place_and_what_is_allowed() {
    let flag = bool_flag(json!({
        "variants": {"on": true, "off": "no", "li st": [], "null": null},
        "off_variant": "of",
        "environments": [],
        "rules": [
            {"if": [], "serve": "blue"},
            {"if": [
                {"attribute": "", "is": "exists", "values": [1]},
                {"attribute": "age", "is": "at_least", "values": ["18"]},
                {"attribute": "age", "is": "at_most", "values": [1, 2]},
                {"attribute": "v", "is": "semver_after", "values": ["1.2"]},
            ], "serve": [{"variant": "on", "percent": 50}, {"variant": "on", "percent": 49.99}]},
        ],
        "prerequisites": [{"flag": "unknown", "variant": "on"}, {"flag": "other", "variant": "blue"}, {"flag": "f", "variant": "on"}],
    }));
    let said = wrong(flag).join("\n");
    for expected in [
        "variants: \"li st\" is no name: 1 to 64 letters",
        "variants.null: is a list or null; a boolean, string, number or object is allowed",
        "variants.on: is a boolean, but the first variant is a list or null; all must be of one kind",
        "off_variant: no variant is named \"of\"; known: li st, null, off and on",
        "environments: is empty; name development, staging or production",
        "rules[0].if: holds 0 conditions; 1 to 20 are allowed",
        "rules[0].serve: no variant is named \"blue\"",
        "rules[1].if[0].attribute: must be the name of an attribute",
        "rules[1].if[0].values: must be left out",
        "rules[1].if[1].values[0]: does not fit; numbers are allowed",
        "rules[1].if[2].values: holds 2; exactly one is allowed",
        "rules[1].if[3].values[0]: does not fit; versions such as \"1.20.0\" are allowed",
        "rules[1].serve[1].variant: \"on\" stands here twice",
        "rules[1].serve: its percentages are 99.99 together; they must be 100",
        "prerequisites[0].flag: no flag has the key \"unknown\"",
        "prerequisites[1].variant: other has no variant \"blue\"; known: off and on",
        "prerequisites[2].flag: is this flag itself",
    ] {
        assert!(said.contains(expected), "{expected} is not in\n{said}");
    }
    assert_eq!(wrong(bool_flag(json!({}))), [] as [&str; 0]);
}

#[test]
fn what_has_too_many_of_something_is_refused() {
    let many = |count: usize| (0..count).map(|at| json!(at.to_string())).collect::<Vec<_>>();
    let rule = json!({"if": [{"attribute": "x", "is": "one_of", "values": many(501)}], "serve": "on"});
    let said = wrong(bool_flag(json!({"rules": vec![rule; 51], "description": "x".repeat(501)}))).join("\n");
    for expected in ["at most 65536", "500 letters", "51 rules; at most 50", "holds 501; 1 to 500 are"] {
        assert!(said.contains(expected), "{expected} is not in\n{said}");
    }
    let variants: Map<_, _> = (0..21).map(|at| (format!("v{at}"), json!(at))).collect();
    let said = wrong(json!({"variants": variants, "off_variant": "v0", "default": "v1"}));
    assert_eq!(said, ["variants: holds 21; 1 to 20 are allowed"]);
}

#[test]
fn a_flag_that_needs_itself_by_way_of_another_is_refused_with_the_way() {
    let needs = json!([{"flag": "needs-f", "variant": "on"}]);
    let said = wrong(bool_flag(json!({"prerequisites": needs})));
    assert_eq!(
        said,
        ["prerequisites: they lead back to it: f needs needs-f needs f; a flag cannot need itself"]
    );
}

#[test]
fn too_long_a_row_of_flags_that_need_each_other_is_refused() {
    let chain = |count: usize| {
        let flags = (0..count).map(|at| {
            let needs = match at {
                0 => json!([]),
                _ => json!([{"flag": format!("f{}", at - 1), "variant": "on"}]),
            };
            kept(&format!("f{at}"), parsed(bool_flag(json!({"prerequisites": needs}))))
        });
        Snapshot::new(flags.collect(), Environment::Production)
    };
    let needs = |flag: &str| parsed(bool_flag(json!({"prerequisites": [{"flag": flag, "variant": "on"}]})));
    let five = chain(5);
    assert_eq!(needs("f4").check("f5", &five), []);
    let six = chain(6);
    assert_eq!(told(&six, "f5", json!({})).0, json!(true));
    assert!(needs("f5").check("f6", &six)[0].to_string().contains("more than 5 flags"));
    // From the other end too.
    let below = kept("below", parsed(bool_flag(json!({}))));
    let all = six.entries().iter().map(|entry| entry.kept.clone()).chain([below]).collect();
    let all = Snapshot::new(all, Environment::Production);
    assert!(needs("below").check("f0", &all)[0].to_string().contains("more than 5 flags"));
}

#[test]
fn what_others_need_is_told() {
    let others = snapshot(&[
        ("f", bool_flag(json!({}))),
        ("needs-f", bool_flag(json!({"prerequisites": [{"flag": "f", "variant": "on"}]}))),
    ]);
    assert_eq!(unmet_by("f", None, &others), ["needs-f"]);
    let other = parsed(json!({"variants": {"blue": true}, "off_variant": "blue", "default": "blue"}));
    assert_eq!(unmet_by("f", Some(&other), &others), ["needs-f"]);
    assert_eq!(unmet_by("f", Some(&parsed(bool_flag(json!({})))), &others), [] as [&str; 0]);
    assert_eq!(unmet_by("needs-f", None, &others), [] as [&str; 0]);
}

#[test]
fn what_cannot_be_read_is_refused_with_what_is_allowed() {
    for (flag, expected) in [
        (bool_flag(json!({"enabled": true})), "unknown field `enabled`"),
        (bool_flag(json!({"default": 7})), "the name of a variant, or a list"),
        (
            bool_flag(json!({"default": [{"variant": "on", "percent": 101}]})),
            "a number from 0 to 100, in percent and steps",
        ),
        (bool_flag(json!({"environments": ["test"]})), "`development`, `staging`, `production`"),
        (
            bool_flag(json!({"rules": [{"if": [{"attribute": "a", "is": "like"}], "serve": "on"}]})),
            "`starts_with`",
        ),
    ] {
        let error = serde_json::from_value::<Flag>(flag).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}
