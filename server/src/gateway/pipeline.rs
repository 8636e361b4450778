//! The order of the steps: match → block → limit → rollout → cache → queue → breaker → retry → forward →
//! fallback.
//!
//! The rollout chooses before the cache is asked, because what is kept of one side is not for the other's clients.
//! The queue comes after the cache, because it bounds what is in flight to upstreams: an answer that is here
//! already, or that somebody else's request will bring, takes no place and waits for none.

use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, request};
use rad_resilience::Timestamp;
use rad_resilience::bulkhead::{BulkheadRejection, Place};
use rad_resilience::cache::Lookup;

use super::access::{access, unmatched};
use super::body::{RequestBody, ResponseBody, Unkept, keep};
use super::cached::{self, Look, Wanted};
use super::choice::{Choice, choose};
use super::client::Peer;
use super::connection::{RequestHead, rewritten};
use super::fallback::{fall_back, shed};
use super::forward::{Outgoing, forward};
use super::headers::{Refusal, refusal};
use super::limit::Limited;
use super::plan::Route;
use super::ticket::{Ending, OnSide, Ticket};
use super::worker::Worker;
use super::{answer, block, limit, path, request_id, shadow};
use crate::problem;
use crate::rollout::Side;

/// Answers a request.
pub async fn handle(
    worker: Rc<Worker>,
    peer: Rc<Peer>,
    request: Request<RequestBody>,
) -> Response<ResponseBody> {
    let (parts, body) = request.into_parts();
    let id = worker.request_ids.of(&parts.headers);
    let is_head = parts.method == Method::HEAD;
    let wants_problem = problem::is_wanted(&parts.headers);
    let mut response = match find(&worker, &parts, matches!(body, RequestBody::Incoming(_))) {
        Err(reason) => {
            let refusal = match reason {
                NoRoute::Refused(refusal) => answer::refused(refusal),
                NoRoute::Ambiguous => answer::ambiguous_path(),
                NoRoute::Unknown => answer::not_found(),
            };
            worker.shard.unmatched.add();
            unmatched(&worker, &peer, &parts, &id, refusal.status());
            refusal
        }
        Ok((route, prefix)) => {
            let started = worker.now();
            let client = peer.client(&parts.headers, &worker.plan.trusted_proxies);
            let blocked = block::refuse(&worker, route, client, started);
            let limited = match blocked {
                Some(_) => None,
                None => limit::limit(&worker, route, client, &parts, &id, started).await,
            };
            let mut response = match (blocked, limited) {
                (Some(refusal), _) => refusal,
                (None, Some(Limited { decision, .. })) if !decision.allowed => {
                    answer::limited(decision.quota)
                }
                (None, _) => {
                    let admitted = Admitted { route, prefix, client, started, parts, body };
                    match begin(&worker, admitted, peer, &id) {
                        Begun::Answered(response) => response,
                        Begun::Asked { asked, body, look, ticket } => {
                            serve(&worker, asked, body, look, ticket).await
                        }
                    }
                }
            };
            if let (Some(limited), Some(fields)) = (limited, &worker.plan.routes[route].limit_fields) {
                limit::tell(&limited, fields, worker.unix_ms(limited.at), response.headers_mut());
            }
            response
        }
    };
    answer::tell_problem(&mut response, wants_problem);
    if is_head {
        answer::without_content(&mut response);
    }
    response.headers_mut().insert(request_id::HEADER, id);
    response
}

/// Why no route answers a path.
enum NoRoute {
    Refused(Refusal),
    Ambiguous,
    Unknown,
}

/// The route that answers a request, and the length of its prefix there.
fn find(worker: &Worker, parts: &request::Parts, is_clients: bool) -> Result<(usize, usize), NoRoute> {
    // What the program itself asks is well-formed, and has no host of its own.
    if is_clients && let Some(refusal) = refusal(parts) {
        return Err(NoRoute::Refused(refusal));
    }
    let path = parts.uri.path();
    let canonical = path::canonical(path).map_err(|path::Ambiguous| NoRoute::Ambiguous)?;
    let (route, prefix) = worker.plan.router.find(&canonical).ok_or(NoRoute::Unknown)?;
    Ok(match canonical {
        Cow::Borrowed(_) => (route, prefix),
        Cow::Owned(_) => (route, path::written_length(path, prefix)),
    })
}

/// A request that its limits let in, but for its body.
#[derive(Clone, Debug)]
pub struct Asked {
    pub route: usize,
    /// The upstream that is asked: a rollout has chosen by now, so that what is kept of one side is never
    /// taken for the other's.
    pub upstream: usize,
    pub side: Option<(usize, Side)>,
    /// Whether the side was drawn: what was chosen is not judged.
    pub is_drawn: bool,
    pub started: Timestamp,
    pub head: RequestHead,
}

impl Asked {
    fn wanted(&self) -> Wanted<'_> {
        let (route, upstream) = (self.route, self.upstream);
        Wanted { route, upstream, parts: &self.head.parts, target: &self.head.target }
    }
}

/// A request that its limits let in.
struct Admitted {
    route: usize,
    /// The length of the route's prefix.
    prefix: usize,
    client: IpAddr,
    started: Timestamp,
    parts: request::Parts,
    body: RequestBody,
}

/// How far a request has come without waiting for anything.
#[allow(clippy::large_enum_variant)] // Lives for a moment, and is not moved.
enum Begun {
    Answered(Response<ResponseBody>),
    Asked { asked: Box<Asked>, body: RequestBody, look: Look, ticket: Ticket },
}

/// What the steps before the first wait come to. The most frequent answer of a route that keeps any is one that
/// it has: for that, nothing is moved or copied that only an upstream needs.
fn begin(worker: &Rc<Worker>, admitted: Admitted, peer: Rc<Peer>, id: &HeaderValue) -> Begun {
    let Admitted { route, prefix, client, started, parts, body } = admitted;
    let access = access(worker, route, &parts, id, client);
    let mut ticket = Ticket::open(Rc::clone(worker), route, started, access);
    let Some(Choice { upstream, side, drawn }) = choose(worker, route, client, &parts.headers) else {
        ticket.answered(200);
        ticket.end(Ending::Complete);
        return Begun::Answered(answer::ok());
    };
    ticket.is_of(side.map(|(rollout, _)| rollout).zip(drawn));
    let target = rewritten(&parts.uri, prefix, worker.plan.routes[route].rewrite.as_deref());
    let wanted = Wanted { route, upstream, parts: &parts, target: &target };
    let look = match cached::look(worker, &wanted, &body, started) {
        Look::At(_, Lookup::Hit { value, age }) => {
            return Begun::Answered(cached::hit(&parts.headers, ticket, &value, age));
        }
        look => look,
    };
    let target = target.into_owned();
    let head = RequestHead { parts, target, id: id.clone(), peer, is_unconditional: false, shadow: None };
    // Boxed: it goes through several steps from here.
    let asked = Box::new(Asked { route, upstream, side, is_drawn: drawn.is_some(), started, head });
    Begun::Asked { asked, body, look, ticket }
}

async fn serve(
    worker: &Rc<Worker>,
    asked: Box<Asked>,
    mut body: RequestBody,
    mut look: Look,
    mut ticket: Ticket,
) -> Response<ResponseBody> {
    let route = &worker.plan.routes[asked.route];
    // Before a place is taken: a client that sends slowly must not hold one.
    if route.keeps_bodies() {
        body = match keep(body).await {
            Ok(body) => body,
            Err(unkept) => {
                let (status, response) = match unkept {
                    Unkept::Broken => (400, answer::bad_request()),
                    Unkept::TimedOut => (408, answer::request_timeout()),
                };
                ticket.answered(status);
                ticket.end(Ending::Abandoned);
                return response;
            }
        };
        if matches!(look, Look::NotYet) {
            look = cached::look(worker, &asked.wanted(), &body, worker.now());
        }
    }
    match (&route.cache, look) {
        (Some(cache), Look::At(key, found)) => {
            cached::serve(worker, cache, asked, body, ticket, (key, found)).await
        }
        _ => direct(worker, &asked, body, ticket, None).await,
    }
}

/// Waits for a place among those that may be in flight; `None` where nothing is bounded.
pub async fn enter(worker: &Worker, asked: &Asked) -> Result<Option<Rc<Place>>, BulkheadRejection> {
    let Some(queue) = &worker.plan.routes[asked.route].queue else { return Ok(None) };
    queue.bulkhead.acquire(queue.priority(&asked.head.parts.headers)).await.map(|place| Some(Rc::new(place)))
}

/// Asks the upstream, and falls back to what stands in for it. Who has waited for somebody else's answer already
/// has time `until` then.
pub async fn direct(
    worker: &Rc<Worker>,
    asked: &Asked,
    body: RequestBody,
    mut ticket: Ticket,
    until: Option<Timestamp>,
) -> Response<ResponseBody> {
    // Who has no time left takes no place either.
    let is_late = until.is_some_and(|until| until <= worker.now());
    let place = match if is_late { Ok(None) } else { enter(worker, asked).await } {
        Ok(place) => place,
        Err(rejection) => return shed(worker, asked, &rejection, ticket),
    };
    ticket.holds(place.clone());
    let route = &worker.plan.routes[asked.route];
    // The upstream's time begins here, not where the client's did.
    let started = if route.may_have_waited() { worker.now() } else { asked.started };
    let again = route.fallback.as_ref().and_then(|_| body.again());
    let timeout = worker.plan.upstreams[asked.upstream].timeout;
    let within = until.map_or(timeout, |until| until.since(started).min(timeout));
    let response = primary(worker, asked, body, (started, within), ticket).await;
    if !response.status().is_server_error() {
        return response;
    }
    match fall_back(worker, asked, again, place).await {
        Some(instead) => {
            worker.shard.routes[asked.route].fallbacks.add();
            response.into_body().let_go();
            instead
        }
        None => response,
    }
}

/// Asks the upstream, from a moment on for so long.
pub async fn primary(
    worker: &Rc<Worker>,
    asked: &Asked,
    body: RequestBody,
    (started, within): (Timestamp, Duration),
    mut ticket: Ticket,
) -> Response<ResponseBody> {
    let mut copied = None;
    if let Some((rollout, side)) = asked.side {
        ticket.on_side(OnSide { rollout, side, is_drawn: asked.is_drawn, since: started });
        if side == Side::Legacy {
            copied = shadow::draw(worker, rollout, &asked.head, &body);
        }
    }
    let Route { retry, hedge, .. } = &worker.plan.routes[asked.route];
    let (retry, hedge) = (retry.as_ref(), hedge.as_ref());
    let outgoing = Outgoing { head: &asked.head, body, started, within, retry, hedge };
    let mut response = forward(worker, asked.upstream, outgoing, ticket).await;
    if let Some(drawn) = copied {
        drawn.copy(worker, &asked.head, &mut response);
    }
    response
}
