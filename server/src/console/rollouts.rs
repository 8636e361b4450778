//! The rollouts' API: where each is and what it waits for, and the switches that move it.

mod overrides;
mod starts;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rad_model::metrics::RolloutMetrics;
use rad_model::{Receipt, Share};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Console;
use super::act::Why;
use super::api::Shared;
use super::audit::Deed;
use super::error::{ApiError, parse};
use super::take::{Body, Name};
use crate::rollout::{Cause, Changed, Order, Refused, Rollout, Standing, tell, undo};
use crate::storage::PastChange;
use crate::telemetry::unix_ms;

pub use overrides::sign;
pub use starts::{call_off, start};

/// So many changes are told of.
const MOST: u32 = 100;

pub async fn all(State(console): Shared) -> Json<Vec<RolloutMetrics>> {
    Json(console.report.metrics(console.sockets.metrics(&console.journal)).rollouts)
}

pub async fn one(State(console): Shared, Name(name): Name) -> Result<Json<Value>, ApiError> {
    Ok(Json(Standing::of(find(&console, &name)?, &console.switches, unix_ms()).json()))
}

pub async fn history(State(console): Shared, Name(name): Name) -> Result<Json<Vec<PastChange>>, ApiError> {
    find(&console, &name)?;
    let read = tokio::task::spawn_blocking(move || console.storage.rollout_history(&name, MOST));
    match read.await {
        Ok(Ok(changes)) => Ok(Json(changes)),
        _ => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the history could not be read")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    percent: Share,
    /// Changes nothing unless this is the share in force.
    #[serde(default)]
    from: Option<Share>,
    #[serde(default)]
    reason: String,
}

pub async fn change(
    State(console): Shared,
    Name(name): Name,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let Change { percent, from, reason } = parse(&body)?;
    obey(&console, &name, (Order::Set(percent), from), &reason, &deed).await
}

/// A switch that needs nothing but, perhaps, a reason.
macro_rules! switch {
    ($name:ident, $order:expr) => {
        pub async fn $name(
            State(console): Shared,
            Name(name): Name,
            deed: Deed,
            Body(body): Body,
        ) -> Result<Json<Value>, ApiError> {
            let Why { reason } = Why::read(&body)?;
            obey(&console, &name, ($order, None), &reason, &deed).await
        }
    };
}

switch!(pause, Order::Pause);
switch!(resume, Order::Resume);
switch!(promote, Order::Promote);
switch!(roll_back, Order::RollBack);

async fn obey(
    console: &Arc<Console>,
    name: &str,
    (order, expected): (Order, Option<Share>),
    reason: &str,
    deed: &Deed,
) -> Result<Json<Value>, ApiError> {
    find(console, name)?;
    let reason = deed.why(console, reason)?;
    let cause = Cause { by: deed.by.clone(), reason, at_ms: unix_ms(), reverts: deed.reverts() };
    let on_disk = {
        let (console, name, cause) = (Arc::clone(console), name.to_owned(), cause.clone());
        // Waits for the disk, which this runtime must not.
        tokio::task::spawn_blocking(move || {
            let rollout = find(&console, &name).ok()?;
            Some(rollout.obey(order, expected, &cause, &console.storage))
        })
    };
    let Ok(Some(changed)) = on_disk.await else {
        return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the share could not be changed"));
    };
    let (changed, stored) = changed.map_err(|refused| match refused {
        Refused::Overtaken(now) => ApiError::overtaken(format_args!("{name} is at {now} % now")),
        Refused::NotNow(why) => ApiError::new(StatusCode::CONFLICT, format!("{name}: {why}")),
    })?;
    tell(&console.journal, find(console, name)?, changed, cause);
    let Changed { from, to } = changed;
    let (from, to) = (from.share, to.share);
    stored.map_err(|_| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!(
                "{to} % is in force, but could not be stored: it would be lost by a restart, and is not in the audit log"
            ),
        )
    })?;
    let says = match order {
        _ if from != to => format!("Changed {from} → {to} %."),
        Order::Set(_) => format!("It was at {to} % already."),
        Order::Pause => format!("Paused at {to} %."),
        Order::Resume => format!("Goes on at {to} %."),
        Order::Start => format!("Begins at {to} %, where it was."),
        Order::Promote | Order::RollBack => format!("It stays at {to} %."),
    };
    let receipt = Receipt { says, undo: undo(name, changed) };
    Ok(Json(json!({"rollout": name, "from": from, "to": to, "says": receipt.says, "undo": receipt.undo})))
}

fn find<'a>(console: &'a Console, name: &str) -> Result<&'a Rollout, ApiError> {
    console
        .plan
        .rollouts
        .iter()
        .find(|rollout| rollout.name() == name)
        .ok_or_else(|| ApiError::not_found(format!("no rollout is named {name:?}")))
}
