//! The tables `[flags.NAME]`.

use std::collections::BTreeMap;

use rad_model::Share;
use serde_json::Value as Json;

use super::super::read::{Kind, Table, Wrong, parsed, text};
use super::super::tree::Value;
use super::{flag, share};
use crate::rollout::flags::Environment;

#[derive(Debug)]
pub struct Flag {
    pub on: bool,
    pub description: String,
    pub variants: Option<BTreeMap<String, Json>>,
    pub default: Option<String>,
    pub off: Option<String>,
    pub percent: Option<Share>,
    pub environments: Option<Vec<Environment>>,
}

impl Flag {
    pub fn read(table: &mut Table<'_>) -> Self {
        let environment = parsed("an environment", "write development, staging or production", |text| {
            Environment::ALL.into_iter().find(|environment| environment.word() == text)
        });
        Self {
            on: table.value("on", &flag()).unwrap_or(true),
            description: table.value("description", &text("write what it is for")).unwrap_or_default(),
            variants: table.value("variants", &variants()),
            default: table.value("default", &text("write the name of a variant")),
            off: table.value("off", &text("write the name of a variant")),
            percent: table.value("percent", &share()),
            environments: table.list("environments", &environment),
        }
    }
}

fn variants() -> Kind<BTreeMap<String, Json>> {
    let how = "write a value for each, as in { blue = \"#00f\", red = \"#f00\" }";
    Kind::new("a table of variants", how, |value| match value {
        Value::Table(entries) => {
            let read = |(name, node): (&String, &_)| Some((name.clone(), json(node)?));
            entries.iter().map(read).collect::<Option<_>>().ok_or(Wrong::Kind)
        }
        _ => Err(Wrong::Kind),
    })
}

/// None of a date: JSON has none.
fn json(node: &super::super::tree::Node) -> Option<Json> {
    Some(match &node.value {
        Value::Text(text) => Json::from(text.as_str()),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Boolean(value) => Json::from(*value),
        Value::Other(_) => return None,
        Value::List(items) => Json::Array(items.iter().map(json).collect::<Option<_>>()?),
        Value::Table(entries) => {
            let entries = entries.iter().map(|(name, node)| Some((name.clone(), json(node)?)));
            Json::Object(entries.collect::<Option<_>>()?)
        }
    })
}
