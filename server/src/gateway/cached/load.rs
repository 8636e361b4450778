//! The load of an answer that is to be kept: a task of the worker, so that it goes on when its asker leaves.
//!
//! The asker gets the answer as it comes; those who ask the same wait for the whole, so that one that breaks off
//! is a failure for them, and not half an answer. A load takes no longer than the upstream's timeout to the head
//! and as long again for the rest: after that, as without room to collect it, the answer is passed on to its
//! asker alone.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Response, StatusCode};
use http_body::Body;
use rad_resilience::Timestamp;
use rad_resilience::bulkhead::Place;
use rad_resilience::cache::{CacheKey, Freshness};
use tokio::sync::oneshot;

use super::arriving::{Collector, Filled};
use super::rules::{self, Verdict};
use super::stored::mark;
use super::{Failed, Lead, Stored};
use crate::gateway::body::{RequestBody, ResponseBody};
use crate::gateway::pipeline::{Asked, enter, fall_back, primary, shed};
use crate::gateway::ticket::{Asker, Ending, Presence, Ticket};
use crate::gateway::worker::Worker;

/// After an answer that is not for others, equal requests do not wait for one another for so long.
const PASS_FOR: Duration = Duration::from_secs(10);
/// The most of a failure's body that is told to those who wait, bytes.
const MAX_FAILURE: usize = 64 << 10;

/// A load under way.
pub struct Load {
    pub worker: Rc<Worker>,
    pub asked: Box<Asked>,
    pub key: CacheKey,
    pub freshness: Freshness,
    pub leader: Lead,
    /// Who waits for the answer itself; none for one that is loaded anew behind the scenes.
    pub reply: Option<oneshot::Sender<Response<ResponseBody>>>,
}

/// The answer of a load that begins here.
pub async fn ask(mut load: Load, body: RequestBody, mut ticket: Ticket) -> Response<ResponseBody> {
    let (reply, answer) = oneshot::channel();
    load.reply = Some(reply);
    let asker = Rc::new(Asker::default());
    ticket.asked_by(Rc::clone(&asker));
    let presence = Presence::of(&asker);
    tokio::task::spawn_local(async move {
        match enter(&load.worker, &load.asked).await {
            Ok(place) => load.run(&asker, body, place, ticket).await,
            Err(rejection) => {
                let response = shed(&rejection, ticket);
                load.fail(Failed::Shed(rejection));
                match load.stale() {
                    Some(stale) => load.reply(stale),
                    None => load.reply(response),
                }
            }
        }
    });
    // A load without an end is one that fell with its worker.
    let mut response = answer.await.unwrap_or_else(|_| crate::gateway::answer::bad_gateway());
    match response.body_mut() {
        ResponseBody::Arriving(body) => body.read_by(presence),
        // Its account is closed, or closes with its body.
        ResponseBody::Full(_) | ResponseBody::Upstream(_) => presence.dismiss(),
    }
    response
}

impl Load {
    /// Asks the upstream, keeps the answer if it is one to keep, and tells everybody who waits for it.
    pub async fn run(
        mut self,
        asker: &Asker,
        body: RequestBody,
        place: Option<Rc<Place>>,
        mut ticket: Ticket,
    ) {
        ticket.holds(place.clone());
        self.asked.head.is_unconditional = true;
        let requested = self.worker.now();
        let route = &self.worker.plan.routes[self.asked.route];
        let again = route.fallback.as_ref().and_then(|_| body.again());
        let answer = primary(&self.worker, &self.asked, body, requested, ticket).await;
        match rules::judge(&answer, self.freshness, self.worker.plan.max_cached_bytes) {
            Verdict::Keep(freshness) => {
                if let Some(broken) = self.keep(answer, requested, freshness).await {
                    broken.failed(asker, neutral(), again, place).await;
                }
            }
            Verdict::Failed => self.failed(asker, answer, again, place).await,
            Verdict::Pass => {
                self.decline(PASS_FOR);
                self.reply_missed(answer);
            }
        }
    }

    /// Collects an answer and keeps it. Gives itself back if the answer broke off before anybody saw any of it.
    async fn keep(
        mut self,
        answer: Response<ResponseBody>,
        requested: Timestamp,
        freshness: Freshness,
    ) -> Option<Self> {
        let plan = &self.worker.plan;
        let length = answer.body().size_hint().exact();
        let Some(collector) = Collector::new(&plan.collecting, length, plan.max_cached_bytes) else {
            self.decline(Duration::ZERO);
            self.reply(answer);
            return None;
        };
        let (head, mut body) = answer.into_parts();
        let patience = plan.upstreams[self.asked.upstream].timeout;
        let filled = {
            let mut filling = pin!(tokio::time::timeout(patience, collector.fill(&mut body)));
            // An answer that is all here goes out in one piece.
            let at_once = poll_fn(|cx| {
                Poll::Ready(match filling.as_mut().poll(cx) {
                    Poll::Ready(filled) => Some(filled),
                    Poll::Pending => None,
                })
            });
            match at_once.await {
                Some(filled) => filled,
                None => {
                    self.reply_arriving(&head, &collector);
                    filling.await
                }
            }
        };
        match filled {
            Ok(Filled::Whole) => {
                let stored = Arc::new(Stored::new(head.status, &head.headers, collector.whole()));
                if self.reply.is_some() {
                    self.reply(stored.response("MISS", 0));
                }
                self.leader.take()?.insert_for(stored, requested, freshness);
            }
            Ok(Filled::Broken(error)) => {
                collector.broken(error);
                if self.reply.is_some() {
                    return Some(self);
                }
                // Its asker has seen the half of it.
                self.fail(Failed::broken(Ending::Broken));
            }
            Ok(Filled::TooLarge | Filled::NoRoom) | Err(_) => {
                let is_for_now = matches!(filled, Ok(Filled::NoRoom));
                self.decline(if is_for_now { Duration::ZERO } else { PASS_FOR });
                self.reply_arriving(&head, &collector);
                collector.leave(body);
            }
        }
        None
    }

    /// Tells everybody that the upstream failed, and the asker what stands in for its answer, if anything does.
    async fn failed(
        mut self,
        asker: &Asker,
        mut answer: Response<ResponseBody>,
        again: Option<RequestBody>,
        place: Option<Rc<Place>>,
    ) {
        let status = answer.status();
        let ending = asker.ending().unwrap_or(Ending::Complete);
        let route = &self.worker.plan.routes[self.asked.route];
        let has_fallback = route.fallback.is_some();
        let stale = self.stale();
        if stale.is_some() || (has_fallback && status.is_server_error() && self.reply.is_some()) {
            // Those who wait need not wait for what is not used.
            self.fail(Failed::Answered { answer: Stored::neutral(status), ending });
            let instead = match stale {
                Some(stale) => Some(stale),
                None => self.fall_back(again, place).await,
            };
            match instead {
                Some(instead) => {
                    answer.into_body().let_go();
                    self.reply(instead);
                }
                None => self.reply_missed(answer),
            }
            return;
        }
        // What a failure says may be for its asker alone.
        let told =
            if rules::is_for_all(answer.headers()) { self.collect_failure(&mut answer).await } else { None };
        let told = told.unwrap_or_else(|| Stored::neutral(status));
        self.fail(Failed::Answered { answer: told, ending });
        self.reply_missed(answer);
    }

    /// A copy of a failure, unless it is a long one.
    async fn collect_failure(&self, answer: &mut Response<ResponseBody>) -> Option<Stored> {
        let plan = &self.worker.plan;
        let most = MAX_FAILURE.min(plan.max_cached_bytes);
        let length = answer.body().size_hint().exact();
        let collector = Collector::new(&plan.collecting, length, most)?;
        let patience = plan.upstreams[self.asked.upstream].timeout;
        let filled = tokio::time::timeout(patience, collector.fill(answer.body_mut())).await;
        let is_whole = matches!(filled, Ok(Filled::Whole));
        let body = collector.whole();
        if is_whole {
            *answer.body_mut() = ResponseBody::full(body.clone());
            let problem = answer.extensions().get().cloned();
            Some(Stored::new(answer.status(), answer.headers(), body).with_problem(problem))
        } else {
            answer.body_mut().put_back(body);
            None
        }
    }

    /// Asks what stands in for the upstream, for as long as somebody waits.
    async fn fall_back(
        &mut self,
        again: Option<RequestBody>,
        place: Option<Rc<Place>>,
    ) -> Option<Response<ResponseBody>> {
        let reply = self.reply.as_mut()?;
        tokio::select! {
            biased;
            instead = fall_back(&self.worker, &self.asked, again, place) => instead,
            () = reply.closed() => None,
        }
    }

    /// Something old, in place of an answer that somebody waits for.
    fn stale(&self) -> Option<Response<ResponseBody>> {
        self.reply.as_ref()?;
        let (value, age) = self.worker.plan.cache.stale_if_error(&self.key, self.worker.now())?;
        self.worker.shard.routes[self.asked.route].fallbacks.add();
        Some(value.response("STALE", age.as_secs()))
    }

    fn decline(&mut self, pass_for: Duration) {
        if let Some(leader) = self.leader.take() {
            leader.decline(pass_for, self.worker.now());
        }
    }

    fn fail(&mut self, failed: Failed) {
        if let Some(leader) = self.leader.take() {
            leader.fail(Arc::new(failed), self.worker.now());
        }
    }

    fn reply(&mut self, response: Response<ResponseBody>) {
        if let Some(reply) = self.reply.take() {
            // Who has left has closed its account.
            let _ = reply.send(response);
        }
    }

    fn reply_missed(&mut self, mut response: Response<ResponseBody>) {
        mark(response.headers_mut(), "MISS", 0);
        self.reply(response);
    }

    /// Lets the asker read along.
    fn reply_arriving(&mut self, head: &http::response::Parts, collector: &Collector) {
        if self.reply.is_some() {
            let body = ResponseBody::Arriving(collector.reader());
            self.reply_missed(Response::from_parts(head.clone(), body));
        }
    }
}

/// The answer to one that broke off.
fn neutral() -> Response<ResponseBody> {
    Stored::neutral(StatusCode::BAD_GATEWAY).response("MISS", 0)
}
