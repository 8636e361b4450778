//! The rollouts as their page shows them: all of them, in words.

use std::sync::Arc;

use app::format::count;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rad_model::Share;
use serde::Serialize;

use super::Console;
use super::api::Shared;
use super::error::ApiError;
use super::rollouts::{ERROR, says};
use super::shadows;
use crate::rollout::shadow::Shadow;
use crate::rollout::verdict::{FALSE_ALARM, MISS, interval};
use crate::rollout::{Phase, Rollout, Tally, Verdict};
use crate::storage::PastChange;
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
    both.map(|(rollout, shadow)| plan(console, rollout, shadow)).collect()
}

fn plan(console: &Console, rollout: &Rollout, shadow: &Shadow) -> Plan {
    let (course, now_ms) = (rollout.course(), unix_ms());
    let (place, verdict) = (course.place(), course.verdict());
    let (candidate, legacy) = course.seen();
    let stages = rollout.stages().shares().len();
    let in_stage = |at: usize| format!("stage {} of {stages}", at + 1);
    let (tone, word, can): (_, _, &[_]) = match place.phase {
        Phase::Manual if place.share == Share::NONE => ("off", "not started".to_owned(), &["start"]),
        Phase::Manual => ("off", "by hand".to_owned(), &["start", "rollback"]),
        Phase::Stage(at) => {
            let tone = if matches!(verdict, Verdict::Shared | Verdict::Fail(_)) { "bad" } else { "ok" };
            (tone, in_stage(at), &["promote", "pause", "rollback"])
        }
        Phase::Paused(at) => {
            ("warn", format!("{}, paused", in_stage(at)), &["promote", "resume", "rollback"])
        }
        Phase::Complete => ("ok", "complete".to_owned(), &["rollback"]),
        Phase::RolledBack => ("bad", "rolled back".to_owned(), &["start"]),
    };
    let history = console.storage.rollout_history(rollout.name(), SHOWN).unwrap_or_default();
    Plan {
        rollout: rollout.name().to_owned(),
        tone,
        word,
        says: says(rollout, verdict, course.waits(rollout.stages(), now_ms), (candidate, legacy)),
        evidence: format!(
            "Since this stage began. Tested after every look: a candidate at its target fails in at most {} %, \
             one that is bad twice as often passes in at most {} % of all cases.",
            FALSE_ALARM * 100.0,
            MISS * 100.0
        ),
        can: can.to_vec(),
        sides: [side("legacy", place.share.rest(), legacy), side("candidate", place.share, candidate)],
        history: history.into_iter().map(change).collect(),
        shadow: shadows::part(rollout, shadow),
    }
}

fn side(name: &'static str, share: Share, seen: Tally) -> Side {
    let (least_bad, most_bad) = interval(seen.bad, seen.requests, ERROR);
    let percent = |share: f64| app::format::plain((share * 10_000.0).floor() / 100.0);
    let success = match seen.requests {
        0 => "nothing known".to_owned(),
        _ => format!("{} and {} %", percent(1.0 - most_bad), percent(1.0 - least_bad)),
    };
    let outcome = format!("{} of {} failed", count(seen.bad), count(seen.requests));
    Side { name, share: format!("{share} %"), outcome, success }
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
