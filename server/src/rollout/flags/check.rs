//! What is wrong with a flag. All of it is said at once, each with its place in what was written.

use std::collections::HashMap;

use rad_model::Share;

use super::definition::Kind;
use super::operator::fits;
use super::words::list;
use super::{Condition, Flag, Rule, Serve, Snapshot};

pub const MAX_FLAGS: usize = 1_000;
/// Bytes of a flag, as JSON.
const MAX_JSON: usize = 64 << 10;
const MAX_VARIANTS: usize = 20;
const MAX_RULES: usize = 50;
const MAX_CONDITIONS: usize = 20;
const MAX_VALUES: usize = 500;
const MAX_PREREQUISITES: usize = 5;
/// How many flags may stand behind each other by what they need.
pub const MAX_DEPTH: usize = 5;
const MAX_NAME: usize = 64;
const MAX_TEXT: usize = 500;

/// Something wrong with a part of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub field: String,
    /// What is wrong, and what is allowed.
    pub detail: String,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.detail)
    }
}

#[derive(Default)]
struct Problems(Vec<Wrong>);

impl Problems {
    fn add(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Wrong { field: field.into(), detail: detail.into() });
    }
}

/// Whether a key can be one.
///
/// # Errors
/// With what is allowed.
pub fn check_key(key: &str) -> Result<(), Wrong> {
    if is_name(key) {
        return Ok(());
    }
    let detail = format!("{key:?} is no key: 1 to {MAX_NAME} letters, digits, '-', '_' or '.' are allowed");
    Err(Wrong { field: "key".to_owned(), detail })
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    // Of dots alone it would lead elsewhere as a part of a path.
    name.contains(|c: char| c != '.') && name.len() <= MAX_NAME && name.chars().all(fits)
}

impl Flag {
    /// Everything that is wrong with it as the flag `key` among the others.
    #[must_use]
    pub fn check(&self, key: &str, others: &Snapshot) -> Vec<Wrong> {
        let mut problems = Problems::default();
        let size = serde_json::to_vec(self).map_or(usize::MAX, |json| json.len());
        if size > MAX_JSON {
            problems.add("flag", format!("takes {size} bytes as JSON; at most {MAX_JSON} are allowed"));
        }
        if self.description.chars().count() > MAX_TEXT {
            problems.add("description", format!("is longer than the {MAX_TEXT} letters that are allowed"));
        }
        self.check_variants(&mut problems);
        if self.environments.is_empty() {
            problems
                .add("environments", "is empty; name development, staging or production, or set on to false");
        }
        if !is_attribute(&self.bucket_by) {
            problems.add("bucket_by", format!("must be the name of an attribute, 1 to {MAX_NAME} letters"));
        }
        if self.rules.len() > MAX_RULES {
            problems
                .add("rules", format!("holds {} rules; at most {MAX_RULES} are allowed", self.rules.len()));
        }
        for (at, rule) in self.rules.iter().enumerate() {
            check_rule(&format!("rules[{at}]"), rule, &mut problems);
        }
        for (field, serve) in self.serves() {
            self.check_serve(&field, serve, &mut problems);
        }
        self.check_prerequisites(key, others, &mut problems);
        problems.0
    }

    fn check_variants(&self, problems: &mut Problems) {
        let count = self.variants.len();
        if count == 0 || count > MAX_VARIANTS {
            problems.add("variants", format!("holds {count}; 1 to {MAX_VARIANTS} are allowed"));
        }
        for (name, value) in &self.variants {
            let field = format!("variants.{name}");
            let kind = Kind::of(value);
            if !is_name(name) {
                let allowed = format!("1 to {MAX_NAME} letters, digits, '-', '_' or '.' are allowed");
                problems.add("variants", format!("{name:?} is no name: {allowed}"));
            } else if kind == Kind::Other {
                problems.add(field, "is a list or null; a boolean, string, number or object is allowed");
            } else if kind != self.kind() {
                let (is, first) = (kind.word(), self.kind().word());
                problems.add(
                    field,
                    format!("is a {is}, but the first variant is a {first}; all must be of one kind"),
                );
            }
        }
        self.check_variant("off_variant", &self.off_variant, problems);
    }

    fn check_variant(&self, field: &str, name: &str, problems: &mut Problems) {
        if !self.variants.contains_key(name) {
            let known: Vec<_> = self.variants.keys().collect();
            problems.add(field, format!("no variant is named {name:?}; known: {}", list(&known, "and")));
        }
    }

    fn check_serve(&self, field: &str, serve: &Serve, problems: &mut Problems) {
        let portions = match serve {
            Serve::Variant(name) => return self.check_variant(field, name, problems),
            Serve::Split(portions) => portions,
        };
        let mut sum = 0_u32;
        for (at, portion) in portions.iter().enumerate() {
            let field = format!("{field}[{at}].variant");
            self.check_variant(&field, &portion.variant, problems);
            if portions.iter().take(at).any(|earlier| earlier.variant == portion.variant) {
                problems.add(
                    field,
                    format!("{:?} stands here twice; each variant may stand once", portion.variant),
                );
            }
            sum = sum.saturating_add(portion.percent.basis_points().into());
        }
        if sum != u32::from(Share::ALL.basis_points()) {
            let sum = f64::from(sum) / 100.0;
            problems.add(field, format!("its percentages are {sum} together; they must be 100"));
        }
    }

    fn check_prerequisites(&self, key: &str, others: &Snapshot, problems: &mut Problems) {
        let count = self.prerequisites.len();
        if count > MAX_PREREQUISITES {
            problems.add("prerequisites", format!("holds {count}; at most {MAX_PREREQUISITES} are allowed"));
            return;
        }
        for (at, needed) in self.prerequisites.iter().enumerate() {
            let field = format!("prerequisites[{at}]");
            if needed.flag == key {
                problems.add(format!("{field}.flag"), "is this flag itself; name another");
            } else if let Some(other) = others.get(&needed.flag) {
                if !other.flag.variants.contains_key(&needed.variant) {
                    let known: Vec<_> = other.flag.variants.keys().collect();
                    let (flag, variant) = (&needed.flag, &needed.variant);
                    let known = list(&known, "and");
                    problems.add(
                        format!("{field}.variant"),
                        format!("{flag} has no variant {variant:?}; known: {known}"),
                    );
                }
            } else {
                problems.add(format!("{field}.flag"), format!("no flag has the key {:?}", needed.flag));
            }
        }
        let mut graph = Graph { edges: HashMap::new(), depth: HashMap::new() };
        for entry in others.entries() {
            graph.edges.insert(&entry.kept.key, needed(&entry.kept.flag));
        }
        graph.edges.insert(key, needed(self));
        let keys: Vec<_> = graph.edges.keys().copied().collect();
        let deepest = keys.into_iter().map(|key| graph.depth(key)).max().unwrap_or(Some(0));
        // The others are in order already: what is wrong is so because of this one.
        match way_back(&graph, key) {
            Some(cycle) => {
                let detail = format!("they lead back to it: {cycle}; a flag cannot need itself");
                problems.add("prerequisites", detail);
            }
            None if deepest.is_none_or(|deepest| deepest > MAX_DEPTH) => {
                problems.add(
                    "prerequisites",
                    format!(
                        "more than {MAX_DEPTH} flags would stand behind each other; at most {MAX_DEPTH} may"
                    ),
                );
            }
            None => {}
        }
    }
}

fn needed(flag: &Flag) -> Vec<&str> {
    flag.prerequisites.iter().map(|needed| needed.flag.as_str()).collect()
}

/// Which flags need which.
struct Graph<'f> {
    edges: HashMap<&'f str, Vec<&'f str>>,
    /// How many flags stand behind one; none while that is looked at.
    depth: HashMap<&'f str, Option<usize>>,
}

impl<'f> Graph<'f> {
    /// How many flags stand behind this one; none where there is no end.
    fn depth(&mut self, key: &'f str) -> Option<usize> {
        if let Some(known) = self.depth.get(key) {
            return *known;
        }
        self.depth.insert(key, None);
        let mut deepest = Some(0);
        for other in self.edges.get(key).cloned().unwrap_or_default() {
            let below = self.depth(other).map(|below| below + 1);
            deepest = deepest.zip(below).map(|(a, b): (usize, usize)| a.max(b));
        }
        self.depth.insert(key, deepest);
        deepest
    }
}

/// The way from a flag back to itself, if there is one: `a needs b needs a`.
fn way_back<'f>(graph: &Graph<'f>, key: &'f str) -> Option<String> {
    let mut came_from: HashMap<&str, &str> = HashMap::new();
    let mut waiting = vec![key];
    while let Some(at) = waiting.pop() {
        for other in graph.edges.get(at).cloned().unwrap_or_default() {
            if other == key {
                let mut way = vec![key];
                let mut back = at;
                while back != key {
                    way.push(back);
                    back = came_from.get(back).copied().unwrap_or(key);
                }
                way.push(key);
                way.reverse();
                return Some(way.join(" needs "));
            }
            if !came_from.contains_key(other) {
                came_from.insert(other, at);
                waiting.push(other);
            }
        }
    }
    None
}

/// The flags that need what the flag `key` would no longer have: with another definition, or with none.
#[must_use]
pub fn unmet_by<'f>(key: &str, flag: Option<&Flag>, others: &'f Snapshot) -> Vec<&'f str> {
    let lacks = |variant: &str| flag.is_none_or(|flag| !flag.variants.contains_key(variant));
    let unmet = others.entries().iter().filter(|entry| {
        let needs = &entry.kept.flag.prerequisites;
        needs.iter().any(|needed| needed.flag == key && lacks(&needed.variant))
    });
    unmet.map(|entry| entry.kept.key.as_str()).collect()
}

fn check_rule(field: &str, rule: &Rule, problems: &mut Problems) {
    let count = rule.conditions.len();
    if count == 0 || count > MAX_CONDITIONS {
        let detail =
            format!("holds {count} conditions; 1 to {MAX_CONDITIONS} are allowed (default is for everybody)");
        problems.add(format!("{field}.if"), detail);
    }
    for (at, condition) in rule.conditions.iter().enumerate() {
        check_condition(&format!("{field}.if[{at}]"), condition, problems);
    }
}

fn check_condition(field: &str, condition: &Condition, problems: &mut Problems) {
    let Condition { attribute, operator, values, .. } = condition;
    if !is_attribute(attribute) {
        problems.add(
            format!("{field}.attribute"),
            format!("must be the name of an attribute, 1 to {MAX_NAME} letters"),
        );
    }
    let values_field = format!("{field}.values");
    let Some(wants) = operator.wants() else {
        if !values.is_empty() {
            problems.add(values_field, "must be left out: whether something exists needs no values");
        }
        return;
    };
    let most = if operator.takes_several() { MAX_VALUES } else { 1 };
    if values.is_empty() || values.len() > most {
        let allowed = if most == 1 { "exactly one is".to_owned() } else { format!("1 to {most} are") };
        problems.add(&values_field, format!("holds {}; {allowed} allowed", values.len()));
    }
    if let Some((at, _)) = values.iter().enumerate().find(|(_, value)| !fits(*operator, value)) {
        problems.add(format!("{values_field}[{at}]"), format!("does not fit; {wants} are allowed"));
    }
}

fn is_attribute(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= MAX_NAME && !name.contains(char::is_control)
}
