//! What acts on the world has in common: who did it, and why.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
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

/// Who asks for a change: the name that feeds, histories and the audit log show.
///
/// Whoever has checked who it is leaves this in the request's extensions. Where nobody has to log in, only the way
/// is known: browsers say where a change comes from, scripts do not.
#[derive(Clone, Debug)]
pub struct Actor {
    pub name: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let way = if parts.headers.contains_key(header::ORIGIN) { "console" } else { "api" };
        Ok(parts.extensions.get().cloned().unwrap_or_else(|| Self { name: way.to_owned() }))
    }
}

/// A reason as the feed shows it.
pub fn short(reason: &str) -> String {
    let seen: String = reason.chars().filter(|c| !is_unseen(*c)).collect();
    seen.trim().chars().take(MAX_REASON).collect()
}

/// What shows nothing, or turns round what stands beside it.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_what_can_be_seen_of_it() {
        assert_eq!(short(" a\u{202e}b\u{200b}\u{0} c\n"), "ab c");
        assert_eq!(short("\u{200b}\u{feff}\t"), "");
        assert_eq!(short(&"é".repeat(300)).chars().count(), MAX_REASON);
    }
}
