//! The rollouts as their page shows them: all of them, in words.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rad_model::Share;
use rad_model::format::count;
use serde::Serialize;

use super::Console;
use super::api::Shared;
use super::error::ApiError;
use super::shadows;
use crate::rollout::shadow::Shadow;
use crate::rollout::verdict::{FALSE_ALARM, MISS};
use crate::rollout::{AssignBy, Figures, LatencyGuard, Phase, Rollout, Standing};
use crate::storage::PastChange;
use crate::telemetry::browsers::{Calls, Told};
use crate::telemetry::unix_ms;

/// So many changes of each are shown.
const SHOWN: u32 = 12;

#[derive(Serialize)]
pub struct Plan {
    rollout: String,
    tone: &'static str,
    word: String,
    says: String,
    evidence: String,
    /// What the candidate must reach, in percent.
    target: f64,
    starts_at_ms: Option<u64>,
    /// What browsers of pages outside report; empty before any does.
    browsers: String,
    can: Vec<&'static str>,
    sides: [Side; 2],
    history: Vec<Change>,
    shadow: shadows::Part,
}

#[derive(Serialize)]
struct Side {
    name: &'static str,
    share: String,
    outcome: String,
    success: String,
    /// The same as numbers, to draw.
    figures: Figures,
}

#[derive(Serialize)]
struct Change {
    at_ms: u64,
    what: String,
    by: String,
    reason: String,
}

pub async fn all(State(console): Shared) -> Result<Json<Vec<Plan>>, ApiError> {
    let console = Arc::clone(&console);
    // The history is on the disk, for which this runtime must not wait.
    let listed = tokio::task::spawn_blocking(move || list(&console)).await;
    listed
        .map(Json)
        .map_err(|_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the rollouts could not be listed"))
}

pub fn list(console: &Console) -> Vec<Plan> {
    let both = console.plan.rollouts.iter().zip(&console.plan.shadows);
    both.enumerate().map(|(at, (rollout, shadow))| plan(console, at, rollout, shadow)).collect()
}

fn plan(console: &Console, at: usize, rollout: &Rollout, shadow: &Shadow) -> Plan {
    let standing = Standing::of(rollout, &console.switches, unix_ms());
    let place = standing.place;
    let can: &[_] = match place.phase {
        Phase::Manual if place.share == Share::NONE => &["start"],
        Phase::Manual => &["start", "rollback"],
        Phase::Stage(_) => &["promote", "pause", "rollback"],
        Phase::Paused(_) => &["promote", "resume", "rollback"],
        Phase::Complete => &["rollback"],
        Phase::RolledBack => &["start"],
    };
    let mut can = can.to_vec();
    can.extend(standing.starts_at.map(|_| "call_off"));
    let history = console.storage.rollout_history(rollout.name(), SHOWN).unwrap_or_default();
    Plan {
        rollout: rollout.name().to_owned(),
        tone: standing.tone(),
        word: standing.phase(),
        evidence: evidence(rollout),
        target: standing.target(),
        starts_at_ms: standing.starts_at,
        browsers: browsers(&console.outside.told(at)),
        can,
        sides: [
            side("legacy", place.share.rest(), standing.legacy),
            side("candidate", place.share, standing.candidate),
        ],
        says: standing.says,
        history: history.into_iter().map(change).collect(),
        shadow: shadows::part(rollout, shadow),
    }
}

/// What browsers of pages outside say: shown, and no part of the verdict.
fn browsers(told: &Told) -> String {
    if told.legacy.total() + told.candidate.total() == 0 {
        return String::new();
    }
    let side = |calls: &Calls| format!("{} of {} failed", count(calls.failed()), count(calls.total()));
    format!(
        "Browsers of pages outside report of the candidate {}, of legacy {}; legacy stood in {} times. Anybody can \
         report, so the verdict does not rest on it.",
        side(&told.candidate),
        side(&told.legacy),
        count(told.fallbacks)
    )
}

/// What is asked of the candidate, and how sure the verdict is.
fn evidence(rollout: &Rollout) -> String {
    let latency = rollout.criteria().latency.map_or_else(
        String::new,
        |LatencyGuard { quantile, at_most, no_slower_than }| {
            let quantile = rad_model::format::plain(quantile * 100.0);
            let limit = at_most.map(|limit| format!("at most {}", humantime::format_duration(limit)));
            let times = no_slower_than.map(|times| format!("at most {times} times that of legacy"));
            let asked: Vec<_> = limit.into_iter().chain(times).collect();
            format!(" Its p{quantile} is to be {}, judged in blocks of five seconds.", asked.join(" and "))
        },
    );
    let stages = rollout.stages();
    let shares: Vec<_> = stages.shares().iter().map(ToString::to_string).collect();
    format!(
        "Stages: {} %, each for {} at least{}. Counted are clients told apart by {}, at this share. Tested after every look: a candidate at its target fails in \
         at most {} %, one that is bad twice as often passes in at most {} % of all cases.{latency}",
        shares.join(" → "),
        humantime::format_duration(stages.bake),
        if stages.gated { ", and until somebody approves" } else { "" },
        match rollout.assign_by() {
            AssignBy::Client => "address".to_owned(),
            other => other.to_string(),
        },
        FALSE_ALARM * 100.0,
        MISS * 100.0
    )
}

fn side(name: &'static str, share: Share, figures: Figures) -> Side {
    let percent = |percent: f64| rad_model::format::plain((percent * 100.0).floor() / 100.0);
    let success = match figures.requests {
        0 => "nothing known".to_owned(),
        _ => format!("{} and {} %", percent(figures.low), percent(figures.high)),
    };
    let outcome = format!("{} of {} failed", count(figures.failed), count(figures.requests));
    Side { name, share: format!("{share} %"), outcome, success, figures }
}

fn change(change: PastChange) -> Change {
    let PastChange { at_ms, from, to, phase, by, reason } = change;
    let what = match phase.as_str() {
        "paused" => format!("paused at {to} %"),
        "complete" => format!("complete at {to} %"),
        "shadow" if from == to => format!("shadow at {to} %, again"),
        "shadow" => format!("shadow {from} → {to} %"),
        _ if from == to => format!("on at {to} %"),
        _ => format!("{from} → {to} %"),
    };
    Change { at_ms, what, by, reason }
}
