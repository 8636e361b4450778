//! The step that answers from the cache: one request to the upstream for many equal ones.

use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, RANGE,
    SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use rad_resilience::cache::{CacheKey, Followed, Leader, Load, Lookup};
use rad_resilience::{Cache, Timestamp};

use super::body::{RequestBody, ResponseBody};
use super::pipeline::{Asked, direct};
use super::plan::RouteCache;
use super::ticket::{Ending, Ticket};
use super::worker::Worker;
use crate::config::KeySource;

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// An answer that is kept, or that others wait for.
#[derive(Debug)]
pub struct Stored {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Stored {
    /// Bytes that it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64);
        self.body.len() + headers.sum::<usize>()
    }
}

/// Answers by what they ask for. The failure that followers share is an answer, too.
pub type AnswerCache = Cache<Arc<Stored>, Arc<Stored>>;

/// Headers of a request that may decide its answer.
const DECIDING: [HeaderName; 3] = [ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE];

/// The key of a request; none if its answer is for nobody else.
fn key(cache: &RouteCache, asked: &Asked, body: &RequestBody) -> Option<CacheKey> {
    let parts = &asked.head.parts;
    let headers = &parts.headers;
    let is_private = headers.contains_key(AUTHORIZATION)
        || headers.contains_key(RANGE)
        || says(headers, &["no-store", "no-cache"]);
    if is_private || !cache.methods.contains(&parts.method) {
        return None;
    }
    let body = body.kept()?;
    let organisation = headers.get(KeySource::ORG_HEADER).map_or(&[][..], HeaderValue::as_bytes);
    let host = parts.uri.authority().map(|host| host.as_str().as_bytes());
    let host =
        host.or_else(|| headers.get(http::header::HOST).map(HeaderValue::as_bytes)).unwrap_or_default();
    let deciding = DECIDING.map(|name| headers.get(name).map_or(&[][..], HeaderValue::as_bytes));
    let route = asked.route.to_le_bytes();
    let what: [&[u8]; 8] = [
        &route,
        parts.method.as_str().as_bytes(),
        host,
        asked.head.target.as_bytes(),
        body,
        deciding[0],
        deciding[1],
        deciding[2],
    ];
    Some(CacheKey::new(&String::from_utf8_lossy(organisation), &what))
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
fn is_for_all(status: StatusCode, headers: &HeaderMap) -> bool {
    let varies = headers.get_all(VARY).iter().any(|value| {
        value.to_str().map_or(true, |value| {
            value.split(',').any(|name| {
                let name = name.trim();
                !DECIDING.iter().any(|known| name.eq_ignore_ascii_case(known.as_str()))
            })
        })
    });
    status == StatusCode::OK
        && !varies
        && !headers.contains_key(SET_COOKIE)
        && !says(headers, &["no-store", "private", "no-cache"])
}

/// Answers from the cache, or asks the upstream and keeps what it says.
pub async fn serve(
    worker: &Rc<Worker>,
    asked: Asked,
    body: RequestBody,
    ticket: Ticket,
) -> Response<ResponseBody> {
    let cache = worker.plan.routes[asked.route].cache.as_ref();
    let Some((cache, key)) = cache.and_then(|cache| Some((cache, key(cache, &asked, &body)?))) else {
        return direct(worker, &asked, body, ticket).await;
    };
    match worker.plan.cache.lookup(&key, asked.started) {
        Lookup::Hit { value, age } => from_cache(ticket, &value, "HIT", age.as_secs()),
        Lookup::Stale { value, age, refresh } => {
            if let Some(leader) = refresh {
                refresh_later(worker, asked, &body, leader);
            }
            from_cache(ticket, &value, "STALE", age.as_secs())
        }
        Lookup::Miss => match worker.plan.cache.begin_load(&key, &cache.policy, asked.started) {
            Load::Lead(leader) => lead(worker, &asked, body, &key, leader, ticket).await,
            Load::Found { value, age } => from_cache(ticket, &value, "HIT", age.as_secs()),
            Load::Follow(follower) => match follower.wait().await {
                Followed::Loaded(value) => from_cache(ticket, &value, "COALESCED", 0),
                Followed::Failed(failed) => stale_or(worker, &key, &failed, ticket),
                Followed::Declined => direct(worker, &asked, body, ticket).await,
                Followed::Lead(leader) => lead(worker, &asked, body, &key, leader, ticket).await,
            },
        },
    }
}

fn from_cache(mut ticket: Ticket, stored: &Stored, how: &'static str, age_s: u64) -> Response<ResponseBody> {
    ticket.answered(stored.status.as_u16());
    ticket.end(Ending::Complete);
    response(stored, how, age_s)
}

fn response(stored: &Stored, how: &'static str, age_s: u64) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(stored.body.clone()));
    *response.status_mut() = stored.status;
    let headers = response.headers_mut();
    headers.reserve(stored.headers.len() + 8);
    headers.clone_from(&stored.headers);
    headers.insert(X_CACHE, HeaderValue::from_static(how));
    if how != "MISS" {
        headers.insert(AGE, HeaderValue::from(age_s));
    }
    response
}

/// After the leader's request failed: something old, or the failure.
fn stale_or(worker: &Worker, key: &CacheKey, failed: &Stored, ticket: Ticket) -> Response<ResponseBody> {
    match worker.plan.cache.stale_if_error(key, worker.now()) {
        Some((value, age)) => {
            ticket.fell_back();
            from_cache(ticket, &value, "STALE", age.as_secs())
        }
        None => from_cache(ticket, failed, "COALESCED", 0),
    }
}

async fn lead(
    worker: &Rc<Worker>,
    asked: &Asked,
    body: RequestBody,
    key: &CacheKey,
    leader: Leader<Arc<Stored>, Arc<Stored>>,
    ticket: Ticket,
) -> Response<ResponseBody> {
    let requested = worker.now();
    let route = asked.route;
    let answer = direct(worker, asked, body, ticket).await;
    match settle(worker, answer, leader, requested).await {
        Settled::Kept(stored) => response(&stored, "MISS", 0),
        Settled::Failed(stored) => match worker.plan.cache.stale_if_error(key, worker.now()) {
            Some((value, age)) => {
                worker.shard.routes[route].fallbacks.add();
                response(&value, "STALE", age.as_secs())
            }
            None => response(&stored, "MISS", 0),
        },
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
    leader: Leader<Arc<Stored>, Arc<Stored>>,
    requested: Timestamp,
) -> Settled {
    let status = answer.status();
    let failed = status.is_server_error();
    if !failed && !is_for_all(status, answer.headers()) {
        leader.decline();
        return Settled::Passed(Box::new(answer));
    }
    let most = worker.plan.max_cached_bytes;
    let announced =
        answer.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > most) {
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
                let stored = Arc::new(Stored::broken());
                leader.fail(Arc::clone(&stored), worker.now());
                return Settled::Failed(stored);
            }
        }
        if collected.len() > most {
            leader.decline();
            return Settled::Passed(Box::new(Response::from_parts(head, body.after(collected.freeze()))));
        }
    }
    let stored = Arc::new(Stored { status, headers: head.headers, body: collected.freeze() });
    if failed {
        leader.fail(Arc::clone(&stored), worker.now());
        Settled::Failed(stored)
    } else {
        leader.insert(Arc::clone(&stored), requested);
        Settled::Kept(stored)
    }
}

impl Stored {
    /// An answer that broke off before anything of it was passed on.
    fn broken() -> Self {
        let (head, body) = super::answer::bad_gateway().into_parts();
        let ResponseBody::Full(body) = body else { return Self::empty(head.status) };
        Self { status: head.status, headers: head.headers, body: body.unwrap_or_default() }
    }

    fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }
}

/// Loads an answer anew while an old one is served.
fn refresh_later(
    worker: &Rc<Worker>,
    asked: Asked,
    body: &RequestBody,
    leader: Leader<Arc<Stored>, Arc<Stored>>,
) {
    let Some(body) = body.again() else { return leader.decline() };
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        let started = worker.now();
        let ticket = Ticket::behind_the_scenes(Rc::clone(&worker), asked.route, started);
        let answer = direct(&worker, &Asked { started, ..asked }, body, ticket).await;
        // Nobody waits for it.
        let _ = settle(&worker, answer, leader, started).await;
    });
}
