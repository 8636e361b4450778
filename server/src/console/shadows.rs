//! The API of shadow traffic: what the candidate answers otherwise, and how much is copied to it.

mod words;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rad_model::{EventKind, Share};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::act::{self, Why};
use super::api::Shared;
use super::audit::{Deed, alone};
use super::error::{ApiError, parse};
use super::take::{Body, Name};
use crate::gateway::Plan;
use crate::rollout::shadow::{Difference, FALSE_ALARM, Field, Findings, Shadow, Skipped, Verdict};
use crate::rollout::{Cause, Rollout};
use crate::telemetry::unix_ms;
pub use words::{Part, part};

pub async fn one(State(console): Shared, Name(name): Name) -> Result<Json<Value>, ApiError> {
    let at = find(&console.plan, &name)?;
    Ok(Json(standing(&console.plan.rollouts[at], &console.plan.shadows[at])))
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
    let Change { percent: to, from: expected, reason } = parse(&body)?;
    let at = find(&console.plan, &name)?;
    let reason = deed.why(&console, &reason)?;
    let cause =
        Cause { by: deed.by.clone(), reason: reason.clone(), at_ms: unix_ms(), reverts: deed.reverts() };
    alone(console, move |console| {
        let rolled_back_ms = console.plan.rollouts[at].rolled_back_ms();
        let set = console.plan.shadows[at]
            .set(to, expected, rolled_back_ms, &cause, &console.storage)
            .map_err(|now| ApiError::overtaken(format_args!("the shadow of {name} is at {now} % now")))?;
        let from = set.from;
        let receipt = match (set.is_new, from == to) {
            (false, _) => act::receipt(format!("It was at {to} % already."), None),
            (true, true) => act::receipt(format!("{to} % is copied again."), None),
            (true, false) => {
                let why = format!("undo of shadow {from} → {to} %");
                let back = json!({"percent": from, "from": to, "reason": why});
                let undo = ("POST", format!("/rollouts/{name}/shadow"), back);
                act::receipt(format!("Changed {from} → {to} %."), Some(undo))
            }
        };
        let mut recorded = Ok(());
        if set.is_new {
            let change = (json!({"percent": from}), json!({"percent": to}));
            recorded =
                console.record(&deed.entry(("shadow.share", &name), change, &reason, receipt.undo.as_ref()));
            let (rollout, by) = (name.clone(), deed.by);
            console.journal.event(EventKind::ShadowChanged { rollout, from, to, by, reason });
        }
        set.stored.map_err(|_| {
            ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("{to} % is in force, but could not be stored: it would be lost by a restart"),
            )
        })?;
        recorded?;
        Ok(Json(json!({"rollout": name, "from": from, "to": to, "says": receipt.says, "undo": receipt.undo})))
    })
    .await
}

/// Forgets what was compared: after the candidate has become another one.
pub async fn reset(
    State(console): Shared,
    Name(name): Name,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let at = find(&console.plan, &name)?;
    let Why { reason } = Why::read(&body)?;
    let reason = deed.why(&console, &reason)?;
    alone(console, move |console| {
        let compared = console.plan.shadows[at].forget(unix_ms());
        let change = (json!({"compared": compared}), json!({"compared": 0}));
        let entry = deed.entry(("shadow.reset", &name), change, &reason, None);
        let (rollout, by) = (name.clone(), deed.by);
        console.journal.event(EventKind::ShadowReset { rollout, by, reason });
        console.record(&entry)?;
        let says = format!("Forgot {}.", words::requests(compared));
        Ok(Json(json!({"rollout": name, "forgotten": compared, "says": says})))
    })
    .await
}

fn find(plan: &Plan, name: &str) -> Result<usize, ApiError> {
    let named = plan.rollouts.iter().position(|rollout| rollout.name() == name);
    named.ok_or_else(|| ApiError::not_found(format!("no rollout is named {name:?}")))
}

/// A place in which answers differed, and what is to be thought of it.
#[derive(Serialize)]
struct Place<'a> {
    path: &'a str,
    kind: &'static str,
    /// On so many requests the candidate differed from the client's answer.
    raw_percent: f64,
    /// And so many, legacy from itself.
    noise_percent: f64,
    verdict: Verdict,
    says: String,
    first_seen_ms: u64,
    last_seen_ms: u64,
}

fn standing(rollout: &Rollout, shadow: &Shadow) -> Value {
    let settings = &shadow.settings;
    shadow.look(|findings, skipped| {
        let compared = findings.compared();
        let skipped: Map<_, _> = Skipped::ALL
            .into_iter()
            .map(|why| (why.word().to_owned(), json!(skipped[why as usize])))
            .collect();
        let judged = findings.judged();
        let fields: Vec<_> = judged.iter().map(|judged| place(*judged, compared)).collect();
        json!({
            "rollout": rollout.name(),
            "percent": shadow.share(),
            "is_withdrawn": shadow.is_withdrawn(rollout.rolled_back_ms()),
            "says": words::says(rollout, shadow, findings),
            "since_ms": findings.since_ms,
            "in_flight": shadow.in_flight(),
            "compared": compared,
            "equal": findings.equal,
            "different": findings.different,
            "failed": findings.failed,
            "equal_percent": percent(findings.equal, compared),
            "legacy_equal_percent": percent(findings.legacy_equal, compared),
            "bodies_unread": findings.unread,
            "skipped": skipped,
            "latency": latency(findings),
            "fields": fields,
            "other": {
                "raw_percent": hundredths(findings.other.raw(compared)),
                "noise_percent": hundredths(findings.other.noise(compared)),
            },
            "false_alarm": FALSE_ALARM,
            "settings": {
                "max_in_flight": settings.max_in_flight,
                "requests_per_second": settings.requests_per_second,
                "timeout_ms": u64::try_from(settings.timeout.as_millis()).unwrap_or(u64::MAX),
                "max_body_kib": settings.max_body >> 10,
                "methods": settings.methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(),
            },
        })
    })
}

fn place<'a>((difference, field, verdict): (&'a Difference, &'a Field, Verdict), compared: u64) -> Place<'a> {
    Place {
        path: &difference.path,
        kind: difference.kind.word(),
        raw_percent: hundredths(field.counts.raw(compared)),
        noise_percent: hundredths(field.counts.noise(compared)),
        verdict,
        says: words::of_field(difference, field, verdict, compared),
        first_seen_ms: field.first_ms,
        last_seen_ms: field.last_ms,
    }
}

/// Of the copies of the same requests: to legacy, and to the candidate.
fn latency(findings: &Findings) -> Value {
    let [legacy, candidate] = findings.durations();
    let side = |durations: &crate::telemetry::histogram::Counts| json!({"p50_us": durations.quantile_us(0.5), "p99_us": durations.quantile_us(0.99)});
    json!({"requests": legacy.total(), "legacy": side(&legacy), "candidate": side(&candidate)})
}

fn percent(of: u64, all: u64) -> Option<f64> {
    // Counts are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    (all > 0).then(|| hundredths(of as f64 / all as f64))
}

/// A share in percent, to a hundredth.
fn hundredths(share: f64) -> f64 {
    (share * 10_000.0).round() / 100.0
}
