//! What a tester shows to be served by a side.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::find;
use crate::console::act;
use crate::console::api::Shared;
use crate::console::audit::{Deed, alone};
use crate::console::error::{ApiError, parse};
use crate::console::take::{Body, Name};
use crate::rollout::{LONGEST_S, Side};
use crate::telemetry::unix_ms;

/// For so long a side is signed unless it is said, seconds: a day's work.
const USUAL_S: u64 = 8 * 3_600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    side: String,
    /// A duration with its unit.
    #[serde(default, rename = "for")]
    how_long: Option<String>,
}

/// Gives a value that a tester shows in the header or the cookie.
pub async fn sign(
    State(console): Shared,
    Name(name): Name,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let Wanted { side, how_long } = parse(&body)?;
    let rollout = find(&console, &name)?;
    let overrides = rollout.overrides().ok_or_else(|| {
        ApiError::new(
            StatusCode::CONFLICT,
            format!(
                "{name} has no override: nobody chooses a side there. [rollouts.{name}.override] turns it on"
            ),
        )
    })?;
    let side = Side::named(side.as_bytes())
        .ok_or_else(|| ApiError::bad_request(format!("{side:?} is no side: write candidate or legacy")))?;
    let seconds = match &how_long {
        None => Some(USUAL_S),
        Some(text) => humantime::parse_duration(text).ok().map(|time| time.as_secs()),
    };
    let seconds = seconds.filter(|seconds| (1..=LONGEST_S).contains(seconds)).ok_or_else(|| {
        ApiError::bad_request("for is a time with its unit, from 1s to 30days, such as \"8h\"")
    })?;
    let until_s = unix_ms() / 1_000 + seconds;
    let value = overrides
        .value(&name, side, until_s)
        .ok_or_else(|| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the side could not be signed"))?;
    let is_signed = overrides.secret.is_some();
    let says = if is_signed {
        format!(
            "Whoever shows this is served by {} for {}.",
            side.word(),
            rad_model::format::length(seconds * 1_000)
        )
    } else {
        format!("Whoever shows this is served by {}; it is not signed, and does not end.", side.word())
    };
    let receipt = act::receipt(says, None);
    let expires_at_ms = is_signed.then_some(until_s * 1_000);
    let answer = json!({
        "rollout": name,
        "side": side.word(),
        "value": value,
        "header": overrides.header.as_ref().map(http::HeaderName::as_str),
        "cookie": overrides.cookie,
        "expires_at_ms": expires_at_ms,
        "says": receipt.says,
        "undo": receipt.undo,
    });
    // The value lets somebody in: it is told once, and kept nowhere.
    let given = json!({"side": side.word(), "expires_at_ms": expires_at_ms});
    let entry = deed.entry(("rollout.override", &name), (Value::Null, given), &deed.said(""), None);
    alone(Arc::clone(&console), move |console| console.record(&entry)).await?;
    Ok(Json(answer))
}
