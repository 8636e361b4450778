//! The step that answers for an upstream that failed, or for which there is no place.

use std::rc::Rc;

use http::Response;
use rad_resilience::bulkhead::{BulkheadRejection, Place, RejectReason};

use super::body::{RequestBody, ResponseBody};
use super::forward::{Outgoing, forward};
use super::pipeline::{Asked, enter};
use super::plan::Fallback;
use super::ticket::Ticket;
use super::worker::Worker;
use super::{answer, limit};

/// What stands in for an upstream that failed, if anything does; whoever is given it, counts it. `body` is none
/// if it is gone. Another upstream is within the route's bound, too: it is asked on the `place` of the one that
/// failed; without one, a place is waited for.
pub async fn fall_back(
    worker: &Rc<Worker>,
    asked: &Asked,
    body: Option<RequestBody>,
    place: Option<Rc<Place>>,
) -> Option<Response<ResponseBody>> {
    match (worker.plan.routes[asked.route].fallback.as_ref()?, body) {
        (Fallback::Answer { .. }, _) => fixed(worker, asked),
        (Fallback::Upstream(other), Some(body)) => {
            let place = match place {
                Some(place) => Some(place),
                None => enter(worker, asked).await.ok()?,
            };
            let started = worker.now();
            let mut ticket = Ticket::behind_the_scenes(Rc::clone(worker), asked.route, started);
            ticket.stands_in(place);
            let within = worker.plan.upstreams[*other].timeout;
            let outgoing = Outgoing { head: &asked.head, body, started, within, retry: None, hedge: None };
            let instead = forward(worker, *other, outgoing, ticket).await;
            if instead.status().is_server_error() {
                instead.into_body().let_go();
                return None;
            }
            Some(instead)
        }
        (Fallback::Upstream(_), None) => None,
    }
}

/// What is said without a place: the route's fixed answer, if it has one, since that costs no upstream anything.
pub fn shed(
    worker: &Worker,
    asked: &Asked,
    rejection: &BulkheadRejection,
    ticket: Ticket,
) -> Response<ResponseBody> {
    let instead = fixed(worker, asked);
    if instead.is_some() {
        worker.shard.routes[asked.route].fallbacks.add();
    }
    ticket.sheds();
    instead.unwrap_or_else(|| {
        let retry_after_s = limit::ceil_s(rejection.retry_after).max(1);
        match rejection.reason {
            RejectReason::WaitedTooLong => answer::waited_in_vain(retry_after_s),
            RejectReason::Full | RejectReason::Shed => answer::shed(retry_after_s),
        }
    })
}

/// The fixed answer that stands in for a route's upstream, if it has one.
pub fn fixed(worker: &Worker, asked: &Asked) -> Option<Response<ResponseBody>> {
    match worker.plan.routes[asked.route].fallback.as_ref()? {
        Fallback::Answer { status, content_type, body } => Some(answer::fixed(*status, content_type, body)),
        Fallback::Upstream(_) => None,
    }
}
