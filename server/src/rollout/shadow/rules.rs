//! What of two answers is compared.

use http::HeaderName;
use serde_json::Value;

/// A part of answers that may differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// The members from the root down; `*` is any member or item. What lies below is ignored, too.
    Path(Vec<String>),
    Header(HeaderName),
}

impl Ignored {
    /// Reads `$.hits.*.score` or `header:NAME`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("header:") {
            return name.parse().ok().map(Self::Header);
        }
        let steps = match text.strip_prefix('$')? {
            "" => Vec::new(),
            rest => rest.strip_prefix('.')?.split('.').map(str::to_owned).collect(),
        };
        steps.iter().all(|step| !step.is_empty()).then_some(Self::Path(steps))
    }
}

/// The headers that matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Headers {
    Named(Vec<HeaderName>),
    All,
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    pub headers: Headers,
    pub ignore: Vec<Ignored>,
}

impl Headers {
    #[must_use]
    pub fn hold(&self, name: &HeaderName) -> bool {
        match self {
            Self::Named(names) => names.contains(name),
            // How long an answer is, is told by its body; the number of a request is its own.
            Self::All => !matches!(name.as_str(), "content-length" | "x-request-id"),
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        let matter = ["content-type", "location", "cache-control"];
        Self { headers: Headers::Named(matter.map(HeaderName::from_static).to_vec()), ignore: Vec::new() }
    }
}

impl Rules {
    /// Whether a difference of a header counts.
    #[must_use]
    pub fn matters(&self, name: &HeaderName) -> bool {
        self.headers.hold(name)
            && !self.ignore.iter().any(|ignored| matches!(ignored, Ignored::Header(other) if other == name))
    }

    /// Takes out of a document what is ignored: before it is compared, so that lists which differ in nothing else
    /// but in their order are seen to.
    pub fn prune(&self, document: &mut Value) {
        for ignored in &self.ignore {
            match ignored {
                Ignored::Path(steps) if steps.is_empty() => *document = Value::Null,
                Ignored::Path(steps) => prune(document, steps),
                Ignored::Header(_) => {}
            }
        }
    }
}

fn prune(value: &mut Value, steps: &[String]) {
    let Some((first, rest)) = steps.split_first() else { return };
    match value {
        Value::Array(items) if first == "*" => match rest {
            [] => items.clear(),
            rest => items.iter_mut().for_each(|item| prune(item, rest)),
        },
        Value::Object(members) if first == "*" => match rest {
            [] => members.clear(),
            rest => members.values_mut().for_each(|member| prune(member, rest)),
        },
        Value::Object(members) => {
            // A name may hold dots itself.
            for end in 1..=steps.len() {
                let name = steps[..end].join(".");
                if end == steps.len() {
                    members.remove(&name);
                } else if let Some(member) = members.get_mut(&name) {
                    prune(member, &steps[end..]);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pruned(ignore: &str, mut document: Value) -> Value {
        let rules = Rules { ignore: vec![Ignored::parse(ignore).unwrap()], ..Rules::default() };
        rules.prune(&mut document);
        document
    }

    #[test]
    fn what_is_ignored_is_taken_out_with_all_below_it() {
        let document =
            || json!({"took": 3, "hits": [{"id": 1, "score": {"x": 1}}, {"id": 2}], "a.b": {"c": 1}});
        assert_eq!(pruned("$.took", document())["took"], Value::Null);
        assert_eq!(pruned("$.hits.*.score", document())["hits"], json!([{"id": 1}, {"id": 2}]));
        assert_eq!(pruned("$.hits.*", document())["hits"], json!([]));
        assert_eq!(pruned("$.a.b.c", document())["a.b"], json!({}));
        assert_eq!(pruned("$.*.*.id", document())["hits"], json!([{"score": {"x": 1}}, {}]));
        assert_eq!(pruned("$", document()), Value::Null);
        for nothing in ["$.absent", "$.took.deeper", "$.hits.id", "header:date"] {
            assert_eq!(pruned(nothing, document()), document(), "{nothing}");
        }
    }

    #[test]
    fn what_is_neither_a_path_nor_a_header_is_refused() {
        for text in ["", "took", "$took", "$.", "$..a", "$.a.", "header:", "header:a b", "$ .a"] {
            assert_eq!(Ignored::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn named_headers_matter_and_all_of_them_but_those_that_are_ignored() {
        let name = |text: &'static str| HeaderName::from_static(text);
        let named = Rules::default();
        assert!(named.matters(&name("content-type")) && !named.matters(&name("date")));
        let ignore = vec![Ignored::parse("header:Date").unwrap()];
        let all = Rules { headers: Headers::All, ignore };
        assert!(all.matters(&name("etag")) && !all.matters(&name("date")));
        assert!(!all.matters(&name("content-length")));
    }
}
