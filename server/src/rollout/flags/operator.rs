//! What can be asked about an attribute.

use std::cmp::Ordering;

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Attribute, Condition, Context};

/// How an attribute is compared. Texts are compared letter by letter; a number is no text and a text no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    Equals,
    OneOf,
    StartsWith,
    EndsWith,
    Contains,
    LessThan,
    AtMost,
    MoreThan,
    AtLeast,
    /// Versions by Semantic Versioning 2.0.0, §11: what is built does not count.
    SemverEquals,
    SemverBefore,
    SemverAtMost,
    SemverAfter,
    SemverAtLeast,
    Exists,
}

impl Operator {
    /// What its values must be, for people; none where it takes none.
    #[must_use]
    pub fn wants(self) -> Option<&'static str> {
        match self {
            Self::Equals | Self::OneOf => Some("texts, numbers, true or false"),
            Self::StartsWith | Self::EndsWith | Self::Contains => Some("texts"),
            Self::LessThan | Self::AtMost | Self::MoreThan | Self::AtLeast => Some("numbers"),
            Self::SemverEquals
            | Self::SemverBefore
            | Self::SemverAtMost
            | Self::SemverAfter
            | Self::SemverAtLeast => Some("versions such as \"1.20.0\""),
            Self::Exists => None,
        }
    }

    /// Whether several values make sense.
    #[must_use]
    pub fn takes_several(self) -> bool {
        matches!(self, Self::OneOf | Self::StartsWith | Self::EndsWith | Self::Contains)
    }

    /// Between the attribute and the values, and the same with `not`.
    #[must_use]
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Equals => ("is", "is not"),
            Self::OneOf => ("is one of", "is none of"),
            Self::StartsWith => ("starts with", "does not start with"),
            Self::EndsWith => ("ends with", "does not end with"),
            Self::Contains => ("contains", "does not contain"),
            Self::LessThan => ("is less than", "is not less than"),
            Self::AtMost => ("is at most", "is not at most"),
            Self::MoreThan => ("is more than", "is not more than"),
            Self::AtLeast => ("is at least", "is not at least"),
            Self::SemverEquals => ("is version", "is not version"),
            Self::SemverBefore => ("is before version", "is not before version"),
            Self::SemverAtMost => ("is at most version", "is not at most version"),
            Self::SemverAfter => ("is after version", "is not after version"),
            Self::SemverAtLeast => ("is at least version", "is not at least version"),
            Self::Exists => ("is known", "is not known"),
        }
    }

    fn ordering(self, found: Ordering) -> bool {
        match self {
            Self::LessThan | Self::SemverBefore => found.is_lt(),
            Self::AtMost | Self::SemverAtMost => found.is_le(),
            Self::MoreThan | Self::SemverAfter => found.is_gt(),
            Self::AtLeast | Self::SemverAtLeast => found.is_ge(),
            _ => found.is_eq(),
        }
    }
}

/// A value that a condition compares with, read once.
#[derive(Clone, Debug)]
enum Operand {
    Text(String),
    Number(f64),
    Bool(bool),
    Version(Box<Version>),
}

/// A condition made ready.
#[derive(Clone, Debug)]
pub struct Test {
    attribute: String,
    not: bool,
    operator: Operator,
    operands: Vec<Operand>,
}

impl Test {
    /// A value that does not fit is left out: it was checked before.
    pub fn new(condition: &Condition) -> Self {
        let Condition { attribute, not, operator, values } = condition;
        let operands = values.iter().filter_map(|value| operand(*operator, value)).collect();
        Self { attribute: attribute.clone(), not: *not, operator: *operator, operands }
    }

    pub fn holds(&self, context: &dyn Context) -> bool {
        let found = context.get(&self.attribute);
        if self.operator == Operator::Exists {
            return found.is_some() != self.not;
        }
        let Some(attribute) = found.filter(|found| self.can_be(*found)) else { return false };
        self.is(attribute) != self.not
    }

    /// Whether it is of a kind that the operator compares: nothing holds of anything else, and `not` neither.
    fn can_be(&self, attribute: Attribute<'_>) -> bool {
        match attribute {
            Attribute::List(items) => {
                items.iter().filter_map(Attribute::of).any(|item| !is_list(item) && self.can_be(item))
            }
            Attribute::Other => false,
            Attribute::Text(text) => match self.operator.wants() {
                Some("numbers") => false,
                Some(wants) if wants.starts_with("versions") => Version::parse(text).is_ok(),
                _ => true,
            },
            Attribute::Number(_) => matches!(
                self.operator,
                Operator::Equals
                    | Operator::OneOf
                    | Operator::LessThan
                    | Operator::AtMost
                    | Operator::MoreThan
                    | Operator::AtLeast
            ),
            Attribute::Bool(_) => matches!(self.operator, Operator::Equals | Operator::OneOf),
        }
    }

    fn is(&self, attribute: Attribute<'_>) -> bool {
        match attribute {
            Attribute::List(items) => {
                items.iter().filter_map(Attribute::of).any(|item| !is_list(item) && self.is(item))
            }
            Attribute::Text(text) => self.is_text(text),
            Attribute::Number(number) => self.operands.iter().any(|operand| match operand {
                Operand::Number(other) => {
                    number.partial_cmp(other).is_some_and(|found| self.operator.ordering(found))
                }
                _ => false,
            }),
            Attribute::Bool(value) => {
                self.operands.iter().any(|operand| matches!(operand, Operand::Bool(other) if *other == value))
            }
            Attribute::Other => false,
        }
    }

    fn is_text(&self, text: &str) -> bool {
        let version = match self.operands.first() {
            Some(Operand::Version(_)) => Version::parse(text).ok(),
            _ => None,
        };
        self.operands.iter().any(|operand| match operand {
            Operand::Text(other) => match self.operator {
                Operator::StartsWith => text.starts_with(other.as_str()),
                Operator::EndsWith => text.ends_with(other.as_str()),
                Operator::Contains => text.contains(other.as_str()),
                _ => text == other,
            },
            Operand::Version(other) => {
                version.as_ref().is_some_and(|version| self.operator.ordering(version.cmp_precedence(other)))
            }
            Operand::Number(_) | Operand::Bool(_) => false,
        })
    }
}

fn is_list(attribute: Attribute<'_>) -> bool {
    matches!(attribute, Attribute::List(_))
}

/// What an operator makes of a value; none if it does not fit.
fn operand(operator: Operator, value: &Value) -> Option<Operand> {
    match (operator, value) {
        (Operator::Equals | Operator::OneOf, Value::Bool(value)) => Some(Operand::Bool(*value)),
        (Operator::LessThan | Operator::AtMost | Operator::MoreThan | Operator::AtLeast, value)
        | (Operator::Equals | Operator::OneOf, value @ Value::Number(_)) => {
            value.as_f64().map(Operand::Number)
        }
        (
            Operator::Equals
            | Operator::OneOf
            | Operator::StartsWith
            | Operator::EndsWith
            | Operator::Contains,
            Value::String(text),
        ) => Some(Operand::Text(text.clone())),
        (
            Operator::SemverEquals
            | Operator::SemverBefore
            | Operator::SemverAtMost
            | Operator::SemverAfter
            | Operator::SemverAtLeast,
            Value::String(text),
        ) => Version::parse(text).ok().map(|version| Operand::Version(Box::new(version))),
        _ => None,
    }
}

/// Whether an operator can compare with a value.
pub fn fits(operator: Operator, value: &Value) -> bool {
    operand(operator, value).is_some()
}
