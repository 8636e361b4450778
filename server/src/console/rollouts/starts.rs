//! The start of a rollout, at once or at a time.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{find, obey};
use crate::console::Console;
use crate::console::act::{self, Why};
use crate::console::api::Shared;
use crate::console::audit::{Deed, alone};
use crate::console::error::{ApiError, parse};
use crate::console::take::{Body, Name};
use crate::rollout::{Order, calendar};
use crate::telemetry::unix_ms;

/// Nobody knows what will be later than this, milliseconds: 400 days.
const LATEST_MS: u64 = 400 * 24 * 3_600 * 1_000;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    /// RFC 3339; at once without it.
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    reason: String,
}

pub async fn start(
    State(console): Shared,
    Name(name): Name,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let Start { at, reason } = if body.is_empty() { Start::default() } else { parse(&body)? };
    let Some(at) = at else { return obey(&console, &name, (Order::Start, None), &reason, &deed).await };
    let now_ms = unix_ms();
    let at_ms =
        calendar::moment(&at).filter(|at| (now_ms..now_ms + LATEST_MS).contains(at)).ok_or_else(|| {
            ApiError::bad_request(
                "at is a moment to come, within 400 days, with date, time and offset: 2026-12-01T08:00:00Z",
            )
        })?;
    plan(&console, name, Some(at_ms), (deed, reason)).await
}

/// Lets it not start by itself.
pub async fn call_off(
    State(console): Shared,
    Name(name): Name,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let Why { reason } = Why::read(&body)?;
    plan(&console, name, None, (deed, reason)).await
}

async fn plan(
    console: &Arc<Console>,
    name: String,
    at_ms: Option<u64>,
    (deed, reason): (Deed, String),
) -> Result<Json<Value>, ApiError> {
    find(console, &name)?;
    let reason = deed.why(console, &reason)?;
    alone(Arc::clone(console), move |console| {
        let rollout = find(console, &name)?;
        let (before, stored) = rollout
            .start_at(at_ms, &console.storage)
            .map_err(|why| ApiError::new(StatusCode::CONFLICT, format!("{name}: {why}")))?;
        let calendar = rollout.calendar();
        let says = match (at_ms, before) {
            (Some(at), _) => format!("Starts by itself {}.", calendar.tell(at)),
            (None, Some(at)) => format!("Does not start {}.", calendar.tell(at)),
            (None, None) => "No start was planned.".to_owned(),
        };
        let path = format!("/rollouts/{name}/start");
        let undo = match (at_ms, before) {
            (None, None) => None,
            (_, Some(at)) => calendar::written(at)
                .map(|at| ("POST", path, json!({"at": at, "reason": "undo of another start"}))),
            (Some(_), None) => Some(("DELETE", path, json!({"reason": "undo of a planned start"}))),
        };
        let receipt = act::receipt(says, undo);
        let mut recorded = Ok(());
        if at_ms != before {
            let planned = |at: Option<u64>| json!({"starts_at": at.and_then(calendar::written)});
            let action = if at_ms.is_some() { "rollout.plan" } else { "rollout.call_off" };
            let change = (planned(before), planned(at_ms));
            recorded = console.record(&deed.entry((action, &name), change, &reason, receipt.undo.as_ref()));
        }
        stored.map_err(|_| {
            ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "that is in force, but could not be stored: it would be lost by a restart",
            )
        })?;
        recorded?;
        Ok(Json(json!({"rollout": name, "starts_at_ms": at_ms, "says": receipt.says, "undo": receipt.undo})))
    })
    .await
}
