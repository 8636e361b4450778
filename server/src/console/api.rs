//! The JSON API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use rad_model::EventKind;
use rad_model::metrics::Metrics;
use serde_json::{Value, json};

use super::Console;
use super::act::Why;
use super::audit::{Deed, alone};
use super::error::{ApiError, parse};
use super::socket::Resumption;
use super::take::{Asked, Body};
use crate::gateway::CallError;

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

pub async fn reset_metrics(
    State(console): Shared,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let Why { reason } = Why::read(&body)?;
    let reason = deed.said(&reason);
    alone(console, move |console| {
        let (before_ms, since_ms) = console.report.reset();
        console.journal.event(EventKind::MetricsReset);
        let moment =
            |ms| humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(ms)).to_string();
        let change = (json!({"since": moment(before_ms)}), json!({"since": moment(since_ms)}));
        console.record(&deed.entry(("metrics.reset", "metrics"), change, &reason, None))?;
        Ok(Json(json!({"since_ms": since_ms})))
    })
    .await
}

pub async fn prometheus(State(console): Shared, headers: HeaderMap) -> Result<impl IntoResponse, ApiError> {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let (kind, text) = console
        .exporter
        .scrape(accept)
        .map_err(|_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written"))?;
    Ok(([(header::CONTENT_TYPE, kind)], text))
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
