//! The load of an answer that is to be kept: a task of the worker, so that it goes on when its asker leaves.
//!
//! The asker gets the answer as it comes; those who ask the same wait for the whole, so that one that breaks off
//! is a failure for them, and not half an answer. They wait no longer than the upstream's timeout for it: an answer
//! that is not whole by then is passed on to its asker alone, as it is without room to collect it. If it had stopped
//! to come, that is a failure for the others; else they ask for themselves, in the time that they have left.

mod failed;

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
use rad_resilience::cache::{CacheKey, Freshness, Leader};
use tokio::sync::oneshot;

use super::arriving::{Collector, Filled};
use super::rules::{self, Verdict};
use super::stored::mark;
use super::{Failed, Lead, Stored};
use crate::gateway::body::{BodyError, RequestBody, ResponseBody};
use crate::gateway::fallback::shed;
use crate::gateway::pipeline::{Asked, enter, primary};
use crate::gateway::ticket::{Asker, Presence, Ticket};
use crate::gateway::worker::Worker;
use failed::neutral;

/// After an answer that is not for others, equal requests do not wait for one another for so long.
const PASS_FOR: Duration = Duration::from_secs(10);
/// A load under way.
pub struct Load {
    pub worker: Rc<Worker>,
    pub asked: Box<Asked>,
    pub key: CacheKey,
    pub freshness: Freshness,
    pub leader: Lead,
    /// Who waits for the answer itself; none for one that is loaded anew behind the scenes.
    pub reply: Option<oneshot::Sender<Response<ResponseBody>>>,
    /// When what is being asked for has to be whole.
    pub until: Timestamp,
}

/// What collecting an answer came to for those who wait for it.
enum Collected {
    Whole(Stored),
    /// It broke off, or stopped to come: what is told instead.
    Broken(StatusCode),
    /// It is for its asker alone; and so are others like it, for so long.
    Passed(Duration),
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
                let stale = load.stale();
                let response = match stale {
                    Some(stale) => {
                        ticket.sheds();
                        stale
                    }
                    None => shed(&load.worker, &load.asked, &rejection, ticket),
                };
                load.fail(Failed::Shed(rejection));
                load.reply(response);
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
        let timeout = self.worker.plan.upstreams[self.asked.upstream].timeout;
        self.until = requested.after(timeout);
        let answer = primary(&self.worker, &self.asked, body, (requested, timeout), ticket).await;
        let at_s = self.worker.unix_s(self.worker.now());
        match rules::judge(&answer, self.freshness, self.worker.plan.max_cached_bytes, at_s) {
            Verdict::Keep(freshness) => {
                if let Some((broken, status)) = self.keep(answer, requested, freshness).await {
                    broken.failed(asker, neutral(status), again, place).await;
                }
            }
            Verdict::Failed => self.failed(asker, answer, again, place).await,
            Verdict::Pass => {
                self.decline(PASS_FOR);
                self.reply_missed(answer);
            }
        }
    }

    /// Collects an answer and keeps it. Gives itself back, with the status that says so, if the answer broke off or
    /// stopped to come: its asker may have seen the half of it, the others are still to be told.
    async fn keep(
        mut self,
        answer: Response<ResponseBody>,
        requested: Timestamp,
        freshness: Freshness,
    ) -> Option<(Self, StatusCode)> {
        match self.collect(answer).await {
            Collected::Whole(stored) => {
                self.leader.take()?.insert_for(Arc::new(stored), requested, freshness)
            }
            Collected::Broken(status) => return Some((self, status)),
            Collected::Passed(pass_for) => self.decline(pass_for),
        }
        None
    }

    /// Collects an answer, and gives it to the asker as it comes; all at once, if it is all here.
    async fn collect(&mut self, answer: Response<ResponseBody>) -> Collected {
        let plan = &self.worker.plan;
        let length = answer.body().size_hint().exact();
        let Some(collector) = Collector::new(&plan.collecting, length, plan.max_cached_bytes) else {
            self.reply(answer);
            return Collected::Passed(Duration::ZERO);
        };
        let (head, mut body) = answer.into_parts();
        let window = self.until.since(self.worker.now());
        let filled = {
            let mut filling = pin!(tokio::time::timeout(window, collector.fill(&mut body)));
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
                let stored = Stored::new(head.status, &head.headers, collector.whole());
                if self.reply.is_some() {
                    self.reply(stored.response("MISS", 0));
                }
                Collected::Whole(stored)
            }
            Ok(Filled::Broken(error)) => {
                collector.broken(error);
                Collected::Broken(match error {
                    BodyError::Stalled => StatusCode::GATEWAY_TIMEOUT,
                    BodyError::Broken | BodyError::Upload => StatusCode::BAD_GATEWAY,
                })
            }
            Ok(Filled::TooLarge | Filled::NoRoom) | Err(_) => {
                // It comes slowly, or no more: what has not moved for half of its time, has stopped.
                let has_stopped = filled.is_err() && collector.idle_for() >= window / 2;
                self.reply_arriving(&head, &collector);
                collector.leave(body);
                match filled {
                    _ if has_stopped => Collected::Broken(StatusCode::GATEWAY_TIMEOUT),
                    Ok(Filled::NoRoom) => Collected::Passed(Duration::ZERO),
                    _ => Collected::Passed(PASS_FOR),
                }
            }
        }
    }

    fn is_followed(&self) -> bool {
        self.leader.as_ref().is_some_and(Leader::is_followed)
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
