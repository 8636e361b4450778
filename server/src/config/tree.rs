//! The configuration as a tree of values, each with the place where it was written.
//!
//! A file, its profile and the environment become one tree before anything is read from it, so that an
//! error can name the line or the variable that a value really came from.

use std::collections::BTreeMap;
use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nowhere in particular: the file as a whole.
    File,
    /// A line of the file, from 1.
    Line(usize),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Line(line) => write!(f, "line {line}: "),
            Self::Variable(name) => write!(f, "{name}: "),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Node {
    pub value: Value,
    pub origin: Origin,
}

pub type Entries = BTreeMap<String, Node>;

#[derive(Clone, Debug)]
pub enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// A date, or a number that no computer holds: nothing that a key wants.
    Other(String),
    List(Vec<Node>),
    Table(Entries),
}

/// The longest value that an error repeats.
const MAX_SHOWN: usize = 60;

impl fmt::Display for Value {
    /// As an error shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if text.chars().count() > MAX_SHOWN => f.write_str("this text"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::Boolean(value) => value.fmt(f),
            Self::Other(text) => f.write_str(text),
            Self::List(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
        }
    }
}

/// Reads TOML.
///
/// # Errors
/// One for each line that is none.
pub fn parse(text: &str) -> Result<Entries, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let starts: Vec<usize> =
        std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let line = |at: usize| Origin::Line(starts.partition_point(|start| *start <= at));
    if errors.is_empty() {
        return Ok(entries(table.into_inner(), &line));
    }
    // Neither key nor value: what is malformed may be a line with a password.
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| Problem {
            origin: error.span().map_or(Origin::File, |span| line(span.start)),
            key: String::new(),
            wrong: format!("is no TOML: {}", error.message()),
        })
        .collect();
    problems.sort_by(|a, b| a.origin.cmp(&b.origin));
    // What follows on the same line is mostly a consequence.
    problems.dedup_by(|next, first| next.origin == first.origin);
    Err(problems)
}

fn entries(table: DeTable<'_>, line: &dyn Fn(usize) -> Origin) -> Entries {
    table
        .into_iter()
        .map(|(key, value)| {
            let origin = line(key.span().start);
            let value = value_of(value.into_inner(), line);
            (key.into_inner().into_owned(), Node { value, origin })
        })
        .collect()
}

pub(super) fn value_of(value: DeValue<'_>, line: &dyn Fn(usize) -> Origin) -> Value {
    let node = |value: Spanned<DeValue<'_>>| {
        let origin = line(value.span().start);
        Node { value: value_of(value.into_inner(), line), origin }
    };
    match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::Other(number.to_string()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::Other(number.to_string()), Value::Float)
        }
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(date) => Value::Other(date.to_string()),
        DeValue::Array(list) => Value::List(list.into_iter().map(node).collect()),
        DeValue::Table(table) => Value::Table(entries(table, line)),
    }
}
