//! Bodies on their way through. Nothing is collected: a part goes on as soon as it is here.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::connection::Connection;
use super::ticket::{Ending, Ticket};

/// The body of a request towards an upstream.
#[derive(Debug)]
pub enum RequestBody {
    /// From a client's connection.
    Incoming(Incoming, Rc<Upload>),
    /// From within the program.
    Full(Option<Bytes>),
}

/// How far a client's body has come, for who waits for the upstream's answer.
#[derive(Debug, Default)]
pub struct Upload {
    /// Parts that have passed.
    pub parts: Cell<u64>,
    /// Whether the next part is the client's to send.
    pub waits_for_client: Cell<bool>,
}

impl RequestBody {
    pub fn incoming(body: Incoming) -> Self {
        Self::Incoming(body, Rc::default())
    }

    /// The progress of a body that a client is still sending.
    pub fn upload(&self) -> Option<Rc<Upload>> {
        match self {
            Self::Incoming(body, upload) if !body.is_end_stream() => Some(Rc::clone(upload)),
            _ => None,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Incoming(body, upload) => {
                let part = Pin::new(body).poll_frame(cx);
                upload.waits_for_client.set(part.is_pending());
                if part.is_ready() {
                    upload.parts.set(upload.parts.get() + 1);
                }
                part
            }
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Incoming(body, _) => body.is_end_stream(),
            Self::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Incoming(body, _) => body.size_hint(),
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

/// Why an upstream's body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the upstream broke off")]
    Broken,
    #[error("the upstream stalled")]
    Stalled,
}

/// The body of an answer.
#[derive(Debug)]
pub enum ResponseBody {
    /// From the gateway itself.
    Full(Option<Bytes>),
    /// From an upstream.
    Upstream(UpstreamBody),
}

impl ResponseBody {
    pub fn full(bytes: Bytes) -> Self {
        Self::Full(Some(bytes))
    }
}

/// A body that an upstream is sending, with what has to happen at its end.
#[derive(Debug)]
pub struct UpstreamBody {
    incoming: Incoming,
    /// How long the upstream may be silent.
    patience: Duration,
    /// Whether the deadline is still that of an earlier part.
    deadline_is_old: bool,
    /// Both are given up at the end of the body.
    connection: Option<Box<Connection>>,
    ticket: Option<Ticket>,
}

impl UpstreamBody {
    /// Takes over the connection that the body comes on; it goes back to its pool at the body's end.
    pub fn new(incoming: Incoming, connection: Box<Connection>, patience: Duration, ticket: Ticket) -> Self {
        let mut body = Self {
            incoming,
            patience,
            deadline_is_old: true,
            connection: Some(connection),
            ticket: Some(ticket),
        };
        if body.incoming.is_end_stream() {
            body.finish();
        }
        body
    }

    fn finish(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            ticket.complete(self.connection.take());
        }
    }

    fn fail(&mut self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.connection = None;
        if let Some(ticket) = self.ticket.take() {
            ticket.end(Ending::Broken);
        }
        Poll::Ready(Some(Err(error)))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // The connection moves only when it is driven: ask the body, drive, ask again.
        for attempt in 0..2 {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.deadline_is_old = true;
                    if self.incoming.is_end_stream() {
                        self.finish();
                    }
                    return Poll::Ready(Some(Ok(frame)));
                }
                Poll::Ready(None) => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(_))) => return self.fail(BodyError::Broken),
                Poll::Pending => {
                    if attempt == 0
                        && let Some(connection) = &mut self.connection
                    {
                        connection.drive(cx);
                    }
                }
            }
        }
        let Some(connection) = &mut self.connection else { return self.fail(BodyError::Broken) };
        if std::mem::take(&mut self.deadline_is_old) {
            connection.set_deadline(Instant::now() + self.patience);
        }
        if connection.is_overdue(cx) { self.fail(BodyError::Stalled) } else { Poll::Pending }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Upstream(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Upstream(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Upstream(body) => body.incoming.size_hint(),
        }
    }
}
