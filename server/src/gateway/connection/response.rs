//! The head of an answer (RFC 9112 §4–6), and what it says of the body behind it.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use httparse::{Header, ParserConfig, Status};

use super::chunked::Chunked;
use crate::gateway::headers::{is_end_to_end_always, is_hop_by_hop};

/// A larger head is refused, bytes.
const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 100;
/// Headers that the gateway adds to an answer: room for them from the start.
const ADDED: usize = 8;

/// The other side does not speak HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Where a body ends.
#[derive(Clone, Debug)]
pub enum Framing {
    /// After so many bytes more.
    Length(u64),
    Chunked(Chunked),
    /// With the connection.
    Close {
        is_over: bool,
    },
}

impl Framing {
    pub fn is_over(&self) -> bool {
        match self {
            Self::Length(remaining) => *remaining == 0,
            Self::Chunked(chunked) => chunked.is_over(),
            Self::Close { is_over } => *is_over,
        }
    }
}

/// An answer up to its body, without the headers that concern the connection alone.
#[derive(Debug)]
pub struct Head {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub framing: Framing,
    /// Whether another request may follow on the connection.
    pub keep_alive: bool,
}

/// Takes a head out of `input`; `None` if it is not all here. `searched` is how much of the input is known
/// not to hold its end, so that a head that comes in drops is not searched over and over.
pub fn take(input: &mut BytesMut, searched: &mut usize, method: &Method) -> Result<Option<Head>, Malformed> {
    let Some(length) = end(input, *searched) else {
        // The end is up to four bytes long: three of them may be here.
        *searched = input.len().saturating_sub(3);
        return if input.len() > MAX_HEAD { Err(Malformed) } else { Ok(None) };
    };
    *searched = 0;
    if length > MAX_HEAD {
        return Err(Malformed);
    }
    parse(&input.split_to(length).freeze(), method).map(Some)
}

/// Where the empty line after the head ends.
fn end(input: &[u8], from: usize) -> Option<usize> {
    memchr::memchr_iter(b'\n', &input[from..]).map(|at| from + at).find_map(|at| match &input[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

fn parse(head: &Bytes, method: &Method) -> Result<Head, Malformed> {
    let mut slots = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut response, head, &mut slots);
    if !matches!(parsed, Ok(Status::Complete(_))) {
        return Err(Malformed);
    }
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed)?;
    let is_http_1_1 = response.version == Some(1);
    let mut headers = HeaderMap::with_capacity(response.headers.len() + ADDED);
    let mut connection = ConnectionOptions::default();
    let mut length = None;
    let mut coding = None;
    for Header { name, value } in response.headers.iter() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Malformed)?;
        if is_hop_by_hop(&name) {
            if name == header::CONNECTION {
                connection.read(value);
            } else if name == header::TRANSFER_ENCODING && coding.replace(*value).is_some() {
                return Err(Malformed);
            }
            continue;
        }
        if name == header::CONTENT_LENGTH {
            let said = content_length(value)?;
            match length.replace(said) {
                None => {}
                // The same once more is no contradiction (RFC 9112 §6.3).
                Some(before) if before == said => continue,
                Some(_) => return Err(Malformed),
            }
            // As one number, however it was written.
            headers.append(name, HeaderValue::from(said));
            continue;
        }
        let value = HeaderValue::from_maybe_shared(head.slice_ref(value)).map_err(|_| Malformed)?;
        headers.append(name, value);
    }
    let mut keep_alive = !connection.close && (is_http_1_1 || connection.keep_alive);
    for name in connection.named {
        if !is_end_to_end_always(&name) {
            headers.remove(name);
        }
    }
    let bodiless = *method == Method::HEAD
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    // What a 204 announces, its sender may send.
    if status == StatusCode::NO_CONTENT && (coding.is_some() || length.is_some_and(|length| length > 0)) {
        keep_alive = false;
    }
    let framing = match coding {
        Some(coding) => {
            // Whoever sends both means the coding, and is not to be trusted with another message
            // (RFC 9112 §6.3); HTTP/1.0 has no codings at all.
            if length.is_some() || !is_http_1_1 {
                keep_alive = false;
                headers.remove(header::CONTENT_LENGTH);
            }
            if bodiless {
                Framing::Length(0)
            } else if coding.eq_ignore_ascii_case(b"chunked") {
                Framing::Chunked(Chunked::default())
            } else {
                // Nobody asked for another one, and the client would take it for the content.
                return Err(Malformed);
            }
        }
        None if bodiless => Framing::Length(0),
        None => match length {
            Some(length) => Framing::Length(length),
            None => {
                keep_alive = false;
                Framing::Close { is_over: false }
            }
        },
    };
    Ok(Head { status, headers, framing, keep_alive })
}

/// What `Connection` says.
#[derive(Default)]
struct ConnectionOptions {
    keep_alive: bool,
    close: bool,
    /// Headers that are for the connection only.
    named: Vec<HeaderName>,
}

impl ConnectionOptions {
    fn read(&mut self, value: &[u8]) {
        for token in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if token.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if token.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else {
                self.named.extend(HeaderName::from_bytes(token));
            }
        }
    }
}

/// Digits only, or the same digits several times.
fn content_length(value: &[u8]) -> Result<u64, Malformed> {
    let mut length = None;
    for item in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        if item.is_empty() || !item.iter().all(u8::is_ascii_digit) {
            return Err(Malformed);
        }
        let said =
            std::str::from_utf8(item).ok().and_then(|text| text.parse::<u64>().ok()).ok_or(Malformed)?;
        if length.replace(said).is_some_and(|before| before != said) {
            return Err(Malformed);
        }
    }
    length.ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Head>, Malformed> {
        take(&mut BytesMut::from(text), &mut 0, &Method::GET)
    }

    fn whole(text: &str) -> Head {
        read(text).unwrap().unwrap()
    }

    fn is_close(head: &Head) -> bool {
        matches!(head.framing, Framing::Close { .. })
    }

    #[test]
    fn a_head_means_the_same_however_it_is_cut() {
        let text = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nhello";
        for size in 1..text.len() {
            let (mut input, mut searched, mut head) = (BytesMut::new(), 0, None);
            for part in text.as_bytes().chunks(size) {
                input.extend_from_slice(part);
                if head.is_none() {
                    head = take(&mut input, &mut searched, &Method::GET).unwrap();
                }
            }
            let head = head.unwrap();
            assert_eq!(head.status, 200);
            assert_eq!(head.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a", "b"]);
            assert!(matches!(head.framing, Framing::Length(5)));
            assert!(head.keep_alive);
            assert_eq!(input, "hello", "in parts of {size}");
        }
    }

    #[test]
    fn the_connections_own_headers_do_not_pass() {
        let head = whole(
            "HTTP/1.1 200 OK\r\nConnection: close, X-Private, Content-Length\r\nKeep-Alive: timeout=5\r\n\
             X-Private: 1\r\nTrailer: y\r\nContent-Length: 0\r\nX-Public: 2\r\n\r\n",
        );
        let mut left: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "x-public"]);
        assert!(!head.keep_alive);
    }

    #[test]
    fn the_version_and_connection_say_whether_another_request_may_follow() {
        let keeps = |text: &str| whole(&format!("{text}Content-Length: 0\r\n\r\n")).keep_alive;
        assert!(keeps("HTTP/1.1 200 OK\r\n"));
        assert!(!keeps("HTTP/1.1 200 OK\r\nConnection: Close\r\n"));
        assert!(!keeps("HTTP/1.0 200 OK\r\n"));
        assert!(keeps("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n"));
    }

    #[test]
    fn a_body_ends_where_the_head_says() {
        let chunked = whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n");
        assert!(matches!(chunked.framing, Framing::Chunked(_)) && chunked.keep_alive);
        let none = whole("HTTP/1.1 200 OK\r\n\r\n");
        assert!(is_close(&none) && !none.keep_alive);
        for text in ["HTTP/1.1 204 None\r\n\r\n", "HTTP/1.1 304 Same\r\nContent-Length: 7\r\n\r\n"] {
            let bodiless = whole(text);
            assert!(bodiless.framing.is_over() && bodiless.keep_alive, "{text}");
        }
        let mut input = BytesMut::from("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
        let head = take(&mut input, &mut 0, &Method::HEAD).unwrap().unwrap();
        assert!(head.framing.is_over());
        assert_eq!(head.headers["content-length"], "7");
    }

    #[test]
    fn a_length_beside_a_coding_is_dropped_and_the_connection_with_it() {
        let head = whole("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(matches!(head.framing, Framing::Chunked(_)));
        assert!(!head.keep_alive);
        assert!(head.headers.is_empty());
    }

    #[test]
    fn a_coding_that_nobody_asked_for_is_refused() {
        for codings in ["gzip", "gzip, chunked", "chunked, gzip", "chunked\r\nTransfer-Encoding: chunked"] {
            let text = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {codings}\r\n\r\n");
            assert!(read(&text).is_err(), "{codings}");
        }
    }

    #[test]
    fn lengths_must_be_numbers_and_agree() {
        let length = |value: &str| read(&format!("HTTP/1.1 200 OK\r\nContent-Length: {value}\r\n\r\n"));
        assert!(matches!(length("5").unwrap().unwrap().framing, Framing::Length(5)));
        let listed = length("5, 5").unwrap().unwrap();
        assert!(matches!(listed.framing, Framing::Length(5)));
        assert_eq!(listed.headers["content-length"], "5");
        for bad in ["", "+5", "-5", "0x5", "5 5", "5, 6", "5,", "99999999999999999999"] {
            assert!(length(bad).is_err(), "{bad:?}");
        }
        assert!(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n").is_err());
        let twice = whole("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n");
        assert_eq!(twice.headers.get_all("content-length").iter().count(), 1);
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for text in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 2000 X\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            "\r\n\r\n",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
        assert!(read("HTTP/1.1 200 OK\r\nA: b\r\n").unwrap().is_none());
        let long = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(MAX_HEAD));
        assert!(read(&long).is_err());
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MAX_HEADERS + 1));
        assert!(read(&many).is_err());
    }
}
