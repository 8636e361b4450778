//! The flags' API: what each says, and the switches that change it.

mod share;
mod told;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rad_model::Receipt;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Console;
use super::act;
use super::api::Shared;
use super::audit::{Deed, alone};
use super::error::{ApiError, parse};
use super::take::{Body, Name};
use crate::rollout::flags::{Environment, Flag, JsonContext, Kept, Reason};
use crate::rollout::{Become, Cause, FlagChange, FlagRefused};
use crate::storage::PastFlag;
use crate::telemetry::unix_ms;

pub use share::share;
pub use told::{Detail, Summary, detail, list};

/// So many changes are told of.
const MOST: u32 = 100;

pub async fn all(State(console): Shared) -> Json<Vec<Summary>> {
    Json(list(&console))
}

pub async fn one(State(console): Shared, Name(key): Name) -> Result<Json<Detail>, ApiError> {
    let read = tokio::task::spawn_blocking(move || detail(&console, &key).ok_or(FlagRefused::Unknown(key)));
    Ok(Json(read.await.map_err(|_| broken())??))
}

pub async fn history(State(console): Shared, Name(key): Name) -> Result<Json<Vec<PastFlag>>, ApiError> {
    let read = tokio::task::spawn_blocking(move || console.flags.history(&key, MOST));
    Ok(Json(read.await.map_err(|_| broken())??))
}

/// What every change may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    /// Changes nothing unless this is the version in force; 0: unless there is none.
    #[serde(default)]
    version: Option<u64>,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replace {
    flag: Flag,
    #[serde(default)]
    version: Option<u64>,
    #[serde(default)]
    reason: String,
}

/// Creates a flag, or puts another in its place.
pub async fn replace(
    State(console): Shared,
    Name(key): Name,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let Replace { flag, version, reason } = parse(&body)?;
    let change =
        Change { key, expected: version, reason, action: "flag.replace", what: "replaced".to_owned() };
    change
        .make(&console, deed, move |before| {
            Ok(match before {
                Some(before) if *before.flag == flag => Become::Same,
                _ => Become::Flag(Box::new(flag)),
            })
        })
        .await
}

/// Takes a flag out of force. Its history stays, and it can come back.
pub async fn archive(
    State(console): Shared,
    Name(key): Name,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let Plain { version, reason } = if body.is_empty() { Plain::default() } else { parse(&body)? };
    let change =
        Change { key, expected: version, reason, action: "flag.archive", what: "archived".to_owned() };
    change.make(&console, deed, |_| Ok(Become::Archived)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Toggle {
    on: bool,
    #[serde(default)]
    version: Option<u64>,
    #[serde(default)]
    reason: String,
}

pub async fn toggle(
    State(console): Shared,
    Name(key): Name,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let Toggle { on, version, reason } = parse(&body)?;
    let what = format!("turned {}", if on { "on" } else { "off" });
    let unknown = FlagRefused::Unknown(key.clone());
    let change = Change { key, expected: version, reason, action: "flag.toggle", what };
    change
        .make(&console, deed, move |before| match before {
            None => Err(unknown),
            Some(before) if before.flag.on == on => Ok(Become::Same),
            Some(before) => Ok(Become::Flag(Box::new(Flag { on, ..Flag::clone(&before.flag) }))),
        })
        .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revert {
    to: u64,
    #[serde(default)]
    version: Option<u64>,
    #[serde(default)]
    reason: String,
}

/// Makes a flag what it was in an older version; one that was archived is back.
pub async fn revert(
    State(console): Shared,
    Name(key): Name,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let Revert { to, version, reason } = parse(&body)?;
    let read = (Arc::clone(&console), key.clone());
    let flag = tokio::task::spawn_blocking(move || read.0.flags.version(&read.1, to));
    let flag = flag.await.map_err(|_| broken())??;
    let what = format!("back to version {to}");
    let change = Change { key, expected: version, reason, action: "flag.revert", what };
    change
        .make(&console, deed, move |before| {
            Ok(match before {
                Some(before) if *before.flag == flag => Become::Same,
                _ => Become::Flag(Box::new(flag)),
            })
        })
        .await
}

/// A change of one flag.
struct Change {
    key: String,
    expected: Option<u64>,
    reason: String,
    /// What the audit log calls it.
    action: &'static str,
    what: String,
}

impl Change {
    async fn make(
        self,
        console: &Arc<Console>,
        deed: Deed,
        into: impl FnOnce(Option<&Kept>) -> Result<Become, FlagRefused> + Send + 'static,
    ) -> Result<Json<Value>, ApiError> {
        let Self { key, expected, reason, action, what } = self;
        let reason = deed.why(console, &reason)?;
        let cause =
            Cause { by: deed.by.clone(), reason: reason.clone(), at_ms: unix_ms(), reverts: deed.reverts() };
        alone(Arc::clone(console), move |console| {
            let FlagChange { before, after, stored } =
                console.flags.change(&key, expected, &cause, &what, into)?;
            let environment = console.flags.now().snapshot.environment();
            let version = |kept: &Option<Kept>| kept.as_ref().map(|kept| kept.version);
            let receipt = receipt(&key, before.as_ref(), after.as_ref(), environment);
            let mut recorded = Ok(());
            if version(&before) != version(&after) {
                let was = |kept: Option<&Kept>| logged(kept, environment);
                let change = (was(before.as_ref()), was(after.as_ref()));
                let entry = deed.entry((action, &key), change, &reason, receipt.undo.as_ref());
                recorded = console.record(&entry);
            }
            stored.map_err(|_| {
                let detail =
                    format!("{key} is changed, but that could not be stored: it would be lost by a restart");
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
            })?;
            recorded?;
            let version = version(&after);
            Ok(Json(json!({"key": key, "version": version, "says": receipt.says, "undo": receipt.undo})))
        })
        .await
    }
}

/// A flag as the audit log has it. All of it is in its own history.
fn logged(kept: Option<&Kept>, environment: Environment) -> Value {
    kept.map_or(Value::Null, |kept| {
        let state = told::says(&kept.flag, environment);
        json!({"version": kept.version, "state": state.trim_end_matches('.')})
    })
}

fn receipt(key: &str, before: Option<&Kept>, after: Option<&Kept>, environment: Environment) -> Receipt {
    let version = |kept: Option<&Kept>| kept.map_or(0, |kept| kept.version);
    let at = |what: &str| format!("/flags/{key}{what}");
    let says = match after {
        None => format!("{key} is archived: clients are told that it does not exist."),
        Some(after) if version(before) == after.version => {
            format!("{key} was so already: {}", told::says(&after.flag, environment))
        }
        Some(after) => format!("{key}: {}", told::says(&after.flag, environment)),
    };
    let reason = format!("undo of version {}", version(after).max(version(before) + 1));
    let undo = match (before, after) {
        (Some(before), Some(after)) if before.version == after.version => None,
        (Some(before), after) => {
            let body = json!({"to": before.version, "version": version(after), "reason": reason});
            Some(("POST", at("/revert"), body))
        }
        (None, Some(after)) => Some(("DELETE", at(""), json!({"version": after.version, "reason": reason}))),
        (None, None) => None,
    };
    act::receipt(says, undo)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Evaluate {
    #[serde(default)]
    context: Map<String, Value>,
}

/// A dry run: what somebody gets, why, and what was looked at on the way.
pub async fn evaluate(
    State(console): Shared,
    Name(key): Name,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let Evaluate { context } = if body.is_empty() { Evaluate { context: Map::new() } } else { parse(&body)? };
    let context = JsonContext(context);
    let now = console.flags.now();
    let flags = &now.snapshot;
    let found = flags.position(&key).and_then(|at| Some((at, flags.evaluate(at, &context)?)));
    let (at, found) = found.ok_or_else(|| FlagRefused::Unknown(key.clone()))?;
    let steps = flags.steps(at, &context);
    let way = steps.iter().map(|step| format!("{step} ")).collect::<String>();
    Ok(Json(match found {
        Ok(found) => {
            let (variant, value, because) = (found.variant, found.value, found.because.to_string());
            let says = format!("{way}So the answer is {variant} ({value}): {because}.");
            let reason: Reason = found.reason;
            json!({
                "key": key, "value": value, "variant": variant, "reason": reason,
                "because": because, "steps": steps, "says": says,
            })
        }
        Err(failure) => {
            let because = failure.because.to_string();
            let says = format!("{way}No answer: {because}. Clients use their own default.");
            json!({
                "key": key, "reason": "ERROR", "errorCode": failure.code,
                "because": because, "steps": steps, "says": says,
            })
        }
    }))
}

fn broken() -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the flags could not be read")
}

impl From<FlagRefused> for ApiError {
    fn from(refused: FlagRefused) -> Self {
        match refused {
            FlagRefused::Overtaken { version: 0, key } => {
                Self::overtaken(format_args!("there is no {key} now"))
            }
            FlagRefused::Overtaken { .. } => Self::overtaken(refused),
            FlagRefused::Unknown(_) | FlagRefused::NoSuchVersion(_) => Self::not_found(refused.to_string()),
            FlagRefused::Wrong(_) => Self::bad_request(refused.to_string()),
            FlagRefused::Impossible(_) => Self::new(StatusCode::CONFLICT, refused.to_string()),
            FlagRefused::Unreadable => Self::new(StatusCode::INTERNAL_SERVER_ERROR, refused.to_string()),
        }
    }
}
