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
use super::api::Shared;
use super::audit::Deed;
use super::error::{ApiError, parse};
use super::take::{Body, Name};
use crate::rollout::{Cause, Changed, Order, Phase, Refused, Rollout, Standing, tell, undo};
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
    /// Back into a phase of the plan; without it the share is one by hand.
    #[serde(default)]
    phase: Option<Word>,
    /// Of the phases `stage` and `paused`, from 1.
    #[serde(default)]
    stage: Option<usize>,
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
    let Change { percent, phase, stage, from, reason } = parse(&body)?;
    let at = || {
        let at = stage.and_then(|stage| stage.checked_sub(1));
        at.ok_or_else(|| ApiError::bad_request("stage is missing; it is the number of one, from 1"))
    };
    let order = match phase {
        None => Order::Set(percent),
        Some(Word::Manual) => Order::Return(Phase::Manual, percent),
        Some(Word::Stage) => Order::Return(Phase::Stage(at()?), percent),
        Some(Word::Paused) => Order::Return(Phase::Paused(at()?), percent),
        Some(Word::Complete) => Order::Return(Phase::Complete, percent),
        Some(Word::RolledBack) => Order::Return(Phase::RolledBack, Share::NONE),
    };
    obey(&console, &name, (order, from), &reason, &deed).await
}

/// A phase as the API names it.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Manual,
    Stage,
    Paused,
    Complete,
    RolledBack,
}

/// A body that holds what the share is believed to be, and a reason, or nothing at all.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Press {
    /// Changes nothing unless this is the share in force: so two who promote at once do not skip a stage.
    #[serde(default)]
    from: Option<Share>,
    #[serde(default)]
    reason: String,
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
            let Press { from, reason } = if body.is_empty() { Press::default() } else { parse(&body)? };
            obey(&console, &name, ($order, from), &reason, &deed).await
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
    let words = changed.to.phase.words(to, find(console, name)?.stages());
    let says = match order {
        Order::Return(phase, _) if from != to && phase != Phase::Manual => {
            format!("Changed {from} → {to} %, {words}.")
        }
        _ if from != to => format!("Changed {from} → {to} %."),
        Order::Set(_) => format!("It was at {to} % already."),
        Order::Pause => format!("Paused at {to} %."),
        Order::Resume => format!("Goes on at {to} %."),
        Order::Start => format!("Begins at {to} %, where it was."),
        Order::Promote | Order::RollBack => format!("It stays at {to} %."),
        Order::Return(..) => format!("Back at {to} %, as it was."),
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
