//! Whom a flag is evaluated for.

use serde_json::{Map, Value};

/// The attribute by which OpenFeature names who asks.
pub const TARGETING_KEY: &str = "targetingKey";

/// An attribute's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Attribute<'c> {
    Text(&'c str),
    Number(f64),
    Bool(bool),
    /// A condition holds if it holds for one of them.
    List(&'c [Value]),
    /// Something that nothing can be compared with: an object.
    Other,
}

impl<'c> Attribute<'c> {
    /// What a JSON value is; null is nothing.
    #[must_use]
    pub fn of(value: &'c Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => number.as_f64().map_or(Self::Other, Self::Number),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::List(items),
            Value::Object(_) => Self::Other,
        })
    }
}

/// Attributes by name.
pub trait Context {
    fn get(&self, name: &str) -> Option<Attribute<'_>>;
}

/// What a client sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonContext(pub Map<String, Value>);

impl Context for JsonContext {
    fn get(&self, name: &str) -> Option<Attribute<'_>> {
        if let Some(value) = self.0.get(name) {
            return Attribute::of(value);
        }
        let mut parts = name.split('.');
        let mut value = self.0.get(parts.next()?)?;
        for part in parts {
            value = value.get(part)?;
        }
        Attribute::of(value)
    }
}

/// What the program itself knows, without taking memory for it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'c>(pub &'c [(&'static str, &'c str)]);

impl Context for Facts<'_> {
    fn get(&self, name: &str) -> Option<Attribute<'_>> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| Attribute::Text(value))
    }
}
