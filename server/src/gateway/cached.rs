//! The step that answers from the cache: one request to the upstream for many equal ones.

mod stored;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_TYPE, COOKIE, HOST, PROXY_AUTHORIZATION, RANGE, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use rad_resilience::cache::{CacheKey, Followed, Leader, Load, Lookup};
use rad_resilience::{Cache, Timestamp};

use super::body::{RequestBody, ResponseBody};
use super::pipeline::{Asked, direct, fall_back, primary};
use super::plan::RouteCache;
use super::ticket::{Ending, Ticket};
use super::worker::Worker;
use crate::config::KeySource;
pub use stored::Stored;

/// Answers by what they ask for. The failure that followers share is an answer, too.
pub type AnswerCache = Cache<Arc<Stored>, Arc<Stored>>;
type Lead = Leader<Arc<Stored>, Arc<Stored>>;

/// Headers of a request that may decide its answer, and are part of its key.
const DECIDING: [HeaderName; 8] = [
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CONTENT_TYPE,
    CONTENT_ENCODING,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-http-method-override"),
];

/// Headers of a request whose answer is for its asker alone, or for a part of it.
const PRIVATE: [HeaderName; 5] =
    [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, RANGE, HeaderName::from_static("x-api-key")];

/// The key of a request; none if its answer is for nobody else.
fn key(cache: &RouteCache, asked: &Asked, body: &RequestBody) -> Option<CacheKey> {
    let parts = &asked.head.parts;
    let headers = &parts.headers;
    let is_private = PRIVATE.iter().any(|name| headers.contains_key(name))
        || says(headers, &["no-store", "no-cache"])
        || !cache.methods.contains(&parts.method);
    if is_private {
        return None;
    }
    let body = body.kept()?;
    let mut organisations = headers.get_all(KeySource::ORG_HEADER).iter();
    let organisation = match (organisations.next(), organisations.next()) {
        (None, _) => "",
        (Some(name), None) => name.to_str().ok()?,
        _ => return None,
    };
    let host = match parts.uri.authority() {
        Some(host) => host.as_str().as_bytes(),
        None => headers.get(HOST).map_or(&[][..], HeaderValue::as_bytes),
    };
    let route = (asked.route as u64).to_le_bytes();
    let upstream = (asked.upstream as u64).to_le_bytes();
    let mut deciding = Vec::new();
    for name in &DECIDING {
        for value in headers.get_all(name) {
            deciding.extend_from_slice(name.as_str().as_bytes());
            deciding.extend_from_slice(b": ");
            deciding.extend_from_slice(value.as_bytes());
            deciding.push(b'\n');
        }
    }
    let method = parts.method.as_str().as_bytes();
    let what: [&[u8]; 7] = [&route, &upstream, method, host, asked.head.target.as_bytes(), &deciding, body];
    Some(CacheKey::new(organisation, &what))
}

fn says(headers: &HeaderMap, words: &[&str]) -> bool {
    headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|directive| {
            let name = directive.split('=').next().unwrap_or_default().trim();
            words.iter().any(|word| name.eq_ignore_ascii_case(word))
        })
    })
}

/// Whether an answer is good for everybody who asks the same.
fn is_for_all(headers: &HeaderMap) -> bool {
    let varies = headers.get_all(VARY).iter().any(|value| {
        value.to_str().map_or(true, |value| {
            value
                .split(',')
                .any(|name| !DECIDING.iter().any(|known| name.trim().eq_ignore_ascii_case(known.as_str())))
        })
    });
    !varies && !headers.contains_key(SET_COOKIE) && !says(headers, &["no-store", "private", "no-cache"])
}

/// Whether it goes on for as long as somebody listens.
fn is_endless(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// Answers from the cache, or asks the upstream and keeps what it says.
pub async fn serve(
    worker: &Rc<Worker>,
    mut asked: Asked,
    body: RequestBody,
    ticket: Ticket,
) -> Response<ResponseBody> {
    let now = worker.now();
    let cache = worker.plan.routes[asked.route].cache.as_ref();
    let Some((cache, key)) = cache.and_then(|cache| Some((cache, key(cache, &asked, &body)?))) else {
        return direct(worker, &asked, body, now, ticket).await;
    };
    match worker.plan.cache.lookup(&key, now) {
        Lookup::Hit { value, age } => from_cache(&asked, ticket, &value, "HIT", age),
        Lookup::Stale { value, age, refresh } => {
            let response = from_cache(&asked, ticket, &value, "STALE", age);
            if let Some(leader) = refresh {
                refresh_later(worker, asked, &body, leader);
            }
            response
        }
        Lookup::Miss => match worker.plan.cache.begin_load(&key, &cache.policy, now) {
            Load::Lead(leader) => lead(worker, &mut asked, body, &key, leader, ticket).await,
            Load::Found { value, age } => from_cache(&asked, ticket, &value, "HIT", age),
            Load::Follow(follower) => {
                let patience = worker.plan.upstreams[asked.upstream].timeout;
                match tokio::time::timeout(patience, follower.wait()).await {
                    Ok(Followed::Loaded(value)) => {
                        from_cache(&asked, ticket, &value, "COALESCED", Duration::ZERO)
                    }
                    Ok(Followed::Failed(failed)) => {
                        let instead = instead(worker, &asked, &key, body.again()).await;
                        let response = instead.unwrap_or_else(|| failed.response("COALESCED", 0));
                        end(ticket, response.status());
                        response
                    }
                    Ok(Followed::Lead(leader)) => lead(worker, &mut asked, body, &key, leader, ticket).await,
                    Ok(Followed::Declined) | Err(_) => {
                        direct(worker, &asked, body, worker.now(), ticket).await
                    }
                }
            }
        },
    }
}

fn end(mut ticket: Ticket, status: StatusCode) {
    ticket.answered(status.as_u16());
    ticket.end(Ending::Complete);
}

fn from_cache(
    asked: &Asked,
    ticket: Ticket,
    stored: &Stored,
    how: &'static str,
    age: Duration,
) -> Response<ResponseBody> {
    let response = match stored.not_modified(&asked.head.parts.headers, how, age.as_secs()) {
        Some(not_modified) => not_modified,
        None => stored.response(how, age.as_secs()),
    };
    end(ticket, response.status());
    response
}

/// After the upstream failed: something old, or what stands in for it.
async fn instead(
    worker: &Rc<Worker>,
    asked: &Asked,
    key: &CacheKey,
    body: Option<RequestBody>,
) -> Option<Response<ResponseBody>> {
    match worker.plan.cache.stale_if_error(key, worker.now()) {
        Some((value, age)) => {
            worker.shard.routes[asked.route].fallbacks.add();
            Some(value.response("STALE", age.as_secs()))
        }
        None => fall_back(worker, asked, body).await,
    }
}

async fn lead(
    worker: &Rc<Worker>,
    asked: &mut Asked,
    body: RequestBody,
    key: &CacheKey,
    leader: Lead,
    ticket: Ticket,
) -> Response<ResponseBody> {
    asked.head.is_unconditional = true;
    let requested = worker.now();
    let again = body.again();
    let answer = primary(worker, asked, body, requested, ticket).await;
    match settle(worker, answer, leader, requested).await {
        Settled::Kept(stored) => stored.response("MISS", 0),
        Settled::Failed(stored) => {
            let instead = instead(worker, asked, key, again).await;
            instead.unwrap_or_else(|| stored.response("MISS", 0))
        }
        Settled::Passed(response) => *response,
    }
}

#[must_use = "an answer that was not kept is for its asker"]
enum Settled {
    Kept(Arc<Stored>),
    Failed(Arc<Stored>),
    /// It is for its asker alone, or too large.
    Passed(Box<Response<ResponseBody>>),
}

/// Keeps an answer, if it is one to keep, and tells those who wait for it.
async fn settle(
    worker: &Worker,
    answer: Response<ResponseBody>,
    leader: Lead,
    requested: Timestamp,
) -> Settled {
    let status = answer.status();
    // "Too many requests" says nothing of what was asked for.
    let failed = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    let for_all = is_for_all(answer.headers());
    let most = worker.plan.max_cached_bytes;
    let announced =
        answer.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let is_too_large = announced.is_some_and(|length: usize| length > most);
    let is_kept = status == StatusCode::OK && for_all && !is_endless(answer.headers());
    if is_too_large || !(failed || is_kept) {
        leader.decline();
        return Settled::Passed(Box::new(answer));
    }
    let (head, mut body) = answer.into_parts();
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if let Ok(part) = frame.into_data() {
                    collected.extend_from_slice(&part);
                }
            }
            // The ticket has counted it.
            Err(_) => {
                let stored = Arc::new(Stored::neutral(StatusCode::BAD_GATEWAY));
                leader.fail(Arc::clone(&stored), worker.now());
                return Settled::Failed(stored);
            }
        }
        if collected.len() > most {
            leader.decline();
            return Settled::Passed(Box::new(Response::from_parts(head, body.after(collected.freeze()))));
        }
    }
    let problem = head.extensions.get().cloned();
    let stored = Arc::new(Stored::new(status, &head.headers, &collected).with_problem(problem));
    if failed {
        // What a failure says may be for its asker alone.
        let shared = if for_all { Arc::clone(&stored) } else { Arc::new(Stored::neutral(status)) };
        leader.fail(shared, worker.now());
        Settled::Failed(stored)
    } else {
        leader.insert(Arc::clone(&stored), requested);
        Settled::Kept(stored)
    }
}

/// Loads an answer anew while an old one is served; not now, if the route has no place for it.
fn refresh_later(worker: &Rc<Worker>, mut asked: Asked, body: &RequestBody, leader: Lead) {
    let started = worker.now();
    let later = || Arc::new(Stored::neutral(StatusCode::SERVICE_UNAVAILABLE));
    let Some(body) = body.again() else { return leader.fail(later(), started) };
    let mut ticket = Ticket::behind_the_scenes(Rc::clone(worker), asked.route, started);
    if let Some(queue) = &worker.plan.routes[asked.route].queue {
        match queue.bulkhead.try_acquire() {
            Some(place) => ticket.holds(place),
            None => return leader.fail(later(), started),
        }
    }
    asked.head.is_unconditional = true;
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        let answer = primary(&worker, &asked, body, started, ticket).await;
        // Nobody waits for it.
        let _ = settle(&worker, answer, leader, started).await;
    });
}
