//! Copies of requests, whose answers nobody gets: to the candidate, and to legacy once more, to tell what differs by
//! itself.
//!
//! A request is drawn when it goes to legacy, and copied when legacy's answer begins: what legacy does not answer is
//! not worth a copy, and nothing waits for one. From there on the copies are a task of their own. It holds a place
//! among a bounded number, connections that no client's request could have used, and as much of each answer as is
//! looked at. It opens no account: copies count for no route, no side, no limit, no queue and no breaker; where a
//! breaker is not closed none is sent. The client's answer is read along as it goes out. Reading and comparing is
//! done on another thread.
//!
//! A copy is what the client sent, with the same host and number, and `X-Rad-Shadow: candidate` or `legacy`. Envoy
//! marks the host (`NAME-shadow`) instead, which upstreams that serve several hosts would not find.

mod send;
mod tee;

use std::rc::Rc;

use http::{HeaderValue, Response};
use rad_model::{BreakerMode, BreakerState};

use super::body::{RequestBody, ResponseBody};
use super::choice::is_pinned;
use super::connection::{RequestHead, is_condition};
use super::worker::Worker;
use crate::rollout::Side;
use crate::rollout::shadow::{Answer, Comparison, Place, Raw, Shadow, ShadowSettings, Skipped, has_body};
use crate::telemetry::unix_ms;
use send::Duplicate;
pub use tee::Tee;
use tee::Whole;

/// A request that is to be copied.
#[derive(Debug)]
pub struct Drawn {
    rollout: usize,
    body: RequestBody,
}

/// Whether a request that goes to a rollout's legacy is one to copy.
#[inline]
pub fn draw(worker: &Worker, rollout: usize, head: &RequestHead, body: &RequestBody) -> Option<Box<Drawn>> {
    let shadow = &worker.plan.shadows[rollout];
    // What nearly all requests come to.
    if shadow.is_off() { None } else { draw_one(shadow, rollout, head, body) }
}

#[cold]
fn draw_one(shadow: &Shadow, rollout: usize, head: &RequestHead, body: &RequestBody) -> Option<Box<Drawn>> {
    let method = &head.parts.method;
    let takes_body = has_body(method);
    // "Only if it is another one than I have" is another question for a candidate, whose marks are its own.
    let is_conditional = !head.is_unconditional && head.parts.headers.keys().any(is_condition);
    let is_bare = body.kept().is_some_and(<[u8]>::is_empty);
    if !shadow.settings.methods.contains(method)
        || is_conditional
        // Who wants nothing of the candidate is not to be copied to it either.
        || is_pinned(&head.parts.headers)
        || !(is_bare || takes_body)
        || !shadow.draws(fastrand::u16(..10_000))
    {
        return None;
    }
    let Some(body) = body.again() else {
        shadow.skip(Skipped::Body);
        return None;
    };
    Some(Box::new(Drawn { rollout, body }))
}

impl Drawn {
    /// Copies the request, now that legacy's answer begins, and lets the copies' task read that along.
    pub fn copy(self, worker: &Rc<Worker>, head: &RequestHead, response: &mut Response<ResponseBody>) {
        let Self { rollout: at, body } = self;
        let (rollout, shadow) = (&worker.plan.rollouts[at], &worker.plan.shadows[at]);
        // Time has passed since it was drawn.
        if shadow.is_off() {
            return;
        }
        if !matches!(response.body(), ResponseBody::Upstream(_)) {
            shadow.skip(Skipped::NoAnswer);
            return;
        }
        if shadow.is_withdrawn(rollout.rolled_back_ms()) {
            shadow.skip(Skipped::RolledBack);
            return;
        }
        let targets = target(worker, rollout.upstream(Side::Candidate))
            .zip(target(worker, rollout.upstream(Side::Legacy)));
        let Some((candidate, legacy)) = targets else {
            shadow.skip(Skipped::Breaker);
            return;
        };
        let Ok(place) = shadow.enter(worker.now()) else { return };
        let copy = |side, (upstream, target)| {
            let shadow = Some(HeaderValue::from_static(match side {
                Side::Legacy => "legacy",
                Side::Candidate => "candidate",
            }));
            let body = body.again()?;
            Some(Duplicate { upstream, target, head: RequestHead { shadow, ..head.clone() }, body })
        };
        let copies = copy(Side::Candidate, (rollout.upstream(Side::Candidate), candidate))
            .zip(copy(Side::Legacy, (rollout.upstream(Side::Legacy), legacy)));
        let Some((candidate, legacy)) = copies else { return };
        let (tee, whole) = Tee::new(shadow.settings.max_body);
        let client = Client { status: response.status(), headers: response.headers().clone(), whole };
        if let ResponseBody::Upstream(answer) = response.body_mut() {
            answer.read_along(Box::new(tee));
        }
        tokio::task::spawn_local(run(Rc::clone(worker), place, client, candidate, legacy));
    }
}

/// What the client is answered.
struct Client {
    status: http::StatusCode,
    headers: http::HeaderMap,
    whole: Whole,
}

/// Sends the copies, waits for all three answers, and compares them.
async fn run(worker: Rc<Worker>, place: Place, client: Client, candidate: Duplicate, legacy: Duplicate) {
    let settings = &place.shadow().settings;
    let Client { status, headers, whole } = client;
    let body = async { tokio::time::timeout(settings.timeout, whole).await.ok().flatten().ok_or(()) };
    let sent = async { Ok(tokio::join!(candidate.send(&worker, settings), legacy.send(&worker, settings))) };
    // Without the one there is nothing to compare the others with: they are broken off.
    let Ok((body, (candidate, legacy))) = tokio::try_join!(body, sent) else {
        place.shadow().skip(Skipped::Unfinished);
        return;
    };
    let client = Raw { status, headers, body };
    // Reading a document takes longer than other requests of this worker should wait.
    let compared = tokio::task::spawn_blocking(move || {
        let compare = |settings: &ShadowSettings| compare(settings, client, candidate, legacy);
        place.shadow().add(compare, unix_ms());
    });
    let _ = compared.await;
}

fn compare(
    settings: &ShadowSettings,
    client: Raw,
    candidate: Option<(Raw, u64)>,
    legacy: Option<(Raw, u64)>,
) -> Comparison {
    let took_us = candidate.as_ref().zip(legacy.as_ref()).map(|(candidate, legacy)| [legacy.1, candidate.1]);
    let read = |raw| Answer::read(raw, &settings.rules, settings.max_body);
    let (candidate, legacy) = (candidate.map(|(raw, _)| read(raw)), legacy.map(|(raw, _)| read(raw)));
    Comparison::new(&read(client), candidate.as_ref(), legacy.as_ref(), took_us, &settings.rules)
}

/// A target of an upstream that copies may go to: one whose breaker lets everybody through. Not the next in rotation,
/// which is for clients' requests.
fn target(worker: &Worker, upstream: usize) -> Option<usize> {
    let now = worker.now();
    let free = |target: &usize| {
        let status = worker.plan.targets[*target].breaker.status(now);
        match status.mode {
            BreakerMode::ForcedOpen => false,
            BreakerMode::Disabled | BreakerMode::MetricsOnly => true,
            BreakerMode::Automatic => status.state == BreakerState::Closed,
        }
    };
    let targets = worker.plan.upstreams.get(upstream)?.targets.clone();
    let first = targets.start + fastrand::usize(..targets.len().max(1));
    (first..targets.end).chain(targets.start..first).find(free)
}
