//! In what two answers differ: where and how, never the values.

mod json;

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName};
use serde::Serialize;

use super::answer::{Answer, Content};
use super::rules::Rules;

/// More places than this in which two answers differ are not told apart.
const MOST: usize = 1_000;

/// How two answers differ at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Only the first has it.
    Missing,
    /// Only the second has it.
    Added,
    Type,
    Value,
    /// Lists, or bodies, of other lengths.
    Length,
    /// The same items in another order.
    Order,
}

impl Kind {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Added => "added",
            Self::Type => "type",
            Self::Value => "value",
            Self::Length => "length",
            Self::Order => "order",
        }
    }
}

/// One place, and how answers differ there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// `$.hits.*.score` in a JSON body; `status`, `header:NAME`, `body`, or `answer` for all of it.
    pub path: String,
    pub kind: Kind,
}

/// All that two answers differ in; each place once, however many items of a list differ there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    pub found: BTreeSet<Difference>,
    /// Whether there are more.
    pub is_cut: bool,
    /// Whether the bodies were left out: one is too long, or in a coding that is not understood.
    pub is_partial: bool,
}

impl Differences {
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.found.is_empty()
    }

    fn note(&mut self, path: &str, kind: Kind) {
        if self.found.len() < MOST {
            self.found.insert(Difference { path: path.to_owned(), kind });
        } else {
            self.is_cut = true;
        }
    }
}

/// In what a second answer differs from the first; none at all differs by that alone.
#[must_use]
pub fn compare(first: &Answer, second: Option<&Answer>, rules: &Rules) -> Differences {
    let mut differences = Differences::default();
    let Some(second) = second else {
        differences.note("answer", Kind::Missing);
        return differences;
    };
    if first.status != second.status {
        differences.note("status", Kind::Value);
    }
    let names: BTreeSet<_> = [first, second]
        .into_iter()
        .flat_map(|answer| answer.headers.keys())
        .filter(|name| rules.matters(name))
        .map(HeaderName::as_str)
        .collect();
    for name in names {
        if let Some(kind) = header(name, &first.headers, &second.headers) {
            differences.note(&format!("header:{name}"), kind);
        }
    }
    bodies(&first.content, &second.content, &mut differences);
    differences
}

fn header(name: &str, first: &HeaderMap, second: &HeaderMap) -> Option<Kind> {
    match (first.contains_key(name), second.contains_key(name)) {
        (true, false) => Some(Kind::Missing),
        (false, true) => Some(Kind::Added),
        _ if first.get_all(name).iter().eq(second.get_all(name)) => None,
        _ => Some(Kind::Value),
    }
}

fn bodies(first: &Content, second: &Content, differences: &mut Differences) {
    use Content::{Coded, Empty, Json, Other, TooLong};
    match (first, second) {
        (Empty, Empty) => {}
        (Coded, _) | (_, Coded) | (TooLong, TooLong) => differences.is_partial = true,
        (Empty, _) => differences.note("body", Kind::Added),
        (_, Empty) => differences.note("body", Kind::Missing),
        (TooLong, _) | (_, TooLong) => {
            differences.is_partial = true;
            differences.note("body", Kind::Length);
        }
        (Json(first), Json(second)) => json::compare(first, second, differences),
        (Json(_), Other(_)) | (Other(_), Json(_)) => differences.note("body", Kind::Type),
        (Other(first), Other(second)) if first == second => {}
        (Other(_), Other(_)) => differences.note("body", Kind::Value),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode};
    use serde_json::json;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], content: Content) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: map, content }
    }

    fn told(first: &Answer, second: Option<&Answer>) -> Vec<String> {
        let found = compare(first, second, &Rules::default()).found;
        found
            .into_iter()
            .map(|difference| format!("{} {}", difference.path, difference.kind.word()))
            .collect()
    }

    #[test]
    fn status_headers_and_bodies_are_told_apart() {
        let first = answer(200, &[("content-type", "a/b"), ("date", "1")], Content::Other(b"x".to_vec()));
        assert_eq!(told(&first, Some(&first)), [] as [&str; 0]);
        let second = answer(404, &[("location", "/"), ("date", "2")], Content::Other(b"y".to_vec()));
        let all = ["body value", "header:content-type missing", "header:location added", "status value"];
        assert_eq!(told(&first, Some(&second)), all);
        assert_eq!(told(&first, None), ["answer missing"]);
    }

    #[test]
    fn bodies_that_are_not_read_are_compared_by_what_is_known_of_them() {
        let of = |content| answer(200, &[], content);
        let short = || of(Content::Other(b"x".to_vec()));
        let compared = |first: &Answer, second: &Answer| {
            let differences = compare(first, Some(second), &Rules::default());
            (differences.found.into_iter().map(|one| one.kind).next(), differences.is_partial)
        };
        let too_long = || of(Content::TooLong);
        assert_eq!(compared(&too_long(), &too_long()), (None, true));
        assert_eq!(compared(&short(), &too_long()), (Some(Kind::Length), true));
        assert_eq!(compared(&short(), &of(Content::Coded)), (None, true));
        assert_eq!(compared(&short(), &of(Content::Empty)), (Some(Kind::Missing), false));
        assert_eq!(compared(&of(Content::Empty), &too_long()), (Some(Kind::Added), false));
        assert_eq!(compared(&short(), &of(Content::Json(json!(1)))), (Some(Kind::Type), false));
    }

    #[test]
    fn every_value_of_a_header_counts() {
        let one = answer(200, &[("location", "/a"), ("location", "/b")], Content::Empty);
        let other = answer(200, &[("location", "/a")], Content::Empty);
        assert_eq!(told(&one, Some(&other)), ["header:location value"]);
    }
}
