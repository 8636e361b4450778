//! Requests from within the program, through the same pipeline as everybody's.
//!
//! The console's own API forwards to upstreams by this: what it asks is limited, counted and broken as if
//! it had come through the front door.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{mpsc, oneshot};

use super::body::RequestBody;
use super::client::Peer;
use super::pipeline::handle;
use super::worker::Worker;

/// The largest answer that is collected, bytes.
const MAX_ANSWER: usize = 16 << 20;
/// How many calls may wait for a worker.
pub const WAITING: usize = 256;

/// A request on its way to a worker.
#[derive(Debug)]
pub struct Call {
    request: Request<Bytes>,
    client: IpAddr,
    reply: oneshot::Sender<Result<Response<Bytes>, CallError>>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("the gateway is shutting down")]
    Gone,
    #[error("too many calls are waiting for the gateway")]
    Busy,
    #[error("the upstream broke off in the middle of its answer")]
    Broken,
    #[error("the answer is larger than {} MiB", MAX_ANSWER >> 20)]
    TooLarge,
    #[error("no answer within two minutes")]
    TimedOut,
}

/// Sends requests into the pipeline. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller(mpsc::Sender<Call>);

impl Caller {
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Call>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// Sends a request on behalf of a client.
    ///
    /// # Errors
    /// If the gateway is leaving or overloaded, or the answer cannot be collected.
    pub async fn call(&self, request: Request<Bytes>, client: IpAddr) -> Result<Response<Bytes>, CallError> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Call { request, client, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CallError::Busy,
            mpsc::error::TrySendError::Closed(_) => CallError::Gone,
        })?;
        match tokio::time::timeout(Duration::from_secs(120), answer).await {
            Ok(answer) => answer.unwrap_or(Err(CallError::Gone)),
            Err(_) => Err(CallError::TimedOut),
        }
    }
}

/// Runs a call on a worker.
pub async fn run(worker: Rc<Worker>, call: Call) {
    let Call { request, client, mut reply } = call;
    let peer = Rc::new(Peer::new(client, &worker.plan.trusted_proxies));
    let answer = async {
        let request = request.map(|body| RequestBody::Full(Some(body)));
        let (head, body) = handle(worker, peer, request).await.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { CallError::TooLarge } else { CallError::Broken }
        })?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    let answer = tokio::select! {
        answer = answer => answer,
        // Nobody waits any more.
        () = reply.closed() => return,
    };
    let _ = reply.send(answer);
}
