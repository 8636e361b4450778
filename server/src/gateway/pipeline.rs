//! The order of the steps: match → limit → queue → cache → rollout → breaker → retry → forward → fallback.

use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request};
use rad_resilience::Timestamp;

use super::body::{RequestBody, ResponseBody};
use super::client::{self, Peer};
use super::connection::{RequestHead, rewritten};
use super::forward::{Outgoing, Unkept, forward, keep};
use super::headers::{Refusal, refusal};
use super::limit::Limited;
use super::plan::{Fallback, Route};
use super::ticket::{Access, Ending, Ticket, Trace};
use super::worker::Worker;
use super::{answer, block, cached, limit, path, request_id};
use crate::config::Action;
use crate::problem;
use crate::rollout::{PIN_COOKIE, PIN_LEGACY, Side};
use crate::telemetry::log::{Level, Line, Value};

/// Answers a request: match → block → limit → rollout → breaker → forward.
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
                    let access = access(&worker, &parts, &id, client);
                    let ticket = Ticket::open(Rc::clone(&worker), route, started, access);
                    let rewrite = worker.plan.routes[route].rewrite.as_deref();
                    let target = rewritten(&parts.uri, prefix, rewrite).into_owned();
                    let head = RequestHead { parts, target, id: id.clone(), peer, is_unconditional: false };
                    serve(&worker, Admitted { route, client, started, head, body }, ticket).await
                }
            };
            if let Some(limited) = limited {
                let fields = &worker.plan.routes[route].limit_fields;
                limit::tell(&limited, fields, worker.unix_s(limited.at), response.headers_mut());
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

/// A small body that has to be kept must be here after this long.
const KEEP_WITHIN: Duration = Duration::from_secs(30);

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
    pub head: RequestHead,
}

/// A request that its limits let in, whole.
struct Admitted {
    route: usize,
    client: IpAddr,
    started: Timestamp,
    head: RequestHead,
    body: RequestBody,
}

async fn serve(worker: &Rc<Worker>, admitted: Admitted, mut ticket: Ticket) -> Response<ResponseBody> {
    let Admitted { route: at, client, started, head, mut body } = admitted;
    let route = &worker.plan.routes[at];
    // Before a place is taken: a client that sends slowly must not hold one.
    if route.keeps_bodies() {
        body = match keep(body, KEEP_WITHIN).await {
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
    }
    if let Some(queue) = &route.queue {
        match queue.bulkhead.acquire(queue.priority(&head.parts.headers)).await {
            Ok(place) => ticket.holds(place),
            Err(rejection) => {
                ticket.answered(503);
                ticket.end(Ending::Shed);
                return answer::shed(limit::ceil_s(rejection.retry_after).max(1));
            }
        }
    }
    let (side, upstream) = match route.action {
        Action::Ok => {
            ticket.answered(200);
            ticket.end(Ending::Complete);
            return answer::ok();
        }
        Action::Upstream(upstream) => (None, upstream),
        Action::Rollout(rollout) => {
            let (side, upstream) = choose(worker, rollout, client, &head.parts.headers);
            (Some((rollout, side)), upstream)
        }
    };
    let asked = Asked { route: at, upstream, side, head };
    if route.cache.is_some() {
        cached::serve(worker, asked, body, ticket).await
    } else {
        // The upstream's time begins here, not where the client's did.
        let now = if route.may_have_waited() { worker.now() } else { started };
        direct(worker, &asked, body, now, ticket).await
    }
}

/// Asks the upstream, and falls back to what stands in for it.
pub async fn direct(
    worker: &Rc<Worker>,
    asked: &Asked,
    body: RequestBody,
    now: Timestamp,
    ticket: Ticket,
) -> Response<ResponseBody> {
    let again = worker.plan.routes[asked.route].fallback.as_ref().and_then(|_| body.again());
    let response = primary(worker, asked, body, now, ticket).await;
    if !response.status().is_server_error() {
        return response;
    }
    match fall_back(worker, asked, again).await {
        Some(instead) => {
            response.into_body().let_go();
            instead
        }
        None => response,
    }
}

/// Asks the upstream.
pub async fn primary(
    worker: &Worker,
    asked: &Asked,
    body: RequestBody,
    started: Timestamp,
    mut ticket: Ticket,
) -> Response<ResponseBody> {
    if let Some((rollout, side)) = asked.side {
        ticket.on_side(rollout, side);
    }
    let Route { retry, hedge, .. } = &worker.plan.routes[asked.route];
    let (retry, hedge) = (retry.as_ref(), hedge.as_ref());
    forward(worker, asked.upstream, Outgoing { head: &asked.head, body, started, retry, hedge }, ticket).await
}

/// What stands in for an upstream that failed, if anything does. `body` is none if it is gone.
pub async fn fall_back(
    worker: &Rc<Worker>,
    asked: &Asked,
    body: Option<RequestBody>,
) -> Option<Response<ResponseBody>> {
    let instead = match (worker.plan.routes[asked.route].fallback.as_ref()?, body) {
        (Fallback::Answer { status, content_type, body }, _) => answer::fixed(*status, content_type, body),
        (Fallback::Upstream(other), Some(body)) => {
            let started = worker.now();
            let ticket = Ticket::behind_the_scenes(Rc::clone(worker), asked.route, started);
            let outgoing = Outgoing { head: &asked.head, body, started, retry: None, hedge: None };
            let instead = forward(worker, *other, outgoing, ticket).await;
            if instead.status().is_server_error() {
                instead.into_body().let_go();
                return None;
            }
            instead
        }
        (Fallback::Upstream(_), None) => return None,
    };
    worker.shard.routes[asked.route].fallbacks.add();
    Some(instead)
}

fn unmatched(worker: &Worker, peer: &Peer, parts: &request::Parts, id: &HeaderValue, status: StatusCode) {
    if worker.is_silent() {
        return;
    }
    let client = peer.client(&parts.headers, &worker.plan.trusted_proxies);
    let fields = [
        ("request_id", Value::Text(id.to_str().unwrap_or(""))),
        ("client_ip", Value::Display(&client as &dyn std::fmt::Display)),
        ("method", Value::Text(parts.method.as_str())),
        ("path", Value::Text(parts.uri.path())),
        ("status", Value::Count(u64::from(status.as_u16()))),
    ];
    worker.log(&Line { level: Level::Warn, event: "route_not_found", fields: &fields });
}

/// Legacy for who asks for it by cookie; else as the rollout says.
fn choose(worker: &Worker, rollout: usize, client: IpAddr, headers: &HeaderMap) -> (Side, usize) {
    let rollout = &worker.plan.rollouts[rollout];
    if is_pinned(headers) {
        return (Side::Legacy, rollout.legacy());
    }
    match client::identity(client) {
        IpAddr::V4(address) => rollout.choose(&address.octets()),
        IpAddr::V6(address) => rollout.choose(&address.octets()),
    }
}

fn is_pinned(headers: &HeaderMap) -> bool {
    headers.get_all(header::COOKIE).iter().any(|cookies| {
        cookies.as_bytes().split(|byte| *byte == b';').any(|cookie| {
            let mut halves = cookie.trim_ascii().splitn(2, |byte| *byte == b'=');
            halves.next() == Some(PIN_COOKIE.as_bytes()) && halves.next() == Some(PIN_LEGACY.as_bytes())
        })
    })
}

fn access(
    worker: &Worker,
    parts: &request::Parts,
    id: &http::HeaderValue,
    client: IpAddr,
) -> Option<Box<Access>> {
    (!worker.is_silent()).then(|| {
        Box::new(Access {
            id: id.clone(),
            client,
            method: parts.method.clone(),
            // Without the query: it may hold what nobody should read in a log.
            path: parts.uri.path().to_owned(),
            trace: trace(&parts.headers),
        })
    })
}

/// The ids of a `traceparent` of version 00 (W3C Trace Context §3.2).
fn trace(headers: &HeaderMap) -> Option<Trace> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace_id, span_id) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = |id: &str, length: usize| {
        id.len() == length
            && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && id.bytes().any(|byte| byte != b'0')
    };
    (version == "00" && is_id(trace_id, 32) && is_id(span_id, 16))
        .then(|| Trace { trace_id: trace_id.to_owned(), span_id: span_id.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_cookie_pins_to_legacy() {
        let pinned = |cookies: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(cookies).unwrap());
            is_pinned(&headers)
        };
        assert!(pinned("rad_mode=legacy"));
        assert!(pinned("a=b; rad_mode=legacy; c=d"));
        assert!(!pinned("rad_mode=candidate"));
        assert!(!pinned("x_rad_mode=legacy"));
        assert!(!pinned("rad_mode=legacy2"));
        assert!(!is_pinned(&HeaderMap::new()));
    }

    #[test]
    fn a_malformed_traceparent_is_ignored() {
        let ids = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_static(text));
            trace(&headers).map(|trace| trace.trace_id)
        };
        assert_eq!(
            ids("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").as_deref(),
            Some("0af7651916cd43dd8448eb211c80319c")
        );
        assert_eq!(ids("00-00000000000000000000000000000000-b7ad6b7169203331-01"), None);
        assert_eq!(ids("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), None);
        assert_eq!(ids("nonsense"), None);
    }
}
