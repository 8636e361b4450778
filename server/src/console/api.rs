//! The JSON API.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use rad_model::metrics::{Metrics, RolloutMetrics};
use rad_model::{EventKind, Share};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Console;
use super::act::{self, Why};
use super::error::{ApiError, parse};
use super::socket::Resumption;
use super::take::{Asked, Body, Name};
use crate::gateway::CallError;
use crate::rollout::{Changed, Rollout};

pub(super) type Shared = State<Arc<Console>>;

/// 200 once the gateway takes traffic, 503 as soon as the program begins to leave.
pub async fn health(State(console): Shared) -> (StatusCode, Json<Value>) {
    let (status, word) = match console.is_stopping() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "STOPPING"),
        false => (StatusCode::OK, "HEALTHY"),
    };
    (
        status,
        Json(json!({"status": word, "version": env!("CARGO_PKG_VERSION"), "epoch": console.journal.epoch()})),
    )
}

pub async fn metrics(
    State(console): Shared,
    Asked(from): Asked<Resumption>,
) -> Result<Json<Metrics>, ApiError> {
    let mut metrics = console.report.metrics(console.sockets.metrics(&console.journal));
    if let Some(position) = from.position()? {
        metrics.live = Some(console.journal.hello(Some(&position)));
    }
    Ok(Json(metrics))
}

pub async fn reset_metrics(State(console): Shared) -> Json<Value> {
    let since_ms = console.report.reset();
    console.journal.event(EventKind::MetricsReset);
    Json(json!({"since_ms": since_ms}))
}

pub async fn prometheus(State(console): Shared, headers: HeaderMap) -> Result<impl IntoResponse, ApiError> {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let (kind, text) = console
        .exporter
        .scrape(accept)
        .map_err(|_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written"))?;
    Ok(([(header::CONTENT_TYPE, kind)], text))
}

pub async fn rollouts(State(console): Shared) -> Json<Vec<RolloutMetrics>> {
    Json(console.report.metrics(console.sockets.metrics(&console.journal)).rollouts)
}

pub async fn rollout(State(console): Shared, Name(name): Name) -> Result<Json<Value>, ApiError> {
    let share = find(&console, &name)?.share();
    Ok(Json(json!({"rollout": name, "percent": share})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    percent: Share,
    /// Changes nothing unless this is the share in force.
    #[serde(default)]
    from: Option<Share>,
    #[serde(default)]
    reason: String,
}

pub async fn change_rollout(
    State(console): Shared,
    Name(name): Name,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let Change { percent, from, reason } = parse(&body)?;
    set_share(&console, &name, (percent, from), &reason, &headers).await
}

pub async fn roll_back(
    State(console): Shared,
    Name(name): Name,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let Why { reason } = Why::read(&body)?;
    set_share(&console, &name, (Share::NONE, None), &reason, &headers).await
}

async fn set_share(
    console: &Arc<Console>,
    name: &str,
    (to, expected): (Share, Option<Share>),
    reason: &str,
    headers: &HeaderMap,
) -> Result<Json<Value>, ApiError> {
    find(console, name)?;
    let on_disk = {
        let (console, name) = (Arc::clone(console), name.to_owned());
        // Waits for the disk, which this runtime must not.
        tokio::task::spawn_blocking(move || {
            console
                .plan
                .rollouts
                .iter()
                .find(|rollout| rollout.name() == name)
                .map(|rollout| rollout.set_share(to, expected, &console.storage))
        })
    };
    let Ok(Some(changed)) = on_disk.await else {
        return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the share could not be changed"));
    };
    let (Changed { from, to }, stored) =
        changed.map_err(|now| ApiError::overtaken(format_args!("{name} is at {now} % now")))?;
    if from != to {
        console.journal.event(EventKind::RolloutChanged {
            rollout: name.to_owned(),
            from,
            to,
            by: act::by(headers),
            reason: act::short(reason),
        });
    }
    stored.map_err(|_| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("{to} % is in force, but could not be stored: it would be lost by a restart"),
        )
    })?;
    let receipt = if from == to {
        act::receipt(format!("It was at {to} % already."), None)
    } else {
        let back = json!({"percent": from, "from": to, "reason": format!("undo of {from} → {to} %")});
        act::receipt(format!("Changed {from} → {to} %."), Some(("POST", format!("/rollouts/{name}"), back)))
    };
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

/// Tells a caller where it stands with a limit of five a minute.
pub async fn test_rate_limit(
    State(console): Shared,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Response<axum::body::Body>, ApiError> {
    let asked = (Method::GET, "/api/test-rate-limit", Bytes::new());
    through_the_gateway(&console, asked, &headers, client).await
}

/// Sends its body to the upstream named `search`, through the whole pipeline.
pub async fn fetch_kibana_data(
    State(console): Shared,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response<axum::body::Body>, ApiError> {
    const PATH: &str = "/api/fetch-kibana-data";
    if !console.plan.routes.iter().any(|route| route.path == PATH) {
        return Err(ApiError::not_found("no upstream is named \"search\""));
    }
    parse::<serde::de::IgnoredAny>(&body)?;
    through_the_gateway(&console, (Method::POST, PATH, body), &headers, client).await
}

async fn through_the_gateway(
    console: &Console,
    (method, path, body): (Method, &str, Bytes),
    headers: &HeaderMap,
    client: SocketAddr,
) -> Result<Response<axum::body::Body>, ApiError> {
    let mut request =
        Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    // What ties the caller's trace together, and no more of the browser's headers.
    for name in ["x-request-id", "traceparent", "tracestate"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let request = request.body(body).map_err(|_| ApiError::bad_request("this cannot be a request"))?;
    let answer = console.caller.call(request, client.ip()).await.map_err(|error| {
        let status = match error {
            CallError::Gone | CallError::Busy => StatusCode::SERVICE_UNAVAILABLE,
            CallError::Broken | CallError::TooLarge => StatusCode::BAD_GATEWAY,
            CallError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        };
        ApiError::new(status, error.to_string())
    })?;
    Ok(answer.map(axum::body::Body::from))
}
