//! The body of a request on its way to a target (RFC 9112 §6–7).

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, header, request};
use http_body::Body;

use crate::gateway::body::RequestBody;

/// Parts up to this size are copied behind what goes out before them; larger ones are written from where
/// they are.
const COPIED: usize = 4 << 10;

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
