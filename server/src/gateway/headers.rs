//! Which headers pass, and which are for one connection only.

use http::header::{self, HeaderMap, HeaderName};

use super::client::FORWARDED_FOR;
use super::request_id;

/// Headers that RFC 9110 §7.6.1 ties to a connection.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Headers that are not the connection's business, whoever claims it.
pub fn is_end_to_end_always(name: &HeaderName) -> bool {
    *name == header::CONTENT_LENGTH
        || *name == header::HOST
        || *name == FORWARDED_FOR
        || *name == request_id::HEADER
}

/// The headers that `Connection` names as its own.
pub fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut named = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        // What nearly everybody says.
        if value == "keep-alive" || value == "close" {
            continue;
        }
        let tokens = value.as_bytes().split(|byte| *byte == b',');
        let names = tokens.filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok());
        named.extend(names.filter(|name| !is_end_to_end_always(name)));
    }
    named
}
