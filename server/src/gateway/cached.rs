//! The step that answers from the cache: one request to the upstream for many equal ones.

mod arriving;
mod key;
mod load;
mod room;
mod rules;
mod stored;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Response, StatusCode};
use rad_resilience::bulkhead::BulkheadRejection;
use rad_resilience::cache::{self, CacheKey, Followed, Follower, Leader, Lookup};
use rad_resilience::{Cache, Priority, Timestamp};

use super::answer;
use super::body::{RequestBody, ResponseBody};
use super::fallback::{fall_back, fixed};
use super::limit::ceil_s;
use super::pipeline::{Asked, direct};
use super::plan::{Fallback, RouteCache};
use super::ticket::{Asker, Ending, Ticket};
use super::worker::Worker;
pub use arriving::Arriving;
pub use key::Wanted;
use load::Load;
pub use room::Room;
pub use stored::Stored;

/// Answers by what they ask for.
pub type AnswerCache = Cache<Arc<Stored>, Arc<Failed>>;
/// The lead of a load; gone once everybody has been told of its end.
type Lead = Option<Leader<Arc<Stored>, Arc<Failed>>>;

/// What those hear who waited for somebody else's load in vain.
#[derive(Debug)]
pub enum Failed {
    /// It found no place.
    Shed(BulkheadRejection),
    /// The upstream failed, or was not reached, and nothing stands in for it.
    Answered { answer: Stored, ending: Ending },
    /// The upstream failed, and this stood in for its answer.
    StoodIn(Stored),
    /// The upstream failed with this status, and what stands in for its answer is for each asker alone.
    Apart { status: StatusCode, ending: Ending },
}

impl Failed {
    fn broken(ending: Ending) -> Self {
        Self::Answered { answer: Stored::neutral(StatusCode::BAD_GATEWAY), ending }
    }

    /// It as an answer to one who waited, and how that one's account is closed.
    fn response(&self) -> (Response<ResponseBody>, Ending) {
        match self {
            Self::Shed(rejection) => (answer::shed(ceil_s(rejection.retry_after).max(1)), Ending::Shed),
            Self::Answered { answer, ending } => (answer.response("COALESCED", 0), *ending),
            Self::StoodIn(answer) => (answer.response("COALESCED", 0), Ending::Complete),
            Self::Apart { status, ending } => (Stored::neutral(*status).response("COALESCED", 0), *ending),
        }
    }
}

/// By so much a load may end later than its time says.
const LOAD_ENDS_WITHIN: Duration = Duration::from_millis(250);

/// What the cache has for a request.
#[derive(Debug)]
pub enum Look {
    /// Its body, which is a part of the key, is not here yet.
    NotYet,
    /// It asks for something of its own, or its route keeps nothing.
    Apart,
    At(CacheKey, Lookup<Arc<Stored>, Arc<Failed>>),
}

/// Looks for an answer, without waiting for anything.
pub fn look(worker: &Worker, wanted: &Wanted<'_>, body: &RequestBody, now: Timestamp) -> Look {
    let Some(cache) = &worker.plan.routes[wanted.route].cache else { return Look::Apart };
    let Some(body) = body.kept() else { return Look::NotYet };
    match key::key(cache, wanted, body) {
        Some(key) => Look::At(key, worker.plan.cache.lookup(&key, now)),
        None => Look::Apart,
    }
}

/// Answers by what was found, or asks the upstream and keeps what it says.
pub async fn serve(
    worker: &Rc<Worker>,
    cache: &RouteCache,
    asked: Box<Asked>,
    body: RequestBody,
    ticket: Ticket,
    (key, found): (CacheKey, Lookup<Arc<Stored>, Arc<Failed>>),
) -> Response<ResponseBody> {
    match found {
        Lookup::Hit { value, age } => hit(&asked.head.parts.headers, ticket, &value, age),
        Lookup::Stale { value, age, refresh } => {
            let response = from_cache(&asked.head.parts.headers, ticket, &value, "STALE", age);
            if let Some(leader) = refresh {
                refresh_later(load(worker, cache, asked, &key, leader), &body);
            }
            response
        }
        Lookup::Miss => match worker.plan.cache.begin_load(&key, &cache.policy, worker.now()) {
            cache::Load::Lead(leader) => {
                ticket.loads();
                load::ask(load(worker, cache, asked, &key, leader), body, ticket).await
            }
            cache::Load::Found { value, age } => hit(&asked.head.parts.headers, ticket, &value, age),
            cache::Load::Pass => {
                ticket.loads();
                direct(worker, &asked, body, ticket, None).await
            }
            cache::Load::Follow(follower) => follow(worker, cache, asked, body, ticket, &key, follower).await,
        },
    }
}

fn load(
    worker: &Rc<Worker>,
    cache: &RouteCache,
    asked: Box<Asked>,
    key: &CacheKey,
    leader: Leader<Arc<Stored>, Arc<Failed>>,
) -> Load {
    let freshness = cache.policy.freshness();
    let until = worker.now();
    Load { worker: Rc::clone(worker), asked, key: *key, freshness, leader: Some(leader), reply: None, until }
}

/// Waits for somebody else's load, as long as a request of its own might take to be answered: in the queue, by the
/// upstream, and by what stands in for it. What it has waited is gone from its time if it has to ask for itself.
async fn follow(
    worker: &Rc<Worker>,
    cache: &RouteCache,
    asked: Box<Asked>,
    body: RequestBody,
    mut ticket: Ticket,
    key: &CacheKey,
    follower: Follower<Arc<Stored>, Arc<Failed>>,
) -> Response<ResponseBody> {
    let route = &worker.plan.routes[asked.route];
    let queue = route.queue.as_ref();
    let in_queue = queue.map_or(Duration::ZERO, |queue| queue.bulkhead.settings().max_wait);
    let of_upstream = in_queue + worker.plan.upstreams[asked.upstream].timeout;
    let of_stand_in = match route.fallback {
        Some(Fallback::Upstream(other)) => worker.plan.upstreams[other].timeout,
        Some(Fallback::Answer { .. }) | None => Duration::ZERO,
    };
    let until = worker.now().after(of_upstream);
    // Loads end a moment before those who have waited for them from the beginning give up.
    let patience = of_upstream + of_stand_in + LOAD_ENDS_WITHIN;
    match tokio::time::timeout(patience, follower.wait()).await {
        Ok(Followed::Loaded(value)) => {
            from_cache(&asked.head.parts.headers, ticket, &value, "COALESCED", Duration::ZERO)
        }
        // A place was refused to somebody less urgent.
        Ok(Followed::Failed(failed))
            if matches!(*failed, Failed::Shed(_))
                && queue.is_some_and(|queue| {
                    queue.priority(&asked.head.parts.headers).index() > Priority::Normal.index()
                }) =>
        {
            ticket.loads();
            direct(worker, &asked, body, ticket, Some(until)).await
        }
        Ok(Followed::Failed(failed)) => {
            if let Some(instead) = instead(worker, &asked, key, &failed, body.again()).await {
                worker.shard.routes[asked.route].fallbacks.add();
                end(ticket, instead.status());
                return instead;
            }
            let (response, ending) = failed.response();
            ticket.answered(response.status().as_u16());
            ticket.end(ending);
            response
        }
        Ok(Followed::Lead(leader)) => {
            ticket.loads();
            load::ask(load(worker, cache, asked, key, leader), body, ticket).await
        }
        // Without time to ask in, it is answered as if the upstream had used it.
        Ok(Followed::Declined) | Err(_) => {
            ticket.loads();
            direct(worker, &asked, body, ticket, Some(until)).await
        }
    }
}

fn end(mut ticket: Ticket, status: StatusCode) {
    ticket.answered(status.as_u16());
    ticket.end(Ending::Complete);
}

/// An answer that is here, and fresh.
pub fn hit(asked: &HeaderMap, ticket: Ticket, stored: &Stored, age: Duration) -> Response<ResponseBody> {
    from_cache(asked, ticket, stored, "HIT", age)
}

fn from_cache(
    asked: &HeaderMap,
    ticket: Ticket,
    stored: &Stored,
    how: &'static str,
    age: Duration,
) -> Response<ResponseBody> {
    ticket.is_from_cache();
    let response = match stored.not_modified(asked, how, age.as_secs()) {
        Some(not_modified) => not_modified,
        None => stored.response(how, age.as_secs()),
    };
    end(ticket, response.status());
    response
}

/// After somebody else's load failed: something old, or what stands in for the upstream.
async fn instead(
    worker: &Rc<Worker>,
    asked: &Asked,
    key: &CacheKey,
    failed: &Failed,
    body: Option<RequestBody>,
) -> Option<Response<ResponseBody>> {
    if let Some((value, age)) = worker.plan.cache.stale_if_error(key, worker.now()) {
        return Some(value.response("STALE", age.as_secs()));
    }
    match failed {
        // The upstream has not failed, and another one is within the same bound; a fixed answer costs nothing.
        Failed::Shed(_) => fixed(worker, asked),
        // What stands in for it has been asked, if anything does.
        Failed::Answered { .. } => None,
        Failed::StoodIn(answer) => Some(answer.response("COALESCED", 0)),
        Failed::Apart { .. } => fall_back(worker, asked, body, None).await,
    }
}

/// Loads an answer anew while an old one is served; not now, if the route has no place for it.
fn refresh_later(mut load: Load, body: &RequestBody) {
    let queue = load.worker.plan.routes[load.asked.route].queue.as_ref();
    let place = match queue.map(|queue| queue.bulkhead.try_acquire()) {
        None => Some(None),
        Some(None) => None,
        Some(Some(place)) => Some(Some(Rc::new(place))),
    };
    let (Some(place), Some(body)) = (place, body.again()) else {
        let now = load.worker.now();
        if let Some(leader) = load.leader.take() {
            leader.fail(Arc::new(Failed::broken(Ending::Broken)), now);
        }
        return;
    };
    let asker = Rc::new(Asker::default());
    let mut ticket = Ticket::behind_the_scenes(Rc::clone(&load.worker), load.asked.route, load.worker.now());
    ticket.asked_by(Rc::clone(&asker));
    tokio::task::spawn_local(async move { load.run(&asker, body, place, ticket).await });
}
