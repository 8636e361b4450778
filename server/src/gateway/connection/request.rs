//! A request on its way to a target (RFC 9112 §3–6).

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http::{HeaderValue, Method, Uri, request};
use http_body::Body;

use crate::gateway::body::RequestBody;
use crate::gateway::client::{FORWARDED_FOR, Peer};
use crate::gateway::headers::{is_hop_by_hop, named_by_connection};
use crate::gateway::request_id;

/// Parts up to this size are copied behind what goes out before them; larger ones are written from where
/// they are.
const COPIED: usize = 4 << 10;

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
        let Self { parts, target, id, peer, is_unconditional } = self;
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
}

/// Headers that ask for the answer only if it is another one (RFC 9110 §13.1).
fn is_condition(name: &HeaderName) -> bool {
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

/// What a head says of the body behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    None,
    Known(u64),
    /// It is sent in chunks.
    Unknown,
}

impl BodyLength {
    pub fn of(body: &RequestBody, parts: &request::Parts) -> Self {
        match body.size_hint().exact() {
            // A method that means nothing by a body needs no length of none (RFC 9110 §8.6).
            Some(0) => {
                let says_so = parts.headers.contains_key(header::CONTENT_LENGTH);
                let expected = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
                if says_so || expected { Self::Known(0) } else { Self::None }
            }
            Some(length) => Self::Known(length),
            None if body.is_end_stream() => Self::None,
            None => Self::Unknown,
        }
    }
}

/// A body that is being sent.
#[derive(Debug)]
pub struct Upload<B> {
    body: B,
    is_chunked: bool,
    /// Whether a chunk has gone out whose line end has not: it comes with the next one's size, so that
    /// nothing has to follow a part.
    is_in_chunk: bool,
    /// Whether the next part is the client's to send.
    pub waits_for_client: bool,
}

/// The client's body broke off.
#[derive(Debug)]
pub struct BrokenUpload;

impl<B: Body<Data = Bytes> + Unpin> Upload<B> {
    pub fn new(body: B, length: BodyLength) -> Option<Self> {
        let is_chunked = length == BodyLength::Unknown;
        let is_empty = matches!(length, BodyLength::None | BodyLength::Known(0));
        (!is_empty).then_some(Self { body, is_chunked, is_in_chunk: false, waits_for_client: false })
    }

    /// Puts the next part behind what is in `out`, or into `held` to go out after it. `false` at the end.
    pub fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut Vec<u8>,
        held: &mut Bytes,
    ) -> Poll<Result<bool, BrokenUpload>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.waits_for_client = frame.is_pending();
        let Poll::Ready(frame) = frame else { return Poll::Pending };
        match frame {
            Some(Ok(frame)) => {
                // Trailers are for one connection (RFC 9110 §6.5).
                if let Ok(part) = frame.into_data()
                    && !part.is_empty()
                {
                    self.put(part, out, held);
                }
                Poll::Ready(Ok(true))
            }
            Some(Err(_)) => Poll::Ready(Err(BrokenUpload)),
            None => {
                if self.is_chunked {
                    self.end_chunk(out);
                    out.extend_from_slice(b"0\r\n\r\n");
                }
                Poll::Ready(Ok(false))
            }
        }
    }

    fn put(&mut self, part: Bytes, out: &mut Vec<u8>, held: &mut Bytes) {
        if self.is_chunked {
            self.end_chunk(out);
            self.is_in_chunk = true;
            out.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        }
        if part.len() <= COPIED {
            out.extend_from_slice(&part);
        } else {
            *held = part;
        }
    }

    fn end_chunk(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.is_in_chunk) {
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body::Frame;
    use http_body_util::StreamBody;

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

    fn sent(parts: &[&'static [u8]], length: BodyLength) -> Vec<u8> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let (mut out, mut wire) = (Vec::new(), Vec::new());
        let frames = parts.iter().map(|part| Ok::<_, Infallible>(Frame::data(Bytes::from_static(part))));
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let mut upload = Upload::new(body, length).unwrap();
        loop {
            let mut held = Bytes::new();
            let Poll::Ready(Ok(more)) = upload.poll_next(&mut cx, &mut out, &mut held) else { panic!() };
            wire.append(&mut out);
            wire.extend_from_slice(&held);
            if !more {
                return wire;
            }
        }
    }

    #[test]
    fn a_body_of_unknown_length_goes_out_in_chunks_and_an_empty_part_ends_nothing() {
        assert_eq!(
            sent(&[b"hello", b"", b", world"], BodyLength::Unknown),
            b"5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"
        );
        assert_eq!(sent(&[], BodyLength::Unknown), b"0\r\n\r\n");
        assert_eq!(sent(&[b"", b"x"], BodyLength::Unknown), b"1\r\nx\r\n0\r\n\r\n");
        assert_eq!(sent(&[b"hello", b"!"], BodyLength::Known(6)), b"hello!");
        static LARGE: [u8; COPIED + 1] = [b'x'; COPIED + 1];
        let expected = [b"1001\r\n".as_slice(), &LARGE, b"\r\n1\r\ny\r\n0\r\n\r\n"].concat();
        assert_eq!(sent(&[&LARGE, b"y"], BodyLength::Unknown), expected);
    }
}
