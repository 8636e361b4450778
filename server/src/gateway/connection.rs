//! One connection to a target.
//!
//! Hyper splits a client connection into a handle and a future that does the work, to be spawned as a task
//! of its own. Here the request's own task drives that future instead: no second task has to be woken for
//! every part of an exchange, and a request that is given up takes its connection with it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rad_resilience::Timestamp;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, timeout};

use super::body::RequestBody;

/// A connection that nobody else uses at the moment.
#[derive(Debug)]
pub struct Connection {
    sender: http1::SendRequest<RequestBody>,
    driver: http1::Connection<TokioIo<TcpStream>, RequestBody>,
    is_over: bool,
    /// One timer for all requests: setting it later is an atomic store.
    deadline: Pin<Box<Sleep>>,
    /// Whether a request has been answered on it.
    pub is_reused: bool,
    pub idle_since: Timestamp,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ExchangeError {
    /// The connection had been closed before the request was written: another one may carry it.
    Unsent(Box<Request<RequestBody>>),
    /// The upstream broke off, or spoke no HTTP.
    Broken,
    /// No answer in time.
    TimedOut,
    /// The client's own body broke off.
    Client,
    /// The client's own body did not come in time.
    ClientTimedOut,
}

impl Connection {
    /// Connects.
    pub async fn open(host: &str, port: u16, patience: Duration) -> io::Result<Box<Self>> {
        let stream = timeout(patience, TcpStream::connect((host, port))).await??;
        stream.set_nodelay(true)?;
        let (sender, driver) =
            http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        Ok(Box::new(Self {
            sender,
            driver,
            is_over: false,
            deadline: Box::pin(tokio::time::sleep(patience)),
            is_reused: false,
            idle_since: Timestamp::default(),
        }))
    }

    /// Moves bytes.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.is_over && Pin::new(&mut self.driver).poll(cx).is_ready() {
            self.is_over = true;
        }
    }

    /// Whether the other side has not closed it, as far as this side has heard.
    pub fn is_usable(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        !self.is_over && self.sender.is_ready()
    }

    pub fn set_deadline(&mut self, deadline: Instant) {
        self.deadline.as_mut().reset(deadline);
    }

    pub fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        self.deadline.as_mut().poll(cx).is_ready()
    }

    /// Sends a request and waits for the head of its answer: so long from `started`, or from the last part
    /// of a body that the client is still sending, whose slowness is not the upstream's.
    pub async fn exchange(
        &mut self,
        request: Request<RequestBody>,
        started: Instant,
        patience: Duration,
    ) -> Result<Response<Incoming>, ExchangeError> {
        self.set_deadline(started + patience);
        let upload = request.body().upload();
        let mut seen = 0;
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|cx| {
            self.drive(cx);
            match answer.as_mut().poll(cx) {
                Poll::Ready(Ok(response)) => Poll::Ready(Ok(response)),
                Poll::Ready(Err(mut error)) => Poll::Ready(Err(match error.take_message() {
                    Some(request) => ExchangeError::Unsent(Box::new(request)),
                    None if error.error().is_user() => ExchangeError::Client,
                    None => ExchangeError::Broken,
                })),
                Poll::Pending => {
                    while self.is_overdue(cx) {
                        match &upload {
                            Some(upload) if upload.parts.get() > seen => {
                                seen = upload.parts.get();
                                self.set_deadline(Instant::now() + patience);
                            }
                            Some(upload) if upload.waits_for_client.get() => {
                                return Poll::Ready(Err(ExchangeError::ClientTimedOut));
                            }
                            _ => return Poll::Ready(Err(ExchangeError::TimedOut)),
                        }
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }
}
