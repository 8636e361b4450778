//! Small bodies that are collected before they are passed on, so that they can be said again, and be a part of what
//! an answer is kept by.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout, timeout_at};

use super::RequestBody;

/// The most of a body that is kept so that it can be said again, bytes.
const MAX_KEPT: u64 = 64 << 10;
/// A small body that says its length must be here after this long.
const KEEP_WITHIN: Duration = Duration::from_secs(30);
/// One that does not may be a stream without an end, or one whose parts are waited for at the other side: what is
/// here after this long is passed on, and what follows as it comes.
const KEEP_UNKNOWN_WITHIN: Duration = Duration::from_secs(1);

/// Why a body cannot be kept.
#[derive(Debug)]
pub enum Unkept {
    Broken,
    TimedOut,
}

/// Collects a small body, so that it can be said again; a large one is left to be passed on as it comes.
///
/// # Errors
/// If it breaks off, or one that is known to be small does not arrive.
pub async fn keep(body: RequestBody) -> Result<RequestBody, Unkept> {
    let RequestBody::Incoming(incoming) = body else { return Ok(body) };
    match incoming.size_hint().exact() {
        Some(0) => Ok(RequestBody::empty()),
        Some(length) if length <= MAX_KEPT => {
            let collected = timeout(KEEP_WITHIN, incoming.collect()).await;
            let collected = collected.map_err(|_| Unkept::TimedOut)?.map_err(|_| Unkept::Broken)?;
            Ok(RequestBody::full(collected.to_bytes()))
        }
        Some(_) => Ok(RequestBody::Incoming(incoming)),
        None => keep_unknown(incoming).await,
    }
}

/// Collects a body of unknown length, unless it turns out to be large or slow.
async fn keep_unknown(mut rest: Incoming) -> Result<RequestBody, Unkept> {
    let until = Instant::now() + KEEP_UNKNOWN_WITHIN;
    let mut ahead = BytesMut::new();
    while ahead.len() as u64 <= MAX_KEPT {
        match timeout_at(until, rest.frame()).await {
            Ok(Some(Ok(frame))) => {
                // Trailers are for one connection (RFC 9110 §6.5).
                if let Ok(part) = frame.into_data() {
                    ahead.extend_from_slice(&part);
                }
            }
            Ok(Some(Err(_))) => return Err(Unkept::Broken),
            Ok(None) => return Ok(RequestBody::full(ahead.freeze())),
            Err(_) => break,
        }
    }
    Ok(RequestBody::Begun(Box::new(Begun { ahead: ahead.freeze(), rest })))
}

/// A body of which the first part has been read.
#[derive(Debug)]
pub struct Begun {
    pub(super) ahead: Bytes,
    pub(super) rest: Incoming,
}

impl RequestBody {
    pub fn full(bytes: Bytes) -> Self {
        Self::Full((!bytes.is_empty()).then_some(bytes))
    }

    /// The same again, if it was kept or is none.
    pub fn again(&self) -> Option<Self> {
        match self {
            Self::Full(bytes) => Some(Self::Full(bytes.clone())),
            Self::Incoming(body) => body.is_end_stream().then(Self::empty),
            Self::Begun(_) => None,
        }
    }

    /// All of it, if it was kept or is none.
    pub fn kept(&self) -> Option<&[u8]> {
        match self {
            Self::Full(bytes) => Some(bytes.as_deref().unwrap_or_default()),
            Self::Incoming(body) => body.is_end_stream().then_some(&[]),
            Self::Begun(_) => None,
        }
    }
}
