//! One copy, to its target and back. Once: what fails is an answer that was not given.

use std::future::poll_fn;
use std::io;

use tokio::time::{Instant, timeout};

use crate::gateway::body::RequestBody;
use crate::gateway::connection::{Answer, Connection, ExchangeError, RequestHead};
use crate::gateway::worker::Worker;
use crate::rollout::shadow::{Body, Raw, ShadowSettings};

/// A request that goes to a target beside the one that the client waits for.
#[derive(Debug)]
pub(super) struct Duplicate {
    pub upstream: usize,
    pub target: usize,
    pub head: RequestHead,
    pub body: RequestBody,
}

impl Duplicate {
    /// The answer, and how long its head took, microseconds; none if there was none in time.
    pub async fn send(self, worker: &Worker, settings: &ShadowSettings) -> Option<(Raw, u64)> {
        timeout(settings.timeout, self.exchange(worker, settings)).await.ok()?.ok()
    }

    async fn exchange(self, worker: &Worker, settings: &ShadowSettings) -> Result<(Raw, u64), Broken> {
        let started = Instant::now();
        let (pool, mut body) = (&worker.shadow_pools[self.target], self.body.again());
        let mut pooled = pool.take();
        let (Answer { status, headers }, mut connection) = loop {
            let sent = body.take().ok_or(Broken)?;
            let mut connection = match pooled.take() {
                Some(connection) => connection,
                None => {
                    let to = &worker.plan.targets[self.target];
                    let patience = worker.plan.upstreams[self.upstream].connect_timeout;
                    Connection::open(&to.host, to.port, patience).await?
                }
            };
            let to = &worker.plan.targets[self.target];
            match connection.exchange(&self.head, to, sent, started, settings.timeout).await {
                Ok(answer) => break (answer, connection),
                // The target closed an idle connection in the moment of its use, and has most likely seen nothing.
                Err(ExchangeError::Closed) if connection.is_reused => body = self.body.again(),
                Err(_) => return Err(Broken),
            }
        };
        let us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let body = read(&mut connection, settings.max_body).await?;
        if connection.is_body_over() {
            pool.give_back(connection, worker.now());
        }
        Ok((Raw { status, headers, body }, us))
    }
}

/// Reads a body, but no more of it than is looked at.
async fn read(connection: &mut Connection, most: usize) -> Result<Body, Broken> {
    let mut bytes = Vec::new();
    if connection.remaining().is_some_and(|length| length > most as u64) {
        return Ok(Body::TooLong);
    }
    while let Some(part) = poll_fn(|cx| connection.poll_body(cx)).await {
        let part = part.map_err(|_| Broken)?;
        if bytes.len() + part.len() > most {
            return Ok(Body::TooLong);
        }
        bytes.extend_from_slice(&part);
    }
    Ok(Body::Whole(bytes))
}

/// There is no answer.
#[derive(Debug)]
struct Broken;

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self
    }
}
