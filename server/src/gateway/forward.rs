//! The last step: to a target and back.

use std::io;

use http::Response;
use http_body::Body;
use rad_resilience::Timestamp;

use super::answer;
use super::body::{RequestBody, ResponseBody, UpstreamBody};
use super::breaker::{self, Admission};
use super::connection::{By, Connection, ExchangeError, RequestHead};
use super::ticket::{Ending, Ticket};
use super::worker::Worker;

/// A request that is ready to go.
#[derive(Debug)]
pub struct Outgoing {
    pub head: RequestHead,
    pub body: RequestBody,
    pub started: Timestamp,
}

/// Sends a request to a target of an upstream and passes the answer on.
pub async fn forward(
    worker: &Worker,
    upstream: usize,
    admission: Admission,
    outgoing: Outgoing,
    mut ticket: Ticket,
) -> Response<ResponseBody> {
    let Outgoing { head, mut body, started } = outgoing;
    let patience = worker.plan.upstreams[upstream].timeout;
    // Without a body of its own a request can be said again; and asking twice does no harm.
    let may_repeat = body.is_end_stream() && head.is_idempotent();
    let mut pooled = true;
    let mut target = admission.target;
    ticket.admitted(admission);
    loop {
        let mut connection = match connect(worker, upstream, &mut target, pooled, started, &mut ticket).await
        {
            Ok(connection) => connection,
            Err(ConnectError::Unreachable) => return broken(ticket),
            Err(ConnectError::TimedOut) => return timed_out(ticket),
            Err(ConnectError::Exhausted) => {
                ticket.excuse_target();
                ticket.answered(503);
                ticket.end(Ending::Broken);
                return answer::exhausted();
            }
        };
        let to = &worker.plan.targets[target];
        let sent = std::mem::replace(&mut body, RequestBody::empty());
        let began = worker.instant(started);
        let answer = match connection.exchange(&head, to, sent, began, patience).await {
            Ok(answer) => answer,
            // The target closed an idle connection in the moment of its use: no fault, a new one may carry
            // the request.
            Err(ExchangeError::Closed) if connection.is_reused && may_repeat => {
                pooled = false;
                continue;
            }
            Err(error @ (ExchangeError::Closed | ExchangeError::Broken)) => {
                if error == ExchangeError::Closed && connection.is_reused {
                    ticket.excuse_target();
                }
                return broken(ticket);
            }
            Err(ExchangeError::Stalled(By::Upstream)) => return timed_out(ticket),
            Err(ExchangeError::Stalled(By::Client)) => {
                ticket.answered(408);
                ticket.end(Ending::Abandoned);
                return answer::request_timeout();
            }
            Err(ExchangeError::Client) => {
                ticket.answered(400);
                ticket.end(Ending::Abandoned);
                return answer::bad_request();
            }
        };
        ticket.answered(answer.status.as_u16());
        let mut response = Response::new(ResponseBody::Upstream(UpstreamBody::new(connection, ticket)));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        return response;
    }
}

fn broken(mut ticket: Ticket) -> Response<ResponseBody> {
    ticket.answered(502);
    ticket.end(Ending::Broken);
    answer::bad_gateway()
}

fn timed_out(mut ticket: Ticket) -> Response<ResponseBody> {
    ticket.answered(504);
    ticket.end(Ending::Broken);
    answer::gateway_timeout()
}

/// Why there is no connection.
enum ConnectError {
    /// No target could be reached.
    Unreachable,
    /// The request's time is over.
    TimedOut,
    /// The gateway itself has no more connections to give.
    Exhausted,
}

/// A connection to the target; or to another one of the upstream, if it cannot be reached: nothing has been
/// sent yet.
async fn connect(
    worker: &Worker,
    upstream: usize,
    target: &mut usize,
    pooled: bool,
    started: Timestamp,
    ticket: &mut Ticket,
) -> Result<Box<Connection>, ConnectError> {
    if pooled && let Some(connection) = worker.pools[*target].take() {
        return Ok(connection);
    }
    let settings = &worker.plan.upstreams[upstream];
    let mut tried = Vec::new();
    loop {
        let to = &worker.plan.targets[*target];
        let left = settings.timeout.saturating_sub(worker.now().since(started));
        if left.is_zero() {
            return Err(ConnectError::TimedOut);
        }
        match Connection::open(&to.host, to.port, settings.connect_timeout.min(left)).await {
            Ok(connection) => return Ok(connection),
            Err(error) if is_exhaustion(&error) => return Err(ConnectError::Exhausted),
            Err(_) => tried.push(*target),
        }
        let Ok(another) = breaker::admit(worker, upstream, worker.now(), &tried) else {
            return Err(ConnectError::Unreachable);
        };
        *target = another.target;
        ticket.admitted(another);
        if let Some(connection) = worker.pools[*target].take() {
            return Ok(connection);
        }
    }
}

/// Whether this machine lacks something, and not the target.
fn is_exhaustion(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
