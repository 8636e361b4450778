//! Why somebody gets what they get, as a sentence.

use std::fmt;

use rad_model::Share;
use serde_json::Value;

use super::{Condition, Environment, Flag, Prerequisite, Rule, Serve};

/// Why. Written down only when somebody reads it.
#[derive(Clone, Copy, Debug)]
pub enum Because<'f> {
    Off,
    Elsewhere { environment: Environment, allowed: &'f [Environment] },
    Prerequisite { needed: &'f Prerequisite, found: Option<&'f str> },
    Rule { rule: (usize, &'f Rule), split: Option<Draw<'f>> },
    Everybody,
    NoRule { split: Option<Draw<'f>> },
    Split(Draw<'f>),
    NoKey { by: &'f str },
    NotAKey { by: &'f str },
}

/// Where the attribute's value fell, in hundredths of a percent.
#[derive(Clone, Copy, Debug)]
pub struct Draw<'f> {
    pub by: &'f str,
    pub bucket: u16,
    /// The range that it fell into.
    pub from: u16,
    pub to: u16,
}

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("it is off"),
            Self::Elsewhere { environment, allowed: [] } => {
                write!(f, "this is {environment}, and it is for no environment")
            }
            Self::Elsewhere { environment, allowed } => {
                write!(f, "this is {environment}, and it is for {} only", list(allowed, "and"))
            }
            Self::Prerequisite { needed: Prerequisite { flag, variant }, found } => {
                write!(f, "it needs {flag} to be {variant}, ")?;
                match found {
                    Some(found) => write!(f, "which is {found}"),
                    None => f.write_str("which has no value here"),
                }
            }
            Self::Rule { rule: (at, rule), split } => {
                write!(f, "rule {} matched: {}", at + 1, conditions(rule))?;
                split.map_or(Ok(()), |split| write!(f, "; {split}"))
            }
            Self::Everybody => f.write_str("everybody gets it"),
            Self::NoRule { split } => {
                f.write_str("no rule matched")?;
                split.map_or(Ok(()), |split| write!(f, "; {split}"))
            }
            Self::Split(split) => split.fmt(f),
            Self::NoKey { by } => write!(f, "it is split by {by}, which the context does not hold"),
            Self::NotAKey { by } => write!(f, "it is split by {by}, which must be a text or a number"),
        }
    }
}

impl fmt::Display for Draw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [bucket, from, to] = [self.bucket, self.from, self.to].map(|points| f64::from(points) / 100.0);
        let by = self.by;
        match (self.from, self.to) {
            (0, _) => write!(f, "its {by} falls on {bucket} % < {to} %"),
            (_, 10_000..) => write!(f, "its {by} falls on {bucket} % ≥ {from} %"),
            _ => write!(f, "its {by} falls on {bucket} %, from {from} to {to} %"),
        }
    }
}

/// `country is one of CH or DE, and plan is pro`.
#[must_use]
pub fn conditions(rule: &Rule) -> String {
    if rule.conditions.is_empty() {
        return "everybody".to_owned();
    }
    rule.conditions.iter().map(condition).collect::<Vec<_>>().join(", and ")
}

pub fn condition(condition: &Condition) -> String {
    let Condition { attribute, not, operator, values } = condition;
    let (is, is_not) = operator.words();
    let word = if *not { is_not } else { is };
    let shown: Vec<_> = values.iter().map(shown).collect();
    let values = list(&shown, "or");
    if values.is_empty() { format!("{attribute} {word}") } else { format!("{attribute} {word} {values}") }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains(char::is_whitespace) => text.clone(),
        value => value.to_string(),
    }
}

impl Flag {
    /// Its rules as sentences, in their order.
    #[must_use]
    pub fn rules_in_words(&self) -> Vec<String> {
        let rule = |(rule, number): (&Rule, usize)| {
            format!("{number}. If {}: {}", conditions(rule), self.served(&rule.serve))
        };
        self.rules.iter().zip(1..).map(rule).collect()
    }

    /// `on`, or `on 10 %, off 90 % by targetingKey`.
    #[must_use]
    pub fn served(&self, serve: &Serve) -> String {
        match serve {
            Serve::Variant(name) => name.clone(),
            Serve::Split(portions) => {
                let given = portions.iter().filter(|portion| portion.percent != Share::NONE);
                let given: Vec<_> =
                    given.map(|portion| format!("{} {} %", portion.variant, portion.percent)).collect();
                format!("{} by {}", given.join(", "), self.bucket_by)
            }
        }
    }
}

/// `a, b and c`.
#[must_use]
pub fn list(items: &[impl fmt::Display], last: &str) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    match items.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((end, before)) => format!("{} {last} {end}", before.join(", ")),
    }
}

impl Because<'_> {
    /// The number of the rule that matched, from 1.
    #[must_use]
    pub fn rule(&self) -> Option<usize> {
        match self {
            Self::Rule { rule: (at, _), .. } => Some(at + 1),
            _ => None,
        }
    }
}
