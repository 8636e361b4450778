//! A request on its way to a target (RFC 9112 §3–6).

use std::borrow::Cow;

use http::header::{self, HeaderMap, HeaderName};
use http::{HeaderValue, Method, Uri, request};

use super::upload::BodyLength;
use crate::gateway::client::{FORWARDED_FOR, Peer};
use crate::gateway::headers::{is_hop_by_hop, named_by_connection};
use crate::gateway::request_id;

/// By this an upstream tells a copy from a request that somebody waits for.
pub const SHADOW: HeaderName = HeaderName::from_static("x-rad-shadow");

/// What of a request's head stays the same for every target.
#[derive(Clone, Debug)]
pub struct RequestHead {
    pub parts: request::Parts,
    /// What the target is asked for: path and query.
    pub target: String,
    pub id: HeaderValue,
    pub peer: std::rc::Rc<Peer>,
    /// Whether the whole answer is wanted, whatever the client has already: it is for others, too.
    pub is_unconditional: bool,
    /// For a copy, whose answer nobody gets: of which side it is asked.
    pub shadow: Option<HeaderValue>,
}

impl RequestHead {
    /// Whether asking twice does what asking once does (RFC 9110 §9.2.2).
    pub fn is_idempotent(&self) -> bool {
        matches!(
            self.parts.method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
        )
    }

    /// Writes the head for a target: `base` comes before the path, `authority` is the host for a request
    /// that names none.
    pub fn write(&self, base: &str, authority: &HeaderValue, length: BodyLength, out: &mut Vec<u8>) {
        let Self { parts, target, id, peer, is_unconditional, shadow } = self;
        for piece in [parts.method.as_str(), " ", base, target, " HTTP/1.1\r\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
        let headers = &parts.headers;
        // The client's own, as Envoy and HAProxy have it: an upstream that builds addresses from it, for a
        // redirect say, then tells nobody where it is. What the address names, in HTTP/2 and to a proxy,
        // counts before the header (RFC 9112 §3.2.2, RFC 9113 §8.3.1).
        let asked = parts.uri.authority().map(|name| name.as_str().as_bytes());
        let said = || headers.get(header::HOST).map(HeaderValue::as_bytes);
        line(out, &header::HOST, asked.or_else(said).unwrap_or(authority.as_bytes()));
        let named = named_by_connection(headers);
        for (name, value) in headers {
            let is_left_out = *is_unconditional && is_condition(name);
            if !is_ours(name) && !is_left_out && !is_hop_by_hop(name) && !named.contains(name) {
                line(out, name, value.as_bytes());
            }
        }
        lists(headers, out);
        line(out, &request_id::HEADER, id.as_bytes());
        if let Some(side) = shadow {
            line(out, &SHADOW, side.as_bytes());
        }
        peer_chain(headers, peer, out);
        match length {
            BodyLength::None => {}
            BodyLength::Known(length) => {
                line(out, &header::CONTENT_LENGTH, itoa::Buffer::new().format(length).as_bytes());
            }
            BodyLength::Unknown => line(out, &header::TRANSFER_ENCODING, b"chunked"),
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Headers that the gateway writes itself; `Expect` it has answered already: the body is read as soon as
/// the upstream takes it.
fn is_ours(name: &HeaderName) -> bool {
    *name == header::CONTENT_LENGTH
        || *name == header::COOKIE
        || *name == header::EXPECT
        || *name == header::HOST
        || *name == FORWARDED_FOR
        || *name == request_id::HEADER
        // No client's to say: an upstream may leave out for a copy what has effects.
        || *name == SHADOW
}

/// Headers that ask for the answer only if it is another one (RFC 9110 §13.1).
pub fn is_condition(name: &HeaderName) -> bool {
    *name == header::IF_NONE_MATCH
        || *name == header::IF_MODIFIED_SINCE
        || *name == header::IF_MATCH
        || *name == header::IF_UNMODIFIED_SINCE
        || *name == header::IF_RANGE
}

fn line(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// HTTP/2 clients may send cookies in several lines, which HTTP/1 must not have (RFC 9113 §8.2.3).
fn lists(headers: &HeaderMap, out: &mut Vec<u8>) {
    let mut cookies = headers.get_all(header::COOKIE).iter();
    if let Some(first) = cookies.next() {
        out.extend_from_slice(b"cookie: ");
        out.extend_from_slice(first.as_bytes());
        for cookie in cookies {
            out.extend_from_slice(b"; ");
            out.extend_from_slice(cookie.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// The peer, after those that earlier proxies named.
fn peer_chain(headers: &HeaderMap, peer: &Peer, out: &mut Vec<u8>) {
    out.extend_from_slice(b"x-forwarded-for: ");
    for value in headers.get_all(&FORWARDED_FOR) {
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b", ");
    }
    out.extend_from_slice(peer.text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The path and query that a target is asked for, with the matched prefix replaced.
pub fn rewritten<'a>(uri: &'a Uri, prefix: usize, rewrite: Option<&str>) -> Cow<'a, str> {
    let asked = uri.path_and_query().map_or("/", |path| path.as_str());
    // An address without a path means the root (RFC 9112 §3.2.1).
    let asked = if asked.starts_with('/') { Cow::Borrowed(asked) } else { Cow::Owned(format!("/{asked}")) };
    let Some(rewrite) = rewrite else { return asked };
    let rest = asked.get(prefix..).unwrap_or("");
    if rest.is_empty() || rest.starts_with('?') {
        return Cow::Owned(format!("{rewrite}{rest}"));
    }
    Cow::Owned(format!("{}/{}", rewrite.trim_end_matches('/'), rest.strip_prefix('/').unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(uri: &str, prefix: &str, to: Option<&str>) -> String {
        rewritten(&uri.parse().unwrap(), prefix.len(), to).into_owned()
    }

    #[test]
    fn the_matched_prefix_is_replaced_and_the_rest_kept() {
        assert_eq!(
            rewrite("/api/fetch-kibana-data?q=1", "/api/fetch-kibana-data", Some("/_search")),
            "/_search?q=1"
        );
        assert_eq!(rewrite("/v1/items/7", "/v1", Some("/v2")), "/v2/items/7");
        assert_eq!(rewrite("/v1/items", "/v1", Some("/")), "/items");
        assert_eq!(rewrite("/v1", "/v1", Some("/")), "/");
        assert_eq!(rewrite("/items?x=%20", "/", Some("/v2")), "/v2/items?x=%20");
        assert_eq!(rewrite("/items", "/", Some("/v2/")), "/v2/items");
        assert_eq!(rewrite("/?x", "/", Some("/v2/")), "/v2/?x");
    }

    #[test]
    fn an_absolute_address_becomes_a_path() {
        assert_eq!(rewrite("http://elsewhere.example/a?b", "/", None), "/a?b");
        assert_eq!(rewrite("/a?b", "/", None), "/a?b");
        assert_eq!(rewrite("http://elsewhere.example?b", "/", None), "/?b");
        assert_eq!(rewrite("http://elsewhere.example?b", "/", Some("/v2")), "/v2?b");
    }

    fn written(headers: &[(&'static str, &'static str)], uri: &str, length: BodyLength) -> String {
        let mut parts = http::Request::new(()).into_parts().0;
        parts.uri = uri.parse().unwrap();
        for (name, value) in headers {
            parts.headers.append(*name, HeaderValue::from_static(value));
        }
        let head = RequestHead {
            target: rewritten(&parts.uri, 0, None).into_owned(),
            parts,
            id: HeaderValue::from_static("id-1"),
            peer: std::rc::Rc::new(Peer::new("10.0.0.9".parse().unwrap(), &[])),
            is_unconditional: false,
            shadow: None,
        };
        let mut out = Vec::new();
        head.write("/base", &HeaderValue::from_static("up:9"), length, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn headers_of_the_connection_and_those_it_names_do_not_pass() {
        let headers = [
            ("connection", "close, X-Private, Content-Length, X-Forwarded-For"),
            ("connection", "x-second"),
            ("keep-alive", "timeout=5"),
            ("x-private", "1"),
            ("x-second", "2"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("host", "asked.example"),
            ("accept", "*/*"),
        ];
        assert_eq!(
            written(&headers, "/a?b", BodyLength::Known(3)),
            "GET /base/a?b HTTP/1.1\r\nhost: asked.example\r\naccept: */*\r\nx-request-id: id-1\r\n\
             x-forwarded-for: 10.0.0.9\r\ncontent-length: 3\r\n\r\n"
        );
    }

    #[test]
    fn that_it_is_a_copy_is_said_by_nobody_else() {
        assert!(!written(&[("x-rad-shadow", "candidate")], "/", BodyLength::None).contains("shadow"));
    }

    #[test]
    fn the_peer_is_appended_to_what_earlier_proxies_said() {
        let headers =
            [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2"), ("x-request-id", "theirs")];
        assert_eq!(
            written(&headers, "/", BodyLength::None),
            "GET /base/ HTTP/1.1\r\nhost: up:9\r\nx-request-id: id-1\r\n\
             x-forwarded-for: 1.1.1.1, 2.2.2.2, 10.0.0.9\r\n\r\n"
        );
    }

    #[test]
    fn cookies_of_several_lines_become_one_and_the_address_names_the_host() {
        let headers = [("cookie", "a=1"), ("cookie", "b=2")];
        assert_eq!(
            written(&headers, "http://asked.example/x", BodyLength::Unknown),
            "GET /base/x HTTP/1.1\r\nhost: asked.example\r\ncookie: a=1; b=2\r\nx-request-id: id-1\r\n\
             x-forwarded-for: 10.0.0.9\r\ntransfer-encoding: chunked\r\n\r\n"
        );
    }
}
