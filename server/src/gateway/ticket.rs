//! The account of one request that the limits let in: opened when it is, closed exactly once however it
//! ends, even when its future is dropped because the client went away.

mod asker;
mod line;
mod side;

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{HeaderValue, Method};
use rad_resilience::bulkhead::{Place, adaptive::Completion};
use rad_resilience::{Outcome, Permit, Timestamp};

use super::breaker::Admission;
use super::connection::Connection;
use super::worker::Worker;
use crate::rollout::ClientHash;
pub use asker::{Asker, Presence};
pub use side::OnSide;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The answer went out whole; its status tells whether it was a success.
    Complete,
    /// The upstream was not reached, broke off, or took too long.
    Broken,
    /// No breaker let it through.
    ShortCircuited,
    /// The queue before it was full, or took too long.
    Shed,
    /// The client went away first.
    Abandoned,
}

/// What a log line says about a request; not collected when nothing is logged.
#[derive(Debug)]
pub struct Access {
    pub id: HeaderValue,
    pub client: IpAddr,
    pub method: Method,
    pub path: String,
    /// From `traceparent`, if there is a valid one.
    pub trace: Option<Trace>,
}

/// The ids of a W3C trace context.
#[derive(Debug)]
pub struct Trace {
    pub trace_id: String,
    pub span_id: String,
}

/// An open account.
#[derive(Debug)]
pub struct Ticket {
    worker: Rc<Worker>,
    route: usize,
    side: Option<OnSide>,
    /// Who asks, and in which rollout a side was drawn for it.
    drawn: Option<(usize, ClientHash)>,
    target: Option<usize>,
    /// Given back at the end.
    permit: Option<Permit>,
    /// When the target was chosen.
    admitted: Timestamp,
    /// When the head of the answer came. The rest takes as long as the client takes to read it.
    head_at: Option<Timestamp>,
    started: Timestamp,
    status: u16,
    /// Whether a failure says nothing of the target.
    is_excused: bool,
    /// Whether the target has failed already: what the client does from here on changes nothing about that.
    has_failed: bool,
    access: Option<Box<Access>>,
    /// In flight, where that is bounded; shared with what may have to stand in for the answer.
    place: Option<Rc<Place>>,
    /// Whether the place is one for another upstream, that stands in for the route's own.
    is_stand_in: bool,
    asker: Option<Rc<Asker>>,
    /// Whether a client waits for it: what the gateway asks on its own account is no request of a route.
    is_clients: bool,
    is_open: bool,
}

/// Opens accounts of further attempts of a request.
#[derive(Debug)]
pub struct Beside {
    worker: Rc<Worker>,
    pub route: usize,
}

impl Beside {
    pub fn open(&self, started: Timestamp) -> Ticket {
        Ticket::behind_the_scenes(Rc::clone(&self.worker), self.route, started)
    }
}

impl Ticket {
    pub fn open(worker: Rc<Worker>, route: usize, started: Timestamp, access: Option<Box<Access>>) -> Self {
        let in_flight = &worker.shard.in_flight;
        in_flight.store(in_flight.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let (side, target, permit, admitted) = (None, None, None, started);
        Self {
            worker,
            route,
            side,
            drawn: None,
            target,
            permit,
            admitted,
            head_at: None,
            started,
            status: 0,
            is_excused: false,
            has_failed: false,
            access,
            place: None,
            is_stand_in: false,
            asker: None,
            is_clients: true,
            is_open: true,
        }
    }

    /// An account for what no client waits for.
    pub fn behind_the_scenes(worker: Rc<Worker>, route: usize, started: Timestamp) -> Self {
        let mut ticket = Self::open(worker, route, started, None);
        ticket.is_clients = false;
        ticket
    }

    /// Opens accounts of further attempts of this request, for which nobody else waits.
    pub fn beside(&self) -> Beside {
        Beside { worker: Rc::clone(&self.worker), route: self.route }
    }

    /// A further attempt's answer is the one that counts; the attempt before came to this.
    pub fn takes_over(&mut self, mut other: Self, outcome: Outcome) {
        let now = self.worker.now();
        self.leave_target(outcome, now);
        (self.target, self.permit) = (other.target.take(), other.permit.take());
        self.admitted = other.admitted;
        self.head_at = other.head_at;
    }

    /// The cache has its answer.
    pub fn is_from_cache(&self) {
        self.worker.shard.routes[self.route].cached.add();
    }

    /// The cache has no answer: the upstream is asked.
    pub fn loads(&self) {
        self.worker.shard.routes[self.route].loaded.add();
    }

    /// It has a place in flight until it ends; none where nothing is bounded.
    pub fn holds(&mut self, place: Option<Rc<Place>>) {
        self.place = place;
    }

    /// As [`Ticket::holds`], for an upstream that stands in for another one: how it does says nothing of how
    /// much the other bears.
    pub fn stands_in(&mut self, place: Option<Rc<Place>>) {
        self.holds(place);
        self.is_stand_in = true;
    }

    /// The answer is loaded for others, too: it goes on without its asker.
    pub fn asked_by(&mut self, asker: Rc<Asker>) {
        self.asker = Some(asker);
    }

    /// Where it went last.
    pub fn target(&self) -> Option<usize> {
        self.target
    }

    /// The last attempt is over, whatever becomes of the request: its target hears of it.
    pub fn attempted(&mut self, outcome: Outcome) {
        let now = self.worker.now();
        self.leave_target(outcome, now);
    }

    /// Another attempt is made.
    pub fn retry(&self) {
        self.worker.shard.routes[self.route].retries.add();
    }

    /// A breaker let it through to a target; to another one, if the first was not reached.
    pub fn admitted(&mut self, admission: Admission, now: Timestamp) {
        if self.target.is_some() {
            self.leave_target(Outcome::Failure, now);
        }
        self.admitted = now;
        self.head_at = None;
        self.target = Some(admission.target);
        self.permit = Some(admission.permit);
    }

    /// What fails from here on says nothing of the target.
    pub fn excuse_target(&mut self) {
        self.is_excused = true;
    }

    /// The upstream answered. That it failed is told to its breaker here: the client may leave while the rest
    /// of the answer comes, or while something stands in for it.
    pub fn answered(&mut self, status: u16) {
        self.status = status;
        if self.target.is_some() {
            self.head_at = Some(self.worker.now());
        }
        if status >= 500 && self.target.is_some() && !self.is_excused {
            self.has_failed = true;
            let now = self.worker.now();
            self.leave_target(Outcome::Failure, now);
        }
    }

    /// The answer went out whole: closes the account, and returns the connection to the target's pool.
    pub fn complete(mut self, connection: Box<Connection>) {
        let now = self.worker.now();
        if let Some(target) = self.target {
            self.worker.pools[target].give_back(connection, now);
        }
        self.close(Ending::Complete, now);
    }

    /// Closes the account of one that found no place.
    pub fn sheds(mut self) {
        self.answered(503);
        self.end(Ending::Shed);
    }

    /// Closes the account.
    pub fn end(mut self, ending: Ending) {
        let now = self.worker.now();
        self.close(ending, now);
    }

    fn close(&mut self, told: Ending, now: Timestamp) {
        self.is_open = false;
        // What became of the request, as its client saw it; and of the exchange with the upstream.
        let mut ending = told;
        if let Some(asker) = self.asker.take() {
            asker.ending.set(Some(told));
            if asker.has_left.get() {
                ending = Ending::Abandoned;
            }
        }
        let worker = &self.worker;
        let shard = &worker.shard;
        shard.in_flight.store(shard.in_flight.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        let us = micros(now.since(self.started));
        let failed = match ending {
            Ending::Complete => self.status >= 500,
            Ending::Broken => true,
            Ending::ShortCircuited | Ending::Shed | Ending::Abandoned => false,
        };
        let route = &shard.routes[self.route];
        match ending {
            _ if !self.is_clients => {}
            Ending::ShortCircuited => route.short_circuited.add(),
            Ending::Shed => route.shed.add(),
            // Neither a success nor a failure of the upstream.
            Ending::Abandoned => route.abandoned.add(),
            _ if failed => route.failed.add(),
            _ => route.answered.add(),
        }
        if self.is_clients && matches!(ending, Ending::Complete | Ending::Broken) {
            route.durations.record(us);
        }
        self.note_client(ending);
        if self.target.is_some() {
            let has_failed = self.has_failed || told == Ending::Broken;
            if told != Ending::Abandoned || has_failed {
                self.count_side(has_failed || failed, us, now);
            }
            let outcome = match told {
                Ending::Abandoned => Outcome::Ignored,
                _ if self.is_excused => Outcome::Ignored,
                _ if has_failed || failed => Outcome::Failure,
                // A target that says "too many requests" answers, but has not recovered.
                _ if self.status == 429 => Outcome::Ignored,
                _ => Outcome::Success,
            };
            self.leave_target(outcome, now);
        }
        // What came from elsewhere says nothing of how much the upstream bears.
        if self.place.is_some()
            && !self.is_stand_in
            && self.target.is_some()
            && matches!(told, Ending::Complete | Ending::Broken)
            && let Some(queue) = &self.worker.plan.routes[self.route].queue
        {
            let latency = self.head_at.unwrap_or(now).since(self.admitted);
            // What an upstream says that has enough to do already.
            let dropped = told == Ending::Broken || matches!(self.status, 429 | 503);
            queue.bulkhead.observe(Completion { latency, dropped }, now);
        }
        drop(self.place.take());
        if let Some(access) = self.access.take() {
            self.log(&access, ending, failed, us);
        }
    }

    /// Counts for the target, and tells its breaker, how it did.
    fn leave_target(&mut self, outcome: Outcome, now: Timestamp) {
        let (Some(target), Some(permit)) = (self.target, self.permit.take()) else { return };
        let counters = &self.worker.shard.targets[target];
        counters.requests.add();
        if outcome == Outcome::Failure {
            counters.failed.add();
        }
        let took = self.head_at.unwrap_or(now).since(self.admitted);
        let transition = self.worker.plan.targets[target].breaker.record(permit, outcome, took, now);
        self.worker.announce(target, transition.as_ref());
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.is_open {
            let now = self.worker.now();
            self.close(Ending::Abandoned, now);
        }
    }
}
