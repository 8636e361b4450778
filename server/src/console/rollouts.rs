//! The rollouts' API: where each is and what it waits for, and the switches that move it.

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
use crate::rollout::verdict::{FALSE_ALARM, MISS, interval};
use crate::rollout::{
    Cause, Changed, Order, Phase, Refused, Rollout, Tally, Verdict, Waits, because, tell, undo,
};
use crate::storage::PastChange;
use crate::telemetry::unix_ms;

/// So many changes are told of.
const MOST: u32 = 100;
/// The true share of failures is outside of what is told in at most so many cases.
pub const ERROR: f64 = 0.05;

pub async fn all(State(console): Shared) -> Json<Vec<RolloutMetrics>> {
    Json(console.report.metrics(console.sockets.metrics(&console.journal)).rollouts)
}

pub async fn one(State(console): Shared, Name(name): Name) -> Result<Json<Value>, ApiError> {
    Ok(Json(standing(find(&console, &name)?)))
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

switch!(start, Order::Start);
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

/// Where a rollout is, and why.
fn standing(rollout: &Rollout) -> Value {
    let (course, now_ms) = (rollout.course(), unix_ms());
    let (place, verdict) = (course.place(), course.verdict());
    let (candidate, legacy) = course.seen();
    let (phase, stage) = match place.phase {
        Phase::Manual => ("manual", None),
        Phase::Stage(at) => ("stage", Some(at)),
        Phase::Paused(at) => ("paused", Some(at)),
        Phase::Complete => ("complete", None),
        Phase::RolledBack => ("rolled_back", None),
    };
    let waits = course.waits(rollout.stages(), now_ms);
    let needed = match verdict {
        Verdict::Undecided { needed } => needed,
        _ => None,
    };
    json!({
        "rollout": rollout.name(),
        "percent": place.share,
        "phase": phase,
        "stage": stage.map(|at| at + 1),
        "stages": rollout.stages().shares(),
        "bake_ms": u64::try_from(rollout.stages().bake.as_millis()).unwrap_or(u64::MAX),
        "since_ms": place.since_ms,
        "waits_for": waits.map(waits_for),
        "verdict": verdict_word(verdict),
        "says": says(rollout, verdict, waits, (candidate, legacy)),
        "requests_needed": needed,
        "target_success": rollout.target().share(),
        "false_alarm": FALSE_ALARM,
        "miss": MISS,
        "candidate": side(candidate),
        "legacy": side(legacy),
    })
}

/// What was seen of a side, and between which bounds its success lies.
fn side(seen: Tally) -> Value {
    let (least_bad, most_bad) = interval(seen.bad, seen.requests, ERROR);
    json!({
        "requests": seen.requests,
        "failed": seen.bad,
        "success_from": 1.0 - most_bad,
        "success_to": 1.0 - least_bad,
    })
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail(_) => "fail",
        Verdict::Undecided { .. } => "not_enough_evidence",
        Verdict::Shared => "legacy_fails_too",
    }
}

fn waits_for(waits: Waits) -> &'static str {
    match waits {
        Waits::Bake(_) => "bake",
        Waits::Verdict => "verdict",
        Waits::Approval => "approval",
        Waits::Nothing => "nothing",
    }
}

/// The verdict, and what is missing for the next step, in words.
pub fn says(rollout: &Rollout, verdict: Verdict, waits: Option<Waits>, seen: (Tally, Tally)) -> String {
    let target = rollout.target().share() * 100.0;
    let verdict = match verdict {
        Verdict::Pass => format!("The candidate reaches {target} %."),
        Verdict::Fail(failure) => {
            format!("The candidate fails: {}.", because(failure, seen, rollout.target()))
        }
        Verdict::Shared => {
            format!("The candidate is below {target} %, and so is legacy: it is not to blame.")
        }
        Verdict::Undecided { needed: Some(needed) } => {
            format!("Not enough evidence yet: about {} more requests.", app::format::count(needed))
        }
        Verdict::Undecided { needed: None } => {
            format!("Not enough evidence yet; going on like this it will not reach {target} %.")
        }
    };
    let waits = match waits {
        Some(Waits::Bake(left)) => {
            let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            format!(" Bakes for another {}.", app::format::length(left))
        }
        Some(Waits::Approval) => " Waits for approval.".to_owned(),
        Some(Waits::Verdict | Waits::Nothing) | None => String::new(),
    };
    verdict + &waits
}
