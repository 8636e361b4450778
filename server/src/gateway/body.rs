//! Bodies on their way through. Nothing is collected: a part goes on as soon as it is here.

mod kept;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::cached::Arriving;
use super::connection::{By, Connection};
use super::shadow::Tee;
use super::ticket::{Ending, Ticket};
use kept::Begun;
pub use kept::{Unkept, keep};

/// The body of a request towards an upstream.
#[derive(Debug)]
pub enum RequestBody {
    /// From a client's connection.
    Incoming(Incoming),
    /// From a client's connection, when the first part of it has been read.
    Begun(Box<Begun>),
    /// Whole: from within the program, or collected.
    Full(Option<Bytes>),
}

impl RequestBody {
    pub fn empty() -> Self {
        Self::Full(None)
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
            Self::Incoming(body) => Pin::new(body).poll_frame(cx),
            Self::Begun(body) if body.ahead.is_empty() => Pin::new(&mut body.rest).poll_frame(cx),
            Self::Begun(body) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut body.ahead))))),
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Incoming(body) => body.is_end_stream(),
            Self::Begun(body) => body.ahead.is_empty() && body.rest.is_end_stream(),
            Self::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Incoming(body) => body.size_hint(),
            // How long it is was not said.
            Self::Begun(_) => SizeHint::default(),
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

/// Why an upstream's body ended before its end.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the upstream broke off")]
    Broken,
    #[error("the upstream stalled")]
    Stalled,
    #[error("the client broke off, or stalled, in the middle of its request")]
    Upload,
}

/// The body of an answer.
#[derive(Debug)]
pub enum ResponseBody {
    /// From the gateway itself.
    Full(Option<Bytes>),
    /// From an upstream.
    Upstream(UpstreamBody),
    /// From an upstream, while it is collected to be kept.
    Arriving(Arriving),
}

impl ResponseBody {
    pub fn full(bytes: Bytes) -> Self {
        Self::Full(Some(bytes))
    }

    /// Puts a part back that was taken from it.
    pub fn put_back(&mut self, part: Bytes) {
        match self {
            Self::Full(content @ None) => *content = Some(part),
            Self::Full(Some(rest)) => *rest = [part, std::mem::take(rest)].concat().into(),
            Self::Upstream(UpstreamBody { ahead: Some(rest), .. }) => {
                *rest = [part, std::mem::take(rest)].concat().into();
            }
            Self::Upstream(body) => body.ahead = Some(part),
            // Is not taken from: who collects does so from the upstream's.
            Self::Arriving(_) => {}
        }
    }

    /// Nobody wants the rest: its upstream has answered all the same.
    pub fn let_go(self) {
        if let Self::Upstream(mut body) = self
            && let Some((_, ticket)) = body.open.take()
        {
            ticket.end(Ending::Complete);
        }
    }
}

/// A body that an upstream is sending, with what has to happen at its end.
#[derive(Debug)]
pub struct UpstreamBody {
    /// A part that was read before anybody wanted it.
    ahead: Option<Bytes>,
    /// Whether the deadline is still that of an earlier part.
    deadline_is_old: bool,
    /// Given up together at the end of the body.
    open: Option<(Box<Connection>, Ticket)>,
    /// Who reads along, to compare the answer with others.
    tee: Option<Box<Tee>>,
}

impl UpstreamBody {
    /// Takes over the connection that the body comes on; it goes back to its pool at the body's end.
    pub fn new(connection: Box<Connection>, ticket: Ticket) -> Self {
        let mut body =
            Self { ahead: None, deadline_is_old: true, open: Some((connection, ticket)), tee: None };
        body.finish_if_over();
        body
    }

    /// Lets somebody read along, from the first part on.
    pub fn read_along(&mut self, tee: Box<Tee>) {
        if self.open.is_none() {
            tee.end();
        } else {
            self.tee = Some(tee);
        }
    }

    fn finish_if_over(&mut self) {
        if let Some((connection, ticket)) = self.open.take_if(|(connection, _)| connection.is_body_over()) {
            ticket.complete(connection);
            if let Some(tee) = self.tee.take() {
                tee.end();
            }
        }
    }

    fn fail(&mut self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some((_, ticket)) = self.open.take() {
            ticket.end(match error {
                BodyError::Broken | BodyError::Stalled => Ending::Broken,
                BodyError::Upload => Ending::Abandoned,
            });
        }
        Poll::Ready(Some(Err(error)))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(part) = self.ahead.take() {
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        let Some((connection, _)) = &mut self.open else { return Poll::Ready(None) };
        match connection.poll_body(cx) {
            Poll::Ready(Some(Ok(part))) => {
                self.deadline_is_old = true;
                if let Some(tee) = &mut self.tee {
                    tee.part(&part);
                }
                self.finish_if_over();
                Poll::Ready(Some(Ok(Frame::data(part))))
            }
            Poll::Ready(Some(Err(error))) => self.fail(error),
            Poll::Ready(None) => {
                self.finish_if_over();
                Poll::Ready(None)
            }
            Poll::Pending => {
                if std::mem::take(&mut self.deadline_is_old) {
                    connection.prolong();
                }
                match ready!(connection.poll_stalled(cx)) {
                    By::Upstream => self.fail(BodyError::Stalled),
                    By::Client => self.fail(BodyError::Upload),
                }
            }
        }
    }

    fn remaining(&self) -> Option<u64> {
        let ahead = self.ahead.as_ref().map_or(0, |part| part.len() as u64);
        let rest = self.open.as_ref().map_or(Some(0), |(connection, _)| connection.remaining());
        rest.map(|rest| rest + ahead)
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
            Self::Arriving(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Upstream(body) => body.open.is_none() && body.ahead.is_none(),
            Self::Arriving(body) => body.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Upstream(body) => body.remaining().map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Arriving(body) => body.remaining().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
