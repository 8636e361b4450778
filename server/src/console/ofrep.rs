//! Flags for any OpenFeature client: the OpenFeature Remote Evaluation Protocol, 0.3.0.
//!
//! Answers say which rule decided, but not what it asks: these clients are often somebody's browser, and rules name
//! customers. `POST /api/flags/KEY/evaluate` tells people everything.
//!
//! The protocol's 401, 403 and 429 are said by whoever stands before this.

use std::hash::{DefaultHasher, Hasher};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, OriginalUri, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};

use super::Console;
use super::api::Shared;
use super::auth::{Needs, takes};
use super::error::{ApiError, only};
use super::take::Name;
use crate::rollout::flags::{ErrorCode, Evaluation, Failure, JsonContext, Kept, Snapshot, TARGETING_KEY};

/// The longest context that is taken, with all around it.
const MAX_BODY: usize = 64 << 10;

pub fn router() -> Router<std::sync::Arc<Console>> {
    Router::new()
        .route("/evaluate/flags", takes(Needs::Read, only("POST", post(all))))
        .route("/evaluate/flags/{key}", takes(Needs::Read, only("POST", post(one))))
        .fallback(missing)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(super::header_layer(header::CACHE_CONTROL, "no-store"))
}

async fn missing(OriginalUri(uri): OriginalUri) -> ApiError {
    let known = "/ofrep/v1/evaluate/flags and /ofrep/v1/evaluate/flags/KEY";
    ApiError::not_found(format!("there is no {}; there are {known}", uri.path()))
}

/// One flag's answer.
#[derive(Serialize)]
struct Success<'f> {
    key: &'f str,
    value: &'f Value,
    reason: &'static str,
    variant: &'f str,
    metadata: Value,
}

async fn one(
    State(console): Shared,
    name: Result<Name, ApiError>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(Name(key)) = name else {
        return failure(
            StatusCode::BAD_REQUEST,
            None,
            ErrorCode::ParseError,
            "the key in the path is no UTF-8",
        );
    };
    let context = match context(body) {
        Ok(context) => context,
        Err((code, detail)) => return failure(StatusCode::BAD_REQUEST, Some(&key), code, &detail),
    };
    let now = console.flags.now();
    let found = now.snapshot.position(&key).and_then(|at| {
        let entry = now.snapshot.entries().get(at)?;
        Some((&entry.kept, now.snapshot.evaluate(at, &context)?))
    });
    match found {
        None => {
            let detail = format!("no flag has the key {key:?}");
            failure(StatusCode::NOT_FOUND, Some(&key), ErrorCode::FlagNotFound, &detail)
        }
        Some((kept, Ok(found))) => Json(success(kept, &found)).into_response(),
        Some((_, Err(Failure { code, because }))) => {
            failure(StatusCode::BAD_REQUEST, Some(&key), code, &because.to_string())
        }
    }
}

async fn all(State(console): Shared, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Response {
    let context = match context(body) {
        Ok(context) => context,
        Err((code, detail)) => return failure(StatusCode::BAD_REQUEST, None, code, &detail),
    };
    let flags = evaluated(&console.flags.now().snapshot, &context);
    let Ok(body) = serde_json::to_vec(&json!({ "flags": flags })) else {
        let detail = json!({"errorDetails": "the answer could not be written"});
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(detail)).into_response();
    };
    let mut hasher = DefaultHasher::new();
    hasher.write(&body);
    // Weak: the same flags may be compressed in one answer and not in the next.
    let tag = format!("W/\"{:016x}\"", hasher.finish());
    let is_known =
        headers.get_all(header::IF_NONE_MATCH).iter().any(|tags| matches(tags.to_str().unwrap_or(""), &tag));
    let tag: [(HeaderName, String); 1] = [(header::ETAG, tag)];
    if is_known {
        return (StatusCode::NOT_MODIFIED, tag).into_response();
    }
    (tag, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Each flag's answer, or why there is none for this context.
fn evaluated(flags: &Snapshot, context: &JsonContext) -> Vec<Value> {
    let answer = |(at, kept): (usize, &Kept)| match flags.evaluate(at, context)? {
        Ok(found) => serde_json::to_value(success(kept, &found)).ok(),
        Err(Failure { code, because }) => {
            Some(json!({"key": kept.key, "errorCode": code, "errorDetails": because.to_string()}))
        }
    };
    flags.entries().iter().map(|entry| &entry.kept).enumerate().filter_map(answer).collect()
}

fn success<'f>(kept: &'f Kept, found: &Evaluation<'f>) -> Success<'f> {
    let mut metadata = json!({"version": kept.version});
    if let Some(rule) = found.because.rule() {
        metadata["rule"] = json!(rule);
    }
    let reason = found.reason.word();
    Success { key: &kept.key, value: found.value, reason, variant: found.variant, metadata }
}

fn failure(status: StatusCode, key: Option<&str>, code: ErrorCode, detail: &str) -> Response {
    let mut body = json!({"errorCode": code, "errorDetails": detail});
    if let Some(key) = key {
        body["key"] = json!(key);
    }
    (status, Json(body)).into_response()
}

/// The context in a body. One without a `targetingKey` is taken: who is split by it says so.
fn context(body: Result<Bytes, BytesRejection>) -> Result<JsonContext, (ErrorCode, String)> {
    let Ok(body) = body else {
        return Err((
            ErrorCode::ParseError,
            format!("the body broke off, or is longer than {MAX_BODY} bytes"),
        ));
    };
    let body: Value = serde_json::from_slice(&body)
        .map_err(|error| (ErrorCode::ParseError, format!("the body is no JSON: {error}")))?;
    let invalid = |detail: &str| (ErrorCode::InvalidContext, detail.to_owned());
    let Value::Object(mut body) = body else { return Err(invalid("the body must be {\"context\": {…}}")) };
    let Some(Value::Object(context)) = body.remove("context") else {
        return Err(invalid(
            "context is missing, or no object; write {\"context\": {\"targetingKey\": \"…\", …}}",
        ));
    };
    if context.get(TARGETING_KEY).is_some_and(|key| !key.is_string()) {
        return Err(invalid("context.targetingKey must be a text"));
    }
    Ok(JsonContext(context))
}

/// Whether an `If-None-Match` names a tag.
fn matches(tags: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    tags.trim() == "*" || tags.split(',').any(|known| opaque(known) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_tag_is_found_however_it_is_written() {
        let tag = "W/\"00ab\"";
        for known in ["W/\"00ab\"", "\"00ab\"", "00ab", "\"1\", W/\"00ab\"", "*"] {
            assert!(matches(known, tag), "{known}");
        }
        for other in ["", "\"00a\"", "W/\"ab\""] {
            assert!(!matches(other, tag), "{other}");
        }
    }
}
