//! One HTTP/1.1 connection to a target.
//!
//! The request's own task moves the bytes: no second task has to be woken for every part of an exchange,
//! and a request that is given up takes its connection with it. What a general client does with channels
//! between tasks is plain calls here, for a quarter of the instructions.

mod chunked;
mod request;
mod response;
mod upload;

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use rad_resilience::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, timeout};

use super::body::{BodyError, RequestBody};
use super::plan::Target;
pub use request::{RequestHead, is_condition, rewritten};
use response::{Framing, Head, Malformed};
use upload::{BodyLength, BrokenUpload, Upload};

/// Room for one read, bytes: a usual answer fits, and grows where an answer is large.
const READ: usize = 8 << 10;
const MAX_READ: usize = 128 << 10;
/// So much of a body is collected before it is written.
const GATHERED: usize = 16 << 10;
/// More informational answers than this before the one that counts are nonsense.
const MAX_INFORMATIONAL: u32 = 100;

/// A connection that nobody else uses at the moment.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Read and not yet understood.
    input: BytesMut,
    read_size: usize,
    /// To be written, but for the first `written` bytes; then `held`.
    output: Vec<u8>,
    written: usize,
    held: Bytes,
    upload: Option<Upload<RequestBody>>,
    /// Whether the other side takes nothing any more; it may have answered nevertheless.
    is_deaf: bool,
    /// Where the answer's body ends, and whether a further request may follow it.
    framing: Framing,
    keep_alive: bool,
    /// Whether the other side has said anything in this exchange.
    is_heard: bool,
    /// One timer for all requests: setting it later is an atomic store.
    deadline: Pin<Box<Sleep>>,
    /// How long either side may keep the other waiting.
    patience: Duration,
    /// When a part of the client's body last passed, or the exchange began.
    moved: Instant,
    /// Whether a request has been answered on it.
    pub is_reused: bool,
    pub idle_since: Timestamp,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeError {
    /// The other side closed without a byte of an answer: on a connection that had been idle, it most likely
    /// had not seen the request.
    Closed,
    /// The upstream broke off, or spoke no HTTP.
    Broken,
    /// Nothing moved for too long.
    Stalled(By),
    /// The client's own body broke off.
    Client,
}

/// Who keeps an exchange waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Upstream,
    Client,
}

/// The head of an answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
}

impl Connection {
    /// Connects.
    pub async fn open(host: &str, port: u16, patience: Duration) -> io::Result<Box<Self>> {
        let stream = timeout(patience, TcpStream::connect((host, port))).await??;
        stream.set_nodelay(true)?;
        Ok(Box::new(Self {
            stream,
            input: BytesMut::new(),
            read_size: READ,
            output: Vec::with_capacity(1 << 10),
            written: 0,
            held: Bytes::new(),
            upload: None,
            is_deaf: false,
            framing: Framing::Length(0),
            keep_alive: true,
            is_heard: false,
            deadline: Box::pin(tokio::time::sleep(patience)),
            patience,
            moved: Instant::now(),
            is_reused: false,
            idle_since: Timestamp::default(),
        }))
    }

    /// Whether a further exchange may begin, as far as this side has heard: nothing is left of the one
    /// before, and the other side has neither closed nor said anything that nobody asked for.
    pub fn is_usable(&self) -> bool {
        let is_between_exchanges = self.keep_alive
            && !self.is_deaf
            && self.upload.is_none()
            && self.written == self.output.len()
            && self.input.is_empty()
            && self.framing.is_over();
        // Asks the kernel only if it has announced something.
        is_between_exchanges
            && matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and waits for the head of its answer: so long from `started`, or from the last part
    /// of a body that the client is still sending, whose slowness is not the upstream's.
    pub async fn exchange(
        &mut self,
        head: &RequestHead,
        to: &Target,
        body: RequestBody,
        started: Instant,
        patience: Duration,
    ) -> Result<Answer, ExchangeError> {
        (self.patience, self.moved) = (patience, started);
        self.deadline.as_mut().reset(started + patience);
        let length = BodyLength::of(&body, &head.parts);
        self.output.clear();
        self.written = 0;
        self.read_size = READ;
        self.is_heard = false;
        head.write(&to.base, &to.authority, length, &mut self.output);
        self.upload = Upload::new(body, length);
        let (mut searched, mut informational) = (0, 0);
        poll_fn(|cx| {
            if let Poll::Ready(Err(BrokenUpload)) = self.poll_send(cx) {
                return Poll::Ready(Err(ExchangeError::Client));
            }
            let method = &head.parts.method;
            if let Poll::Ready(answer) = self.poll_head(cx, &mut searched, &mut informational, method) {
                return Poll::Ready(answer);
            }
            self.poll_stalled(cx).map(|by| Err(ExchangeError::Stalled(by)))
        })
        .await
    }

    /// The next part of the answer's body; `None` after the last.
    pub fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            match self.take_part() {
                Ok(Some(part)) => return Poll::Ready(Some(Ok(part))),
                Ok(None) if self.framing.is_over() => return Poll::Ready(None),
                Ok(None) => {}
                Err(Malformed) => return Poll::Ready(Some(Err(BodyError::Broken))),
            }
            // An upstream may answer before it has read everything.
            if let Poll::Ready(Err(BrokenUpload)) = self.poll_send(cx) {
                return Poll::Ready(Some(Err(BodyError::Upload)));
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) => match &mut self.framing {
                    Framing::Close { is_over } => *is_over = true,
                    _ => return Poll::Ready(Some(Err(BodyError::Broken))),
                },
                Ok(_) => {}
                Err(_) => return Poll::Ready(Some(Err(BodyError::Broken))),
            }
        }
    }

    /// How many bytes of the answer's body are to come, if that is known.
    pub fn remaining(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(remaining) => Some(remaining),
            _ => None,
        }
    }

    /// Whether the answer's body has been read to its end.
    pub fn is_body_over(&self) -> bool {
        self.framing.is_over()
    }

    /// How long either side may keep the other waiting from here on.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// A part of the answer has passed.
    pub fn prolong(&mut self) {
        self.moved = Instant::now();
        self.deadline.as_mut().reset(self.moved + self.patience);
    }

    /// Ready when nothing has moved for too long.
    pub fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<By> {
        loop {
            ready!(self.deadline.as_mut().poll(cx));
            let due = self.moved + self.patience;
            if due <= Instant::now() {
                let waits_for_client = self.upload.as_ref().is_some_and(|upload| upload.waits_for_client);
                return Poll::Ready(if waits_for_client { By::Client } else { By::Upstream });
            }
            self.deadline.as_mut().reset(due);
        }
    }

    fn take_part(&mut self) -> Result<Option<Bytes>, Malformed> {
        if self.input.is_empty() {
            return Ok(None);
        }
        match &mut self.framing {
            Framing::Length(0) => Ok(None),
            Framing::Length(remaining) => {
                let here = usize::try_from(*remaining).unwrap_or(usize::MAX).min(self.input.len());
                *remaining -= here as u64;
                Ok(Some(self.input.split_to(here).freeze()))
            }
            Framing::Chunked(chunked) => chunked.decode(&mut self.input),
            Framing::Close { .. } => Ok(Some(self.input.split().freeze())),
        }
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        searched: &mut usize,
        informational: &mut u32,
        method: &Method,
    ) -> Poll<Result<Answer, ExchangeError>> {
        loop {
            // A reset is an end like any other.
            if ready!(self.poll_fill(cx)).unwrap_or_default() == 0 {
                let error = if self.is_heard { ExchangeError::Broken } else { ExchangeError::Closed };
                return Poll::Ready(Err(error));
            }
            loop {
                match response::take(&mut self.input, searched, method) {
                    Err(Malformed) => return Poll::Ready(Err(ExchangeError::Broken)),
                    Ok(None) => break,
                    // Nobody asked for another protocol: `Upgrade` does not pass.
                    Ok(Some(head)) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                        return Poll::Ready(Err(ExchangeError::Broken));
                    }
                    Ok(Some(head)) if head.status.is_informational() => {
                        *informational += 1;
                        if *informational > MAX_INFORMATIONAL {
                            return Poll::Ready(Err(ExchangeError::Broken));
                        }
                    }
                    Ok(Some(Head { status, headers, framing, keep_alive })) => {
                        self.framing = framing;
                        self.keep_alive = keep_alive;
                        return Poll::Ready(Ok(Answer { status, headers }));
                    }
                }
            }
        }
    }

    /// Writes what there is of the request, and what its body yields.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BrokenUpload>> {
        loop {
            while let Some(upload) = &mut self.upload
                && self.held.is_empty()
                && self.output.len() < GATHERED
            {
                match upload.poll_next(cx, &mut self.output, &mut self.held) {
                    Poll::Ready(Ok(more)) => {
                        self.moved = Instant::now();
                        if !more {
                            self.upload = None;
                        }
                    }
                    Poll::Ready(Err(broken)) => return Poll::Ready(Err(broken)),
                    Poll::Pending => break,
                }
            }
            if self.written == self.output.len() && self.held.is_empty() {
                return if self.upload.is_none() { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            if ready!(self.poll_write(cx)).is_err() {
                self.is_deaf = true;
                self.upload = None;
                self.output.clear();
                self.written = 0;
                self.held = Bytes::new();
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let left = &self.output[self.written..];
        let stream = Pin::new(&mut self.stream);
        let wrote = ready!(if self.held.is_empty() {
            stream.poll_write(cx, left)
        } else {
            stream.poll_write_vectored(cx, &[IoSlice::new(left), IoSlice::new(&self.held)])
        })?;
        if wrote == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let of_held = wrote.saturating_sub(left.len());
        self.written += wrote - of_held;
        let _ = self.held.split_to(of_held);
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(self.read_size);
        let room = self.input.capacity() - self.input.len();
        let read = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(cx))?;
        self.is_heard |= read > 0;
        if read == room {
            self.read_size = (self.read_size * 2).min(MAX_READ);
        }
        Poll::Ready(Ok(read))
    }
}
