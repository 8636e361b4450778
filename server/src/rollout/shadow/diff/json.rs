//! Two JSON documents, place by place.
//!
//! All items of a list are one place: which of them differs says little, that ten of twenty hits have another score
//! says the same once. Lists of other lengths are told by that alone, because where they begin to differ is a matter
//! of luck; lists of the same items in another order by that, and not by every item.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use serde_json::{Number, Value};

use super::super::trail::Trail;
use super::{Differences, Kind};

/// What lies deeper is compared as a whole.
const MAX_DEPTH: usize = 64;

pub(super) fn compare(first: &Value, second: &Value, differences: &mut Differences) {
    Walk { trail: Trail::root(), differences }.walk(first, second, 0);
}

struct Walk<'d> {
    trail: Trail,
    differences: &'d mut Differences,
}

impl Walk<'_> {
    fn walk(&mut self, first: &Value, second: &Value, depth: usize) {
        match (first, second) {
            _ if depth >= MAX_DEPTH => self.differ_unless(is_alike(first, second), Kind::Value),
            (Value::Object(one), Value::Object(other)) => {
                let members = one.len().max(other.len());
                for (name, value) in one {
                    self.trail.member(name, members);
                    match other.get(name) {
                        Some(beside) => self.walk(value, beside, depth + 1),
                        None => self.differ_unless(false, Kind::Missing),
                    }
                    self.trail.back();
                }
                for name in other.keys().filter(|name| !one.contains_key(*name)) {
                    self.trail.member(name, members);
                    self.differ_unless(false, Kind::Added);
                    self.trail.back();
                }
            }
            (Value::Array(one), Value::Array(other)) if one.len() != other.len() => {
                self.differ_unless(false, Kind::Length);
            }
            (Value::Array(one), Value::Array(other)) => {
                if is_alike(first, second) {
                    return;
                }
                if is_reordered(one, other) {
                    return self.differ_unless(false, Kind::Order);
                }
                self.trail.item();
                for (item, beside) in one.iter().zip(other) {
                    self.walk(item, beside, depth + 1);
                }
                self.trail.back();
            }
            _ if std::mem::discriminant(first) != std::mem::discriminant(second) => {
                self.differ_unless(false, Kind::Type);
            }
            _ => self.differ_unless(is_alike(first, second), Kind::Value),
        }
    }

    fn differ_unless(&mut self, is_alike: bool, kind: Kind) {
        if !is_alike {
            self.differences.note(self.trail.text(), kind);
        }
    }
}

/// Equal, however numbers are written.
fn is_alike(first: &Value, second: &Value) -> bool {
    match (first, second) {
        (Value::Number(one), Value::Number(other)) => number(one) == number(other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(item, beside)| is_alike(item, beside))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has = |(name, value): (&String, &Value)| {
                other.get(name).is_some_and(|beside| is_alike(value, beside))
            };
            one.len() == other.len() && one.iter().all(has)
        }
        _ => first == second,
    }
}

/// What a number is, with 1, 1.0 and 1e0 as one.
fn number(number: &Number) -> Result<i128, u64> {
    let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    whole.ok_or(()).or_else(|()| {
        let value = number.as_f64().unwrap_or_default();
        // Within this range every whole number is told apart from its neighbours.
        let is_whole = value.fract() == 0.0 && value.abs() < 9e15;
        #[allow(clippy::cast_possible_truncation)]
        if is_whole { Ok(value as i128) } else { Err(value.to_bits()) }
    })
}

/// Whether the second list has the items of the first in another order.
fn is_reordered(first: &[Value], second: &[Value]) -> bool {
    let hashes = |items: &[Value]| {
        let mut hashes: Vec<_> = items.iter().map(hash).collect();
        hashes.sort_unstable();
        hashes
    };
    hashes(first) == hashes(second)
}

/// The same for what [`is_alike`].
fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::Null => 0_u8.hash(&mut hasher),
        Value::Bool(on) => (1_u8, on).hash(&mut hasher),
        Value::Number(of) => (2_u8, number(of)).hash(&mut hasher),
        Value::String(text) => (3_u8, text).hash(&mut hasher),
        Value::Array(items) => {
            (4_u8, items.len()).hash(&mut hasher);
            items.iter().for_each(|item| hash(item).hash(&mut hasher));
        }
        Value::Object(members) => {
            // In whatever order they stand.
            let sum = members.iter().fold(0_u64, |sum, (name, value)| {
                let mut hasher = DefaultHasher::new();
                (name, hash(value)).hash(&mut hasher);
                sum.wrapping_add(hasher.finish())
            });
            (5_u8, sum).hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn differences(first: &Value, second: &Value) -> Differences {
        let mut differences = Differences::default();
        compare(first, second, &mut differences);
        differences
    }

    fn told(first: &Value, second: &Value) -> Vec<String> {
        let found = differences(first, second).found;
        found.into_iter().map(|one| format!("{} {}", one.path, one.kind.word())).collect()
    }

    #[test]
    fn each_kind_of_difference_is_told_with_its_place() {
        let first = json!({"a": 1, "b": "x", "c": [1, 2], "d": {"e": null}, "f": [1, 2], "g": true});
        let second = json!({"a": 2, "b": 7, "c": [1], "d": {"h": null}, "f": [2, 1], "g": true});
        let all = ["$.a value", "$.b type", "$.c length", "$.d.e missing", "$.d.h added", "$.f order"];
        assert_eq!(told(&first, &second), all);
        assert_eq!(told(&json!(null), &json!(false)), ["$ type"]);
    }

    #[test]
    fn items_of_a_list_are_one_place() {
        let first = json!({"hits": [{"id": 1, "score": 1}, {"id": 2, "score": 2}]});
        let second = json!({"hits": [{"id": 1, "score": 9}, {"id": 2, "score": "8"}]});
        assert_eq!(told(&first, &second), ["$.hits.*.score type", "$.hits.*.score value"]);
    }

    #[test]
    fn how_a_number_is_written_does_not_matter_but_what_it_is_does() {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(told(&read("[1, 1e3, -0.0]"), &read("[1.0, 1000, 0]")), [] as [&str; 0]);
        for (one, other) in [
            ("1", "1.5"),
            ("18446744073709551615", "18446744073709551614"),
            ("9007199254740993", "9007199254740992.0"),
        ] {
            assert_eq!(told(&read(one), &read(other)), ["$ value"], "{one} {other}");
        }
    }

    #[test]
    fn what_is_deeper_than_a_walk_goes_is_compared_as_a_whole() {
        let deep = |leaf: u8| (0..120).fold(json!(leaf), |inner, _| json!({"a": inner}));
        assert_eq!(differences(&deep(1), &deep(1)).found.len(), 0);
        assert_eq!(differences(&deep(1), &deep(2)).found.len(), 1);
    }

    #[test]
    fn places_are_bounded_and_it_is_told_that_there_are_more() {
        let wide = |value: u8| {
            let rows = (0..60).map(|row| {
                let name = |at: u32| {
                    format!(
                        "m{}{}",
                        char::from_u32(97 + at / 26).unwrap(),
                        char::from_u32(97 + at % 26).unwrap()
                    )
                };
                (name(row), (0..60).map(|column| (name(column), json!(value))).collect::<Value>())
            });
            rows.collect::<Value>()
        };
        let found = differences(&wide(1), &wide(2));
        assert_eq!((found.found.len(), found.is_cut), (super::super::MOST, true));
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3_i64..3).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-c@0-9]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-c0-9.]{0,3}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn equal_documents_never_differ(document in documents()) {
            prop_assert!(differences(&document, &document.clone()).is_none());
        }

        #[test]
        fn documents_that_differ_do_so_both_ways_alike(first in documents(), second in documents()) {
            let (there, back) = (differences(&first, &second), differences(&second, &first));
            prop_assert_eq!(there.is_none(), is_alike(&first, &second));
            prop_assert_eq!(there.found.len(), back.found.len());
            let turned = |kind| match kind {
                Kind::Missing => Kind::Added,
                Kind::Added => Kind::Missing,
                kind => kind,
            };
            let turned_back = back.found.into_iter().map(|mut one| {
                one.kind = turned(one.kind);
                one
            });
            prop_assert_eq!(there.found, turned_back.collect());
        }

        #[test]
        fn a_list_in_another_order_is_told_once(items in prop::collection::vec(documents(), 2..8), by in 1_usize..8) {
            let mut turned = items.clone();
            turned.rotate_left(by % items.len());
            let found = differences(&Value::from(items), &Value::from(turned)).found;
            prop_assert!(found.len() <= 1 && found.iter().all(|one| one.kind == Kind::Order), "{:?}", found);
        }
    }
}
