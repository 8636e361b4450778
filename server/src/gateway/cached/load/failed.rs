//! What becomes of a load whose upstream failed: everybody hears of it, or is given what stands in for the answer,
//! which is asked for once.

use std::pin::pin;
use std::rc::Rc;

use http::{Response, StatusCode};
use http_body::Body;
use rad_resilience::bulkhead::Place;
use rad_resilience::cache::Leader;

use super::super::arriving::{Collector, Filled};
use super::super::stored::mark;
use super::super::{Failed, Stored, rules};
use super::{Collected, Load};
use crate::gateway::body::{RequestBody, ResponseBody};
use crate::gateway::fallback::fall_back;
use crate::gateway::plan::Fallback;
use crate::gateway::ticket::{Asker, Ending};

/// The most of a failure's body that is told to those who wait, bytes.
const MAX_FAILURE: usize = 64 << 10;

/// Nobody waits any more.
struct Unawaited;

impl Load {
    /// Tells everybody that the upstream failed; or what stands in for its answer, if anything does.
    pub(super) async fn failed(
        mut self,
        asker: &Asker,
        answer: Response<ResponseBody>,
        again: Option<RequestBody>,
        place: Option<Rc<Place>>,
    ) {
        let status = answer.status();
        let ending = asker.ending().unwrap_or(Ending::Complete);
        if let Some(stale) = self.stale() {
            // Those who wait find it, too.
            self.fail(Failed::Answered { answer: Stored::neutral(status), ending });
            answer.into_body().let_go();
            self.reply(stale);
            return;
        }
        let mut answer = Some(answer);
        let has_fallback = self.worker.plan.routes[self.asked.route].fallback.is_some();
        if has_fallback && status.is_server_error() {
            match self.fall_back(&mut answer, again, place).await {
                Ok(Some(instead)) => {
                    if let Some(answer) = answer {
                        answer.into_body().let_go();
                    }
                    self.share(instead, (status, ending)).await;
                    return;
                }
                Ok(None) => {}
                Err(Unawaited) => {
                    // Who joins in this very moment asks for itself.
                    self.fail(Failed::Apart { status, ending });
                    return;
                }
            }
        }
        let Some(mut answer) = answer else {
            self.fail(Failed::Answered { answer: Stored::neutral(status), ending });
            return;
        };
        // What a failure says may be for its asker alone.
        let told =
            if rules::is_for_all(answer.headers()) { self.collect_failure(&mut answer).await } else { None };
        let told = told.unwrap_or_else(|| Stored::neutral(status));
        self.fail(Failed::Answered { answer: told, ending });
        self.reply_missed(answer);
    }

    /// Gives what stands in for a failed answer to the asker, and to those who wait: they need not ask for it, too.
    async fn share(mut self, mut instead: Response<ResponseBody>, failed: (StatusCode, Ending)) {
        let (status, ending) = failed;
        if self.reply.as_ref().is_some_and(|reply| !reply.is_closed()) {
            self.worker.shard.routes[self.asked.route].fallbacks.add();
        }
        if !self.is_followed() || !rules::is_shareable(instead.headers()) {
            self.fail(Failed::Apart { status, ending });
            self.reply_missed(instead);
            return;
        }
        mark(instead.headers_mut(), "MISS", 0);
        let told = match self.collect(instead).await {
            Collected::Whole(stored) => Failed::StoodIn(stored),
            Collected::Broken(status) => Failed::Answered { answer: Stored::neutral(status), ending },
            Collected::Passed(_) => Failed::Apart { status, ending },
        };
        self.fail(told);
        self.reply(neutral(status));
    }

    /// A copy of a failure, unless it is a long one.
    async fn collect_failure(&self, answer: &mut Response<ResponseBody>) -> Option<Stored> {
        let plan = &self.worker.plan;
        let most = MAX_FAILURE.min(plan.max_cached_bytes);
        let length = answer.body().size_hint().exact();
        let collector = Collector::new(&plan.collecting, length, most)?;
        let patience = self.until.since(self.worker.now());
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

    /// Asks what stands in for the upstream, for as long as anybody waits. If that is not the asker any more, the
    /// failed answer is dropped, with which its account closes.
    async fn fall_back(
        &mut self,
        answer: &mut Option<Response<ResponseBody>>,
        again: Option<RequestBody>,
        place: Option<Rc<Place>>,
    ) -> Result<Option<Response<ResponseBody>>, Unawaited> {
        if let Some(Fallback::Upstream(other)) = self.worker.plan.routes[self.asked.route].fallback {
            self.until = self.worker.now().after(self.worker.plan.upstreams[other].timeout);
        }
        let Self { worker, asked, leader, reply, .. } = self;
        let mut asking = pin!(fall_back(worker, asked, again, place));
        if let Some(reply) = reply {
            tokio::select! {
                biased;
                instead = &mut asking => return Ok(instead),
                () = reply.closed() => {}
            }
        }
        drop(answer.take());
        if leader.as_ref().is_some_and(Leader::is_followed) { Ok(asking.await) } else { Err(Unawaited) }
    }

    /// Something old, in place of an answer that somebody waits for.
    pub(super) fn stale(&self) -> Option<Response<ResponseBody>> {
        self.reply.as_ref()?;
        let (value, age) = self.worker.plan.cache.stale_if_error(&self.key, self.worker.now())?;
        self.worker.shard.routes[self.asked.route].fallbacks.add();
        Some(value.response("STALE", age.as_secs()))
    }
}

/// The answer to one that broke off.
pub(super) fn neutral(status: StatusCode) -> Response<ResponseBody> {
    Stored::neutral(status).response("MISS", 0)
}
