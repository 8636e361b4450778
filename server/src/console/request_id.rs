//! `X-Request-Id` of the console: kept if the caller sent a usable one, made otherwise. It is what a person
//! who reports an error can name, and it goes along where an API call goes through the gateway.

use std::hash::{BuildHasher, RandomState};

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ones are replaced: they would fill logs.
const MAX_LENGTH: usize = 128;

pub async fn carry(mut request: Request, next: Next) -> Response {
    let usable = |id: &&HeaderValue| {
        !id.is_empty() && id.len() <= MAX_LENGTH && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    let id = request.headers().get(HEADER).filter(usable).cloned().unwrap_or_else(make);
    request.headers_mut().insert(HEADER, id.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(HEADER, id);
    response
}

fn make() -> HeaderValue {
    // Std's hasher is seeded by the system, anew for each.
    let random = || RandomState::new().hash_one(0_u8);
    let id = format!("{:016x}{:016x}", random(), random());
    HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("0"))
}
