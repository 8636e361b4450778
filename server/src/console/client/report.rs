//! What browsers tell of their calls. See [`crate::telemetry::browsers`] for why nothing is decided by it.

use std::net::SocketAddr;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{Refused, charge, find};
use crate::console::api::Shared;
use crate::console::error::{ApiError, parse};
use crate::console::take::Name;
use crate::telemetry::browsers::{BOUNDS_MS, Told};
use crate::telemetry::log::{Level, Line, Value as Field};
use crate::telemetry::unix_ms;

/// A report is a few hundred bytes.
const MAX_BODY: usize = 4 << 10;

/// Whatever type the body says it is of: browsers send plain text without asking for leave first.
pub async fn report(
    State(console): Shared,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Name(name): Name,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refused> {
    let outside = &console.outside;
    charge(&console, outside.reports.as_ref(), peer, &headers)?;
    let at = find(&console, &name)?;
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| {
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "the report is too long: at most 4 KiB are taken")
    })?;
    let told: Told = parse(&body)?;
    told.check().map_err(|impossible| ApiError::bad_request(impossible.to_string()))?;
    outside.registry.browsers().add(at, &told, unix_ms());
    let fields = [
        ("rollout", Field::Text(&name)),
        ("legacy", Field::Count(told.legacy.total())),
        ("legacy_failed", Field::Count(told.legacy.failed())),
        ("candidate", Field::Count(told.candidate.total())),
        ("candidate_failed", Field::Count(told.candidate.failed())),
        ("fallbacks", Field::Count(told.fallbacks)),
    ];
    outside.log.line(&Line { level: Level::Info, event: "client_report", fields: &fields });
    Ok(StatusCode::NO_CONTENT)
}

/// All that browsers told of a rollout since the start.
pub async fn tally(State(console): Shared, Name(name): Name) -> Result<Json<Value>, ApiError> {
    let tally = console.outside.registry.browsers().tally(find(&console, &name)?);
    Ok(Json(json!({
        "rollout": name,
        "says": "As browsers tell; anybody can pretend to be one. Shown, and no part of the verdict.",
        "latency_up_to_ms": BOUNDS_MS,
        "reports": tally.reports,
        "last_ms": tally.last_ms,
        "legacy": tally.told.legacy,
        "candidate": tally.told.candidate,
        "fallbacks": tally.told.fallbacks,
    })))
}
