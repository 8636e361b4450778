//! What acts on the world has in common: who did it, and why.

use axum::http::{HeaderMap, header};
use rad_model::{Call, Receipt};
use serde::Deserialize;
use serde_json::Value;

use super::error::{ApiError, parse};

/// A reason longer than this is cut off: it is shown in a feed.
const MAX_REASON: usize = 200;

/// A body that holds nothing but a reason, or nothing at all.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    #[serde(default)]
    pub reason: String,
}

impl Why {
    /// Reads a body that may be empty.
    ///
    /// # Errors
    /// 400 if it is something else.
    pub fn read(body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() { Ok(Self::default()) } else { parse(body) }
    }
}

/// Who asks: browsers say where a change comes from, scripts do not.
pub fn by(headers: &HeaderMap) -> String {
    if headers.contains_key(header::ORIGIN) { "console" } else { "api" }.to_owned()
}

/// A reason as the feed shows it.
pub fn short(reason: &str) -> String {
    reason.trim().chars().take(MAX_REASON).collect()
}

/// What was done; `undo` is the body that takes it back at a path of the API.
pub fn receipt(says: String, undo: Option<(&str, String, Value)>) -> Receipt {
    let undo = undo.map(|(method, path, body)| Call {
        method: method.to_owned(),
        // Of what names may hold, only spaces must be written in another way.
        path: format!("/api{}", path.replace(' ', "%20")),
        body: if body.is_null() { String::new() } else { body.to_string() },
    });
    Receipt { says, undo }
}
