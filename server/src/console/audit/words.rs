//! The log as its page shows it, in words: what the browser need not know how to say is not in its bundle.

use axum::Json;
use axum::extract::{Query, State};
use serde::Serialize;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::super::Console;
use super::super::api::Shared;
use super::super::error::ApiError;
use super::super::take::Asked;
use super::asked::Wanted;
use super::{few, read};
use crate::storage::{Filter, Kept, StorageError};

/// What the page shows.
#[derive(Debug, Serialize)]
pub struct Shown {
    rows: Vec<Row>,
    /// What there is to say where there is no row.
    says: &'static str,
    /// Where older entries are; empty if there are none.
    older: String,
    /// Where the latest entries are; empty if it is here.
    latest: String,
    csv: String,
}

#[derive(Debug, Serialize)]
struct Row {
    id: i64,
    at_ms: u64,
    by: String,
    /// Where all that this one did is; so for the action and the object.
    by_href: String,
    action: String,
    action_href: String,
    object: String,
    object_href: String,
    change: String,
    why: String,
    /// What it has to do with other entries.
    note: String,
    reverts: bool,
}

pub async fn page(State(console): Shared, Asked(wanted): Asked<Wanted>) -> Result<Json<Shown>, ApiError> {
    let (filter, limit) = wanted.read()?;
    read(console, move |console| list(console, &filter, limit)).await.map(Json)
}

/// What the API would answer to a page that asks for this path and query; none if that cannot be asked or read.
pub fn shown(console: &Console, asks: &str) -> Option<Shown> {
    let Query(wanted) = Query::<Wanted>::try_from_uri(&asks.parse().ok()?).ok()?;
    let (filter, limit) = wanted.read().ok()?;
    list(console, &filter, limit).ok()
}

fn list(console: &Console, filter: &Filter, limit: u32) -> Result<Shown, StorageError> {
    let (entries, before) = few(console, filter, limit)?;
    let is_all = Filter { before: None, ..filter.clone() } == Filter::default();
    let says = match (entries.is_empty(), is_all) {
        (false, _) => "",
        (true, true) => {
            "Nothing has been changed yet. Every change will stand here, with who made it and why."
        }
        (true, false) => "No entry is like this.",
    };
    Ok(Shown {
        rows: entries.into_iter().map(row).collect(),
        says,
        older: before.map(|before| address("/audit", filter, Some(before))).unwrap_or_default(),
        latest: filter.before.map(|_| address("/audit", filter, None)).unwrap_or_default(),
        csv: address("/api/audit.csv", filter, None),
    })
}

/// A path with what is asked for behind it.
fn address(path: &str, filter: &Filter, before: Option<i64>) -> String {
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let wishes = [
        ("actor", filter.actor.clone()),
        ("action", filter.action.clone()),
        ("object", filter.object.clone()),
        ("text", filter.text.clone()),
        ("from", number(filter.from_ms)),
        ("to", number(filter.to_ms)),
        ("before", number(before)),
    ];
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, wish) in wishes {
        if let Some(wish) = wish {
            query.append_pair(name, &wish);
        }
    }
    match query.finish() {
        none if none.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

fn row(kept: Kept) -> Row {
    let Kept { id, entry, reverted_by, .. } = kept;
    let note = match (entry.reverts, reverted_by) {
        (Some(other), None) => format!("takes back #{other}"),
        (None, Some(by)) => format!("taken back by #{by}"),
        (Some(other), Some(by)) => format!("takes back #{other}, taken back by #{by}"),
        (None, None) => String::new(),
    };
    let only = |filter: Filter| address("/audit", &filter, None);
    Row {
        id,
        by_href: only(Filter { actor: Some(entry.actor.clone()), ..Filter::default() }),
        action_href: only(Filter { action: Some(entry.action.clone()), ..Filter::default() }),
        object_href: only(Filter { object: Some(entry.object.clone()), ..Filter::default() }),
        at_ms: entry.at_ms,
        change: change(&entry.before, &entry.after),
        by: entry.actor,
        action: entry.action,
        object: entry.object,
        why: entry.reason,
        note,
        reverts: entry.undo.is_some() && reverted_by.is_none(),
    }
}

/// What is another than it was: `percent 10 → 25, stage 1 → 2`.
fn change(before: &Value, after: &Value) -> String {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let mut keys: Vec<_> = before.keys().chain(after.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            let of = |map: &Map<String, Value>, key: &str| map.get(key).map_or("–".to_owned(), word);
            let parts = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
            let parts: Vec<_> =
                parts.map(|key| format!("{} {} → {}", plain(key), of(before, key), of(after, key))).collect();
            parts.join(", ")
        }
        (Value::Null, after) => word(after),
        (before, Value::Null) => format!("{} → –", word(before)),
        (before, after) => format!("{} → {}", word(before), word(after)),
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) if text.chars().all(|c| c.is_ascii_lowercase() || c == '_') => plain(text),
        Value::String(text) => text.clone(),
        Value::Object(members) => {
            let parts: Vec<_> =
                members.iter().map(|(key, value)| format!("{} {}", plain(key), word(value))).collect();
            parts.join(", ")
        }
        other => other.to_string(),
    }
}

fn plain(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_tells_what_is_another_than_it_was() {
        let stage = json!({"percent": 10, "phase": "stage", "stage": 1});
        for (before, after, says) in [
            (&stage, json!({"percent": 25, "phase": "stage", "stage": 2}), "percent 10 → 25, stage 1 → 2"),
            (
                &stage,
                json!({"percent": 0, "phase": "rolled_back"}),
                "percent 10 → 0, phase stage → rolled back, stage 1 → –",
            ),
            (&json!(null), json!({"removed": 3}), "removed 3"),
            (&json!({"for": "10m", "reason": "a_b c"}), json!(null), "for 10m, reason a_b c → –"),
        ] {
            assert_eq!(change(before, &after), says);
        }
    }

    #[test]
    fn an_address_says_what_is_asked_for_and_no_more() {
        let some = |text: &str| Some(text.to_owned());
        let filter =
            Filter { action: some("rollout"), text: some("a&b c"), before: Some(9), ..Filter::default() };
        assert_eq!(address("/audit", &filter, Some(4)), "/audit?action=rollout&text=a%26b+c&before=4");
        assert_eq!(address("/audit", &Filter::default(), None), "/audit");
    }
}
