//! What the gateway itself says. None of it tells where an upstream is.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use rad_model::Quota;

use super::body::ResponseBody;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// The answer of a route that is a fixed one.
pub fn ok() -> Response<ResponseBody> {
    json(StatusCode::OK, Bytes::from_static(br#"{"status": "ok"}"#))
}

/// No route has this path.
pub fn not_found() -> Response<ResponseBody> {
    json(
        StatusCode::NOT_FOUND,
        Bytes::from_static(br#"{"detail": "No route has this path", "status_code": 404}"#),
    )
}

/// A limit rejects. The body's words are SlowAPI's, which clients know.
pub fn limited(quota: Quota) -> Response<ResponseBody> {
    let words = quota.in_words();
    let body = format!(r#"{{"error": "Rate limit exceeded: {words}", "detail": "Too many requests"}}"#);
    json(StatusCode::TOO_MANY_REQUESTS, body)
}

/// The breakers of all targets are open.
pub fn short_circuited(retry_after_s: u64) -> Response<ResponseBody> {
    let body = br#"{"detail": "Service temporarily unavailable due to circuit breaker", "status_code": 503}"#;
    let mut response = json(StatusCode::SERVICE_UNAVAILABLE, Bytes::from_static(body));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_s));
    response
}

/// The upstream cannot be reached, or broke off.
pub fn bad_gateway() -> Response<ResponseBody> {
    let body = br#"{"detail": "The upstream could not be reached", "status_code": 502}"#;
    json(StatusCode::BAD_GATEWAY, Bytes::from_static(body))
}

/// The upstream took too long.
pub fn gateway_timeout() -> Response<ResponseBody> {
    let body = br#"{"detail": "The upstream did not answer in time", "status_code": 504}"#;
    json(StatusCode::GATEWAY_TIMEOUT, Bytes::from_static(body))
}

/// The rest of the request did not come.
pub fn request_timeout() -> Response<ResponseBody> {
    let body = br#"{"detail": "The request did not arrive in time", "status_code": 408}"#;
    json(StatusCode::REQUEST_TIMEOUT, Bytes::from_static(body))
}

/// A path that another program might read as another path.
pub fn ambiguous_path() -> Response<ResponseBody> {
    let body = br#"{"detail": "A path must not hold the segments . or ..", "status_code": 400}"#;
    json(StatusCode::BAD_REQUEST, Bytes::from_static(body))
}

/// The request itself broke off.
pub fn bad_request() -> Response<ResponseBody> {
    let body = br#"{"detail": "The request could not be read to its end", "status_code": 400}"#;
    json(StatusCode::BAD_REQUEST, Bytes::from_static(body))
}
