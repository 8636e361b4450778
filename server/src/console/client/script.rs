//! The script itself, part of the program.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::console::files::REVALIDATE;

const SCRIPT: &str = include_str!("client.js");
const KIND: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");
/// Pages of other sites are meant to load it, also those that load nothing that does not say so.
const FOR_ALL: (HeaderName, HeaderValue) =
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));

/// Names the content, whatever it is compressed with on its way.
static TAG: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(SCRIPT);
    let hash = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("W/\"{hash}\"")
});

pub async fn script(headers: HeaderMap) -> Response {
    let held = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    let common = [(header::ETAG, TAG.as_str())];
    let common = (common, [(header::CACHE_CONTROL, REVALIDATE), FOR_ALL]);
    if held.split(',').any(|tag| matches!(tag.trim(), "*") || tag.trim() == *TAG) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(header::CONTENT_TYPE, KIND)], SCRIPT).into_response()
}
