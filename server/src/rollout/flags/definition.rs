//! A flag as people write it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Operator, Serve};

/// For which surroundings a flag is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    Development,
    Staging,
    Production,
}

impl Environment {
    pub const ALL: [Self; 3] = [Self::Development, Self::Staging, Self::Production];

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Who gets what. Its key, seed and version are kept beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Off: everybody gets `off_variant`.
    #[serde(default = "yes")]
    pub on: bool,
    /// Values by name, all of one kind.
    pub variants: BTreeMap<String, Value>,
    pub off_variant: String,
    /// Elsewhere everybody gets `off_variant`.
    #[serde(default = "everywhere")]
    pub environments: Vec<Environment>,
    /// What other flags must evaluate to, for the same context; else `off_variant`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prerequisites: Vec<Prerequisite>,
    /// The first one that matches decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// What those get whom no rule matches.
    #[serde(rename = "default")]
    pub otherwise: Serve,
    /// The attribute by which splits are sticky.
    #[serde(default = "targeting_key")]
    pub bucket_by: String,
}

/// Another flag, and what it must evaluate to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prerequisite {
    pub flag: String,
    pub variant: String,
}

/// What those get for whom all conditions hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    #[serde(rename = "if")]
    pub conditions: Vec<Condition>,
    pub serve: Serve,
}

/// Something about an attribute of the context. Of what is not known, nothing holds: neither that it is something
/// nor that it is not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The name of an attribute, `a.b` for one within another.
    pub attribute: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub not: bool,
    #[serde(rename = "is")]
    pub operator: Operator,
    /// It holds if it holds for one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde asks for it
fn is_false(value: &bool) -> bool {
    !value
}

fn everywhere() -> Vec<Environment> {
    Environment::ALL.to_vec()
}

fn targeting_key() -> String {
    super::TARGETING_KEY.to_owned()
}

impl Flag {
    /// A switch that everybody finds on or off.
    #[must_use]
    pub fn switch(description: &str, on: bool) -> Self {
        let variants = [("off", false), ("on", true)];
        Self {
            description: description.to_owned(),
            on,
            variants: variants.map(|(name, value)| (name.to_owned(), Value::Bool(value))).into(),
            off_variant: "off".to_owned(),
            environments: everywhere(),
            prerequisites: Vec::new(),
            rules: Vec::new(),
            otherwise: Serve::Variant("on".to_owned()),
            bucket_by: targeting_key(),
        }
    }

    /// What its values are; of the first one, where they differ.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.variants.values().next().map_or(Kind::Boolean, Kind::of)
    }

    /// Everything that may be served to somebody, with the place where it is written.
    pub(super) fn serves(&self) -> impl Iterator<Item = (String, &Serve)> {
        let rules =
            self.rules.iter().enumerate().map(|(at, rule)| (format!("rules[{at}].serve"), &rule.serve));
        rules.chain([("default".to_owned(), &self.otherwise)])
    }
}

/// What a flag's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Boolean,
    String,
    Number,
    Object,
    /// A list or nothing: no flag has it.
    Other,
}

impl Kind {
    #[must_use]
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Boolean,
            Value::String(_) => Self::String,
            Value::Number(_) => Self::Number,
            Value::Object(_) => Self::Object,
            Value::Null | Value::Array(_) => Self::Other,
        }
    }

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Number => "number",
            Self::Object => "object",
            Self::Other => "list or null",
        }
    }
}
