//! What the gateway itself says. None of it tells where an upstream is.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use rad_model::Quota;

use super::body::ResponseBody;
use super::headers::Refusal;
use crate::problem::{self, Problem};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer with a JSON body.
fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// An error with a JSON body, and what it is to those who ask for another form.
fn error(status: u16, body: impl Into<Bytes>, problem: Problem) -> Response<ResponseBody> {
    let mut response = json(StatusCode::from_u16(status).unwrap_or_default(), body);
    response.extensions_mut().insert(problem);
    response
}

/// An error of this status, with this sentence and by default nothing that the status does not say.
macro_rules! error {
    ($status:literal, $detail:literal) => {
        error!($status, $detail, Problem::Plain($detail.into()))
    };
    ($status:literal, $detail:literal, $problem:expr) => {
        error(
            $status,
            Bytes::from_static(
                concat!(r#"{"detail": ""#, $detail, r#"", "status_code": "#, $status, "}").as_bytes(),
            ),
            $problem,
        )
    };
}

/// Says an error in the form that its asker wants.
pub fn tell_problem(response: &mut Response<ResponseBody>, is_wanted: bool) {
    problem::tell(response, is_wanted, |text| ResponseBody::full(text.into()));
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
    error!(404, "No route has this path")
}

/// A limit rejects. The body's words are SlowAPI's, which clients know.
pub fn limited(quota: Quota) -> Response<ResponseBody> {
    let words = quota.in_words();
    let body = format!(r#"{{"error": "Rate limit exceeded: {words}", "detail": "Too many requests"}}"#);
    error(429, body, Problem::QuotaExceeded(quota))
}

/// A client that would not stop, or that somebody has blocked.
pub fn blocked(retry_after_s: u64, by_hand: bool) -> Response<ResponseBody> {
    let (body, problem): (&'static [u8], _) = if by_hand {
        (br#"{"error": "Blocked", "detail": "Too many requests"}"#, "Blocked")
    } else {
        let said = br#"{"error": "Blocked after too many rejections", "detail": "Too many requests"}"#;
        (said, "Blocked after too many rejections")
    };
    let problem = Problem::AbnormalUsage(problem);
    later(error(429, Bytes::from_static(body), problem), retry_after_s)
}

/// The breakers of all targets are open.
pub fn short_circuited(retry_after_s: u64) -> Response<ResponseBody> {
    later(error!(503, "Service temporarily unavailable due to circuit breaker"), retry_after_s)
}

/// The upstream cannot be reached, or broke off.
pub fn bad_gateway() -> Response<ResponseBody> {
    error!(502, "The upstream could not be reached")
}

/// The upstream took too long.
pub fn gateway_timeout() -> Response<ResponseBody> {
    error!(504, "The upstream did not answer in time")
}

/// The rest of the request did not come.
pub fn request_timeout() -> Response<ResponseBody> {
    error!(408, "The request did not arrive in time")
}

/// The gateway itself has no more connections to give.
pub fn exhausted() -> Response<ResponseBody> {
    let problem = Problem::ReducedCapacity("The gateway has no more connections to give");
    later(error!(503, "The gateway has no more connections to give", problem), 1)
}

/// No place for the request came free in time.
pub fn waited_in_vain(retry_after_s: u64) -> Response<ResponseBody> {
    let problem = Problem::ReducedCapacity("The request waited for its turn for too long");
    later(error!(503, "The request waited for its turn for too long", problem), retry_after_s)
}

/// No place for the request, and none in the queue.
pub fn shed(retry_after_s: u64) -> Response<ResponseBody> {
    let problem = Problem::ReducedCapacity("Too many requests are waiting already");
    later(error!(503, "Too many requests are waiting already", problem), retry_after_s)
}

fn later(mut response: Response<ResponseBody>, retry_after_s: u64) -> Response<ResponseBody> {
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
    match refusal {
        Refusal::Host => error!(400, "A request must name one host, by name or address and port"),
        Refusal::Coding => error!(501, "The only transfer coding is chunked"),
        Refusal::Connect => error!(501, "CONNECT is not supported"),
    }
}

/// A path that another program might read as another path.
pub fn ambiguous_path() -> Response<ResponseBody> {
    error!(400, "A path must not hold the segments . or ..")
}

/// The request itself broke off.
pub fn bad_request() -> Response<ResponseBody> {
    error!(400, "The request could not be read to its end")
}
