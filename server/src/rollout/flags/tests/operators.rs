use super::*;

fn holds(condition: Value, context: Value) -> bool {
    let flags = snapshot(&[(
        "f",
        bool_flag(json!({"rules": [{"if": [condition], "serve": "on"}], "default": "off"})),
    )]);
    told(&flags, "f", context).0 == json!(true)
}

#[test]
fn each_operator_compares_what_it_says() {
    let cases = [
        ("equals", json!(["a"]), json!("a"), json!("A")),
        ("equals", json!([1]), json!(1.0), json!("1")),
        ("equals", json!([true]), json!(true), json!(false)),
        ("one_of", json!(["a", 2]), json!(2), json!(3)),
        ("starts_with", json!(["10.", "192."]), json!("192.0.2.1"), json!("1.10.")),
        ("ends_with", json!(["@example.org"]), json!("a@example.org"), json!("a@example.org.evil")),
        ("contains", json!(["bot"]), json!("robot"), json!("human")),
        ("less_than", json!([5]), json!(4.9), json!(5)),
        ("at_most", json!([5]), json!(5), json!(5.1)),
        ("more_than", json!([-1]), json!(0), json!(-1)),
        ("at_least", json!([18]), json!(18), json!("18")),
        ("semver_equals", json!(["1.2.3"]), json!("1.2.3+build.7"), json!("1.2.3-rc.1")),
        ("semver_before", json!(["1.10.0"]), json!("1.9.9"), json!("1.10.0")),
        ("semver_before", json!(["1.0.0"]), json!("1.0.0-alpha"), json!("no version")),
        ("semver_at_most", json!(["2.0.0"]), json!("2.0.0"), json!("2.0.1")),
        ("semver_after", json!(["1.2.3"]), json!("1.2.4"), json!("1.2.3+9")),
        ("semver_at_least", json!(["1.2.3"]), json!("1.2.3"), json!("1.2")),
    ];
    for (operator, values, fits, does_not) in cases {
        let condition = json!({"attribute": "x", "is": operator, "values": values});
        assert!(holds(condition.clone(), json!({"x": fits})), "{condition} {fits}");
        assert!(!holds(condition.clone(), json!({"x": does_not})), "{condition} {does_not}");
    }
}

#[test]
fn of_what_is_not_known_or_of_another_kind_nothing_holds_and_its_contrary_neither() {
    for not in [false, true] {
        let condition = |operator: &str, value: Value| json!({"attribute": "x", "not": not, "is": operator, "values": [value]});
        assert!(!holds(condition("equals", json!("CH")), json!({})));
        assert!(!holds(condition("equals", json!("CH")), json!({"x": null})));
        assert!(!holds(condition("at_least", json!(18)), json!({"x": "old"})));
        assert!(!holds(condition("semver_before", json!("1.0.0")), json!({"x": "one"})));
        assert!(!holds(condition("contains", json!("a")), json!({"x": {"a": 1}})));
    }
    assert!(holds(json!({"attribute": "x", "not": true, "is": "exists"}), json!({})));
    assert!(!holds(json!({"attribute": "x", "not": true, "is": "exists"}), json!({"x": 0})));
    assert!(holds(
        json!({"attribute": "x", "not": true, "is": "equals", "values": ["CH"]}),
        json!({"x": "DE"})
    ));
}

#[test]
fn a_list_is_what_one_of_its_items_is() {
    let admin = json!({"attribute": "roles", "is": "equals", "values": ["admin"]});
    assert!(holds(admin.clone(), json!({"roles": ["viewer", "admin"]})));
    assert!(!holds(admin.clone(), json!({"roles": []})));
    assert!(!holds(admin, json!({"roles": [["admin"]]})));
    let no_admin = json!({"attribute": "roles", "not": true, "is": "equals", "values": ["admin"]});
    assert!(holds(no_admin.clone(), json!({"roles": ["viewer"]})));
    assert!(!holds(no_admin, json!({"roles": ["viewer", "admin"]})));
}

#[test]
fn an_attribute_may_lie_within_another() {
    let condition = json!({"attribute": "user.org.name", "is": "equals", "values": ["acme"]});
    assert!(holds(condition.clone(), json!({"user": {"org": {"name": "acme"}}})));
    assert!(holds(condition.clone(), json!({"user.org.name": "acme"})));
    assert!(!holds(condition, json!({"user": "acme"})));
}
