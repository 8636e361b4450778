//! Taking an entry back: the call that the entry holds goes through the whole console once more, as its asker's own.
//! So it is checked as every other change is (who it is, what they may do, whether somebody has decided otherwise
//! since), and has an entry of its own.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::{ConnectInfo, Extension, State};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use tower::ServiceExt;

use super::super::act::Why;
use super::super::api::Shared;
use super::super::error::ApiError;
use super::super::take::{Body, Name};
use super::{Deed, Reverting, find, read};

/// The console with all its layers; gone when it no longer serves.
pub type Whole = Weak<OnceLock<Router>>;

pub async fn revert(
    State(console): Shared,
    Name(id): Name,
    Extension(whole): Extension<Whole>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    deed: Deed,
    Body(body): Body,
) -> Result<Response, ApiError> {
    let Why { reason } = Why::read(&body)?;
    let reason = deed.why(&console, &reason)?;
    let kept = find(Arc::clone(&console), &id).await?;
    let refused = |why: String| ApiError::new(StatusCode::CONFLICT, why);
    if let Some(by) = kept.reverted_by {
        return Err(refused(format!("entry {} was taken back by entry {by} already", kept.id)));
    }
    let Some(call) = kept.entry.undo.clone() else {
        return Err(refused(format!("entry {} ({}) cannot be taken back", kept.id, kept.entry.action)));
    };
    let (since, kept) =
        read(console, move |console| Ok((console.storage.decided_since(&kept)?, kept))).await?;
    if let Some(later) = since {
        return Err(refused(format!("entry {later} has decided otherwise since entry {}", kept.id)));
    }
    let reason = if reason.is_empty() { format!("revert of entry {}", kept.id) } else { reason };
    let mut request = Request::builder()
        .method(call.method.as_str())
        .uri(call.path.as_str())
        .extension(ConnectInfo(client))
        .extension(Reverting { id: kept.id, reason })
        .body(HttpBody::from(call.body))
        .map_err(|_| refused(format!("what takes entry {} back is no longer understood", kept.id)))?;
    // Who asks is told by their headers once more; what is said of the body is not true of the new one.
    *request.headers_mut() = headers;
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::ACCEPT_ENCODING] {
        request.headers_mut().remove(name);
    }
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let whole = whole.upgrade().and_then(|whole| whole.get().cloned());
    let whole = whole
        .ok_or_else(|| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the program is about to leave"))?;
    match whole.oneshot(request).await {
        Ok(answer) => Ok(answer),
        Err(never) => match never {},
    }
}
