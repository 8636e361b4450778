//! Which headers pass, and which are for one connection only.

use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Version, request};

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

/// Why a request must not be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It names no host, several, or something that is none (RFC 9112 §3.2).
    Host,
    /// It has a transfer coding that would be lost on the way (RFC 9112 §6.1).
    Coding,
    /// It asks for a tunnel.
    Connect,
}

/// What servers must refuse, and hyper lets pass.
pub fn refusal(parts: &request::Parts) -> Option<Refusal> {
    if parts.method == Method::CONNECT {
        return Some(Refusal::Connect);
    }
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    let is_named = parts.version != Version::HTTP_11 || host.is_some();
    let authority = parts.uri.authority().map(|name| name.as_str().as_bytes());
    let is_host = |name: &[u8]| name.iter().all(|byte| is_of_host(*byte));
    if !is_named
        || second.is_some()
        || !host.is_none_or(|host| is_host(host.as_bytes()))
        || !authority.is_none_or(is_host)
    {
        return Some(Refusal::Host);
    }
    let mut codings = parts.headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked_alone = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    (!is_chunked_alone).then_some(Refusal::Coding)
}

/// Characters of a name or an address and a port (RFC 3986 §3.2.2); whoever sends a user's name with them
/// does not mean a host.
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:%[]!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn asks(uri: &str, version: Version, headers: &[(&str, &str)]) -> Option<Refusal> {
        let mut request = Request::builder().uri(uri).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        refusal(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_request_names_one_host() {
        for host in ["a.example", "127.0.0.1:80", "[::1]:8080", ""] {
            assert_eq!(asks("/", Version::HTTP_11, &[("host", host)]), None, "{host:?}");
        }
        for host in ["a b", "a/b", "u:p@h", "a?b", "a#b"] {
            assert_eq!(asks("/", Version::HTTP_11, &[("host", host)]), Some(Refusal::Host), "{host:?}");
        }
        assert_eq!(asks("/", Version::HTTP_11, &[]), Some(Refusal::Host));
        assert_eq!(asks("/", Version::HTTP_10, &[]), None);
        assert_eq!(asks("http://a.example/", Version::HTTP_2, &[]), None);
        assert_eq!(asks("http://u:p@a.example/", Version::HTTP_2, &[]), Some(Refusal::Host));
        assert_eq!(asks("/", Version::HTTP_11, &[("host", "a"), ("host", "b")]), Some(Refusal::Host));
    }

    #[test]
    fn chunked_is_the_only_coding() {
        let coded = |codings: &[&str]| {
            let mut headers = vec![("host", "a")];
            headers.extend(codings.iter().map(|coding| ("transfer-encoding", *coding)));
            asks("/", Version::HTTP_11, &headers)
        };
        assert_eq!(coded(&["Chunked"]), None);
        for codings in [&["gzip, chunked"][..], &["gzip", "chunked"], &["identity"]] {
            assert_eq!(coded(codings), Some(Refusal::Coding), "{codings:?}");
        }
    }
}
