//! What the gateway itself says. None of it tells where an upstream is.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use rad_model::Quota;

use super::body::ResponseBody;
use super::headers::Refusal;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// Takes the content from an answer to `HEAD`; what it would have been is said nevertheless (RFC 9110
/// §9.3.2). HTTP/1 connections do it by themselves, HTTP/2 ones do not.
pub fn without_content(response: &mut Response<ResponseBody>) {
    if let ResponseBody::Full(content) = response.body_mut() {
        let length = content.take().map_or(0, |content| content.len());
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
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

/// A client that would not stop, or that somebody has blocked.
pub fn blocked(retry_after_s: u64) -> Response<ResponseBody> {
    let body = br#"{"error": "Blocked after too many rejections", "detail": "Too many requests"}"#;
    let mut response = json(StatusCode::TOO_MANY_REQUESTS, Bytes::from_static(body));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_s));
    response
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

/// The gateway itself has no more connections to give.
pub fn exhausted() -> Response<ResponseBody> {
    let body = br#"{"detail": "The gateway has no more connections to give", "status_code": 503}"#;
    let mut response = json(StatusCode::SERVICE_UNAVAILABLE, Bytes::from_static(body));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(1));
    response
}

/// No place for the request, and none in the queue.
pub fn shed(retry_after_s: u64) -> Response<ResponseBody> {
    let body = br#"{"detail": "Too many requests are waiting already", "status_code": 503}"#;
    let mut response = json(StatusCode::SERVICE_UNAVAILABLE, Bytes::from_static(body));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_s));
    response
}

/// What stands in for an upstream.
pub fn fixed(status: StatusCode, content_type: &HeaderValue, body: &Bytes) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(body.clone()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type.clone());
    response
}

/// A request that must not be passed on.
pub fn refused(refusal: Refusal) -> Response<ResponseBody> {
    let (status, body): (_, &[u8]) = match refusal {
        Refusal::Host => (
            StatusCode::BAD_REQUEST,
            br#"{"detail": "A request must name one host, by name or address and port", "status_code": 400}"#,
        ),
        Refusal::Coding => (
            StatusCode::NOT_IMPLEMENTED,
            br#"{"detail": "The only transfer coding is chunked", "status_code": 501}"#,
        ),
        Refusal::Connect => {
            (StatusCode::NOT_IMPLEMENTED, br#"{"detail": "CONNECT is not supported", "status_code": 501}"#)
        }
    };
    json(status, Bytes::from_static(body))
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
