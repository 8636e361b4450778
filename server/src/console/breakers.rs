//! The breakers' API: why each is in its state, and the switches that take its decisions over.

mod kept;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rad_model::metrics::{BreakerMetrics, Figure};
use rad_model::{BreakerMode, BreakerState, EventKind};
use rad_resilience::Clock;
use rad_resilience::breaker::{
    BreakerSettings, OpenReason, SlidingWindow, Snapshot, Transition, WindowFigures,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Console;
use super::act::{self, Why};
use super::api::Shared;
use super::audit::{Deed, alone};
use super::error::{ApiError, parse};
use super::take::{Body, Name};
use crate::gateway::Target;
use crate::storage::SetMode;
use crate::telemetry::unix_ms;
pub use kept::KeptModes;

/// A breaker with all that explains it.
#[derive(Serialize)]
pub struct Details {
    #[serde(flatten)]
    metrics: BreakerMetrics,
    upstream: String,
    /// Why it is in its state, and what it needs to leave it.
    says: String,
    /// Who took its decisions over, when and why.
    mode_set: Option<SetMode>,
    /// How near it is to what happens next.
    figures: Vec<Figure>,
    opened_because: Option<OpenReason>,
    /// How long it stays open this time, or the next.
    open_for_ms: u64,
    window: Value,
    settings: Value,
}

pub async fn all(State(console): Shared) -> Json<Vec<Details>> {
    let metrics = console.report.breakers().into_iter().zip(&console.plan.targets);
    Json(metrics.map(|(metrics, target)| details(&console, metrics, target)).collect())
}

pub async fn one(State(console): Shared, Name(name): Name) -> Result<Json<Details>, ApiError> {
    let (at, _) = find(&console, &name)?;
    of(&console, at).map(Json).ok_or_else(|| unknown(&name))
}

/// The breaker at a position.
pub fn of(console: &Console, at: usize) -> Option<Details> {
    let metrics = console.report.breakers().into_iter().nth(at)?;
    Some(details(console, metrics, console.plan.targets.get(at)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    mode: BreakerMode,
    /// Changes nothing unless this is the mode in force.
    #[serde(default)]
    from: Option<BreakerMode>,
    #[serde(default)]
    reason: String,
}

pub async fn change_mode(
    State(console): Shared,
    Name(name): Name,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    find(&console, &name)?;
    let Change { mode: to, from: expected, reason } = parse(&body)?;
    let reason = deed.why(&console, &reason)?;
    alone(console, move |console| {
        let (_, target) = find(console, &name)?;
        let now = target.breaker.mode();
        if expected.is_some_and(|expected| expected != now) {
            return Err(ApiError::overtaken(format_args!("{name} is {} now", now.word())));
        }
        let from = target.breaker.set_mode(to, console.clock.now());
        // Who sets what is set already changes nothing.
        if from == to {
            let says = format!("It was {} already.", to.word());
            return Ok(Json(json!({"breaker": name, "from": from, "to": to, "says": says, "undo": null})));
        }
        let why = format!("undo of {} → {}", from.word(), to.word());
        let back = json!({"mode": from, "from": to, "reason": why});
        let says = format!("Changed {} → {}.", from.word(), to.word());
        let receipt = act::receipt(says, Some(("POST", format!("/breakers/{name}/mode"), back)));
        let (before, after) = (json!({"mode": from}), json!({"mode": to}));
        let entry = deed.entry(("breaker.mode", &name), (before, after), &reason, receipt.undo.as_ref());
        console.journal.event(EventKind::BreakerModeChanged {
            breaker: name.clone(),
            from,
            to,
            by: deed.by.clone(),
            reason: reason.clone(),
        });
        let set = SetMode { mode: to, by: deed.by, reason, at_ms: entry.at_ms };
        let kept = console.modes.keep(&name, set);
        let recorded = console.record(&entry);
        kept.map_err(|_| {
            ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the mode is in force, but could not be stored: it would be lost by a restart",
            )
        })?;
        recorded?;
        Ok(Json(json!({"breaker": name, "from": from, "to": to, "says": receipt.says, "undo": receipt.undo})))
    })
    .await
}

pub async fn reset(
    State(console): Shared,
    Name(name): Name,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    find(&console, &name)?;
    let Why { reason } = Why::read(&body)?;
    let reason = deed.why(&console, &reason)?;
    alone(console, move |console| {
        let (_, target) = find(console, &name)?;
        let Transition::Reset { from } = target.breaker.reset(console.clock.now()) else {
            return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the breaker could not be reset"));
        };
        let to = BreakerState::Closed;
        let change = (json!({"state": from}), json!({"state": to}));
        let entry = deed.entry(("breaker.reset", &name), change, &reason, None);
        console.journal.event(EventKind::BreakerReset { breaker: name.clone(), from, by: deed.by, reason });
        console.record(&entry)?;
        let says = match target.breaker.mode() {
            BreakerMode::Automatic => "Closed, and what it counted is forgotten.".to_owned(),
            mode => format!("What it counted is forgotten, but it stays {}.", mode.word()),
        };
        Ok(Json(json!({"breaker": name, "from": from, "to": to, "says": says})))
    })
    .await
}

fn find<'a>(console: &'a Console, name: &str) -> Result<(usize, &'a Target), ApiError> {
    let mut targets = console.plan.targets.iter().enumerate();
    targets.find(|(_, target)| target.name == name).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> ApiError {
    ApiError::not_found(format!("no breaker is named {name:?}"))
}

fn details(console: &Console, metrics: BreakerMetrics, target: &Target) -> Details {
    let snapshot = target.breaker.snapshot(console.clock.now());
    let mode_set = console.modes.of(&target.name);
    let who = mode_set.as_ref().map(|set| kept::says(set, unix_ms())).unwrap_or_default();
    Details {
        metrics,
        upstream: target.upstream.clone(),
        says: format!("{snapshot}.{who}"),
        mode_set,
        figures: figures(&snapshot),
        opened_because: snapshot.opened_because,
        open_for_ms: millis(snapshot.open_for),
        window: snapshot.window.as_ref().map_or(Value::Null, window),
        settings: settings(&snapshot.settings),
    }
}

/// The figures that decide in this state.
fn figures(snapshot: &Snapshot) -> Vec<Figure> {
    let figure = |name: &str, value: f64, limit: f64, unit: &str, then: &str| Figure {
        name: name.to_owned(),
        value,
        limit,
        unit: unit.to_owned(),
        then: then.to_owned(),
    };
    let (status, settings) = (&snapshot.status, &snapshot.settings);
    match status.state {
        BreakerState::Open => {
            // What is left is rounded up, so that what takes a moment is not over yet.
            let left = status.next.unwrap_or_default();
            let passed = snapshot.open_for.saturating_sub(left);
            let (passed, limit) = (passed.as_secs_f64().floor(), snapshot.open_for.as_secs_f64());
            return vec![figure("Time open", passed, limit, "s", "probes")];
        }
        BreakerState::HalfOpen => {
            let (value, limit) = (status.successes.into(), settings.successes_to_close.into());
            return vec![figure("Successful probes", value, limit, "", "closes")];
        }
        BreakerState::Closed => {}
    }
    let in_a_row = settings
        .consecutive_failures
        .map(|limit| figure("Failures in a row", status.failures.into(), limit.into(), "", "opens"));
    let mut figures: Vec<_> = in_a_row.into_iter().collect();
    if let Some(window) = &snapshot.window {
        let (calls, least) = (window.calls, settings.minimum_number_of_calls);
        if calls < least {
            figures.push(figure("Calls in the window", calls.into(), least.into(), "", "counts"));
        }
        let share = |count: u32| if calls == 0 { 0.0 } else { f64::from(count) * 100.0 / f64::from(calls) };
        let rates = [
            ("Failure rate", window.failures, settings.failure_rate_threshold),
            ("Slow-call rate", window.slow_calls, settings.slow_call_rate_threshold),
        ];
        figures.extend(rates.into_iter().filter_map(|(name, count, limit)| {
            Some(figure(name, share(count), limit?.percent(), "%", "opens"))
        }));
    }
    figures
}

fn window(figures: &WindowFigures) -> Value {
    let WindowFigures { calls, failures, slow_calls, failure_rate, slow_call_rate } = figures;
    json!({
        "calls": calls,
        "failures": failures,
        "slow_calls": slow_calls,
        "failure_rate_percent": failure_rate,
        "slow_call_rate_percent": slow_call_rate,
    })
}

/// The settings under the names that configuration gives them; times in milliseconds.
fn settings(settings: &BreakerSettings) -> Value {
    let window = match settings.sliding_window {
        SlidingWindow::CountBased { calls } => json!({"calls": calls}),
        SlidingWindow::TimeBased { duration } => json!({"ms": millis(duration)}),
    };
    let growth = settings.open_growth.map(|growth| {
        json!({
            "factor": growth.factor,
            "cap_ms": millis(growth.cap),
            "stable_after_ms": millis(growth.stable_after),
        })
    });
    json!({
        "consecutive_failures": settings.consecutive_failures,
        "failure_rate_threshold": settings.failure_rate_threshold,
        "slow_call_rate_threshold": settings.slow_call_rate_threshold,
        "slow_call_duration_threshold_ms": millis(settings.slow_call_duration_threshold),
        "sliding_window": window,
        "minimum_number_of_calls": settings.minimum_number_of_calls,
        "open_for_ms": millis(settings.open_for),
        "open_growth": growth,
        "permitted_probes": settings.permitted_probes.unwrap_or(settings.successes_to_close),
        "successes_to_close": settings.successes_to_close,
        "half_open_for_ms": millis(settings.half_open_for),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
