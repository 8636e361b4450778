//! A small search service that fails and dawdles as told.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::SampleUpstream;

/// Serves, forever.
///
/// # Errors
/// If the listener fails.
pub async fn serve(upstream: Arc<SampleUpstream>, listener: TcpListener) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/_search", post(search))
        .route("/{index}/_search", post(search_in))
        .route("/_cluster/health", get(health))
        .fallback(any(anything))
        .with_state(upstream);
    axum::serve(listener, routes).await
}

/// Waits as long as this request is to take, and says whether it fails.
async fn behave(upstream: &SampleUpstream, headers: &HeaderMap) -> Result<(u64, u64), Response> {
    let (knobs, number) = upstream.receive(headers.contains_key("x-rad-shadow"));
    let draw = scatter(number);
    // From half to twice the median, so that percentiles differ.
    let stretch = 2.0_f64.powf(unit(draw) * 2.0 - 1.0);
    let latency = Duration::from_millis(u64::from(knobs.latency_ms)).mul_f64(stretch);
    tokio::time::sleep(latency).await;
    if unit(scatter(draw)) < knobs.failure_share {
        let body = json!({"error": {"type": "sample_failure", "reason": "told to fail"}, "status": 500});
        return Err((StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response());
    }
    Ok((u64::try_from(latency.as_millis()).unwrap_or(u64::MAX), number))
}

async fn anything(
    State(upstream): State<Arc<SampleUpstream>>,
    headers: HeaderMap,
) -> Result<Json<Value>, Response> {
    let (took, number) = behave(&upstream, &headers).await?;
    Ok(Json(json!({"served_by": upstream.name, "took": took, "number": number})))
}

async fn health(
    State(upstream): State<Arc<SampleUpstream>>,
    headers: HeaderMap,
) -> Result<Json<Value>, Response> {
    behave(&upstream, &headers).await?;
    Ok(Json(
        json!({"cluster_name": upstream.name, "status": "green", "timed_out": false, "number_of_nodes": 1}),
    ))
}

async fn search_in(
    upstream: State<Arc<SampleUpstream>>,
    Path(index): Path<String>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Json<Value>, Response> {
    answer(&upstream, &index, &headers, &body).await
}

async fn search(
    upstream: State<Arc<SampleUpstream>>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Json<Value>, Response> {
    answer(&upstream, "alerts", &headers, &body).await
}

const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];
const STATES: [&str; 3] = ["open", "acknowledged", "closed"];

/// As Elasticsearch would answer; the same query finds the same documents.
async fn answer(
    upstream: &SampleUpstream,
    index: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Json<Value>, Response> {
    let (took, _) = behave(upstream, headers).await?;
    let query: Value = match body {
        [] => json!({}),
        body => serde_json::from_slice(body).map_err(|error| {
            let reason = format!("the body is no JSON: {error}");
            let body = json!({"error": {"type": "parsing_exception", "reason": reason}, "status": 400});
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        })?,
    };
    let seed = query.to_string().bytes().fold(17_u64, |hash, byte| scatter(hash ^ u64::from(byte)));
    let total = seed % 5_000;
    let size = query["size"].as_u64().unwrap_or(10).min(100).min(total);
    let hits: Vec<Value> = (0..size)
        .map(|at| {
            let draw = scatter(seed ^ at);
            let pick =
                |of: &[&'static str], shift: u32| of[usize::try_from(draw >> shift).unwrap_or(0) % of.len()];
            json!({
                "_index": index,
                "_id": format!("{draw:016x}"),
                "_score": 1.0,
                "_source": {
                    "alert_id": draw % 100_000,
                    "severity": pick(&SEVERITIES, 8),
                    "status": pick(&STATES, 24),
                    "host": format!("node-{}", draw % 40),
                },
            })
        })
        .collect();
    Ok(Json(json!({
        "took": took,
        "timed_out": false,
        "_shards": {"total": 5, "successful": 5, "skipped": 0, "failed": 0},
        "hits": {"total": {"value": total, "relation": "eq"}, "max_score": 1.0, "hits": hits},
    })))
}

/// SplitMix64: from a count to a number that looks random.
pub(super) fn scatter(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number in 0 to 1.
// 53 bits fit exactly.
#[allow(clippy::cast_precision_loss)]
pub(super) fn unit(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}
