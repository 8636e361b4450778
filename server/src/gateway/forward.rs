//! The last step: to a target and back.

use http::Response;
use http_body::Body;
use rad_resilience::Timestamp;

use super::answer;
use super::body::{RequestBody, ResponseBody, UpstreamBody};
use super::breaker::{self, Admission};
use super::connection::{Connection, ExchangeError, RequestHead};
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
        let Some(mut connection) =
            connect(worker, upstream, &mut target, &mut pooled, started, &mut ticket).await
        else {
            return broken(ticket);
        };
        let to = &worker.plan.targets[target];
        let sent = std::mem::replace(&mut body, RequestBody::empty());
        let began = worker.instant(started);
        let answer = match connection.exchange(&head, &to.base, &to.authority, sent, began, patience).await {
            Ok(answer) => answer,
            // The target closed an idle connection in the moment of its use: no fault, a new one may carry
            // the request.
            Err(ExchangeError::Closed) if connection.is_reused && may_repeat => {
                pooled = false;
                continue;
            }
            Err(ExchangeError::Closed | ExchangeError::Broken) => return broken(ticket),
            Err(ExchangeError::TimedOut) => {
                ticket.answered(504);
                ticket.end(Ending::Broken);
                return answer::gateway_timeout();
            }
            Err(ExchangeError::ClientTimedOut) => {
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
        let mut response =
            Response::new(ResponseBody::Upstream(UpstreamBody::new(connection, patience, ticket)));
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

/// A connection to the target; or to another one of the upstream, if it cannot be reached: nothing has been
/// sent yet.
async fn connect(
    worker: &Worker,
    upstream: usize,
    target: &mut usize,
    pooled: &mut bool,
    started: Timestamp,
    ticket: &mut Ticket,
) -> Option<Box<Connection>> {
    if *pooled && let Some(connection) = worker.pools[*target].take() {
        return Some(connection);
    }
    let settings = &worker.plan.upstreams[upstream];
    let mut tried = Vec::new();
    loop {
        let to = &worker.plan.targets[*target];
        if let Ok(connection) = Connection::open(&to.host, to.port, settings.connect_timeout).await {
            return Some(connection);
        }
        tried.push(*target);
        let now = worker.now();
        if now.since(started) >= settings.timeout {
            return None;
        }
        let another = breaker::admit(worker, upstream, now, &tried).ok()?;
        *target = another.target;
        *pooled = true;
        ticket.admitted(another);
        if let Some(connection) = worker.pools[*target].take() {
            return Some(connection);
        }
    }
}
