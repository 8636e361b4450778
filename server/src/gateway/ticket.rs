//! The account of one request that the limits let in: opened when it is, closed exactly once however it
//! ends, even when its future is dropped because the client went away.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use http::{HeaderValue, Method};
use rad_resilience::bulkhead::{Place, adaptive::Completion};
use rad_resilience::{Outcome, Permit, Timestamp};

use super::breaker::Admission;
use super::connection::Connection;
use super::worker::Worker;
use crate::rollout::Side;
use crate::telemetry::log::{Level, Line, Value};

/// From here on a request is slow, or worse; microseconds.
const SLOW_US: u64 = 3_000_000;
const CRITICAL_US: u64 = 5_000_000;

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
    side: Option<(usize, Side)>,
    target: Option<usize>,
    /// Given back at the end.
    permit: Option<Permit>,
    /// When the target was chosen.
    admitted: Timestamp,
    started: Timestamp,
    status: u16,
    /// Whether a failure says nothing of the target.
    is_excused: bool,
    access: Option<Box<Access>>,
    /// In flight, where that is bounded.
    place: Option<Place>,
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
            target,
            permit,
            admitted,
            started,
            status: 0,
            is_excused: false,
            access,
            place: None,
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
    }

    /// It has a place in flight until it ends.
    pub fn holds(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// Where it went last.
    pub fn target(&self) -> Option<usize> {
        self.target
    }

    /// The last attempt is over, and another one will be made.
    pub fn retry(&mut self, outcome: Outcome) {
        self.worker.shard.routes[self.route].retries.add();
        let now = self.worker.now();
        self.leave_target(outcome, now);
    }

    /// The rollout chose a side.
    pub fn on_side(&mut self, rollout: usize, side: Side) {
        self.side = Some((rollout, side));
    }

    /// A breaker let it through to a target; to another one, if the first was not reached.
    pub fn admitted(&mut self, admission: Admission, now: Timestamp) {
        if self.target.is_some() {
            self.leave_target(Outcome::Failure, now);
        }
        self.admitted = now;
        self.target = Some(admission.target);
        self.permit = Some(admission.permit);
    }

    /// What fails from here on says nothing of the target.
    pub fn excuse_target(&mut self) {
        self.is_excused = true;
    }

    /// The upstream answered.
    pub fn answered(&mut self, status: u16) {
        self.status = status;
    }

    /// The answer went out whole: closes the account, and returns the connection to the target's pool.
    pub fn complete(mut self, connection: Box<Connection>) {
        let now = self.worker.now();
        if let Some(target) = self.target {
            self.worker.pools[target].give_back(connection, now);
        }
        self.close(Ending::Complete, now);
    }

    /// Closes the account.
    pub fn end(mut self, ending: Ending) {
        let now = self.worker.now();
        self.close(ending, now);
    }

    fn close(&mut self, ending: Ending, now: Timestamp) {
        self.is_open = false;
        let worker = &self.worker;
        let shard = &worker.shard;
        shard.in_flight.store(shard.in_flight.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        let us = u64::try_from(now.since(self.started).as_micros()).unwrap_or(u64::MAX);
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
        if self.target.is_some() {
            if let Some((rollout, side)) = self.side.filter(|_| ending != Ending::Abandoned) {
                let side = &shard.rollouts[rollout][side as usize];
                side.requests.add();
                side.durations.record(us);
                if failed {
                    side.failed.add();
                }
            }
            let outcome = match ending {
                Ending::Abandoned => Outcome::Ignored,
                _ if self.is_excused => Outcome::Ignored,
                _ if failed => Outcome::Failure,
                // A target that says "too many requests" answers, but has not recovered.
                _ if self.status == 429 => Outcome::Ignored,
                _ => Outcome::Success,
            };
            self.leave_target(outcome, now);
        }
        // What came from elsewhere says nothing of how much the upstream bears.
        if self.place.is_some()
            && self.target.is_some()
            && matches!(ending, Ending::Complete | Ending::Broken)
            && let Some(queue) = &self.worker.plan.routes[self.route].queue
        {
            let latency = now.since(self.admitted);
            queue.bulkhead.observe(Completion { latency, dropped: ending == Ending::Broken }, now);
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
        let transition =
            self.worker.plan.targets[target].breaker.record(permit, outcome, now.since(self.admitted), now);
        self.worker.announce(target, transition.as_ref());
    }

    fn log(&self, access: &Access, ending: Ending, failed: bool, us: u64) {
        let worker = &self.worker;
        let route = &worker.plan.routes[self.route];
        let mut fields = Vec::with_capacity(16);
        if let Ok(id) = access.id.to_str() {
            fields.push(("request_id", Value::Text(id)));
        }
        if let Some(Trace { trace_id, span_id }) = &access.trace {
            fields.push(("trace_id", Value::Text(trace_id)));
            fields.push(("span_id", Value::Text(span_id)));
        }
        fields.push(("client_ip", Value::Display(&access.client)));
        fields.push(("method", Value::Text(access.method.as_str())));
        fields.push(("path", Value::Text(&access.path)));
        fields.push(("route", Value::Text(&route.path)));
        if let Some(target) = self.target {
            fields.push(("upstream", Value::Text(&worker.plan.targets[target].name)));
        }
        if self.status != 0 {
            fields.push(("status", Value::Count(u64::from(self.status))));
        }
        fields.push(("duration_ms", Value::Micros(us)));
        let error = match ending {
            Ending::Complete if failed => Some("the upstream answered with an error"),
            Ending::Complete => None,
            Ending::Broken => Some("the upstream did not answer"),
            Ending::ShortCircuited => Some("the circuit breaker is open"),
            Ending::Shed => Some("too many requests are waiting"),
            Ending::Abandoned => Some("the client went away"),
        };
        let (level, event) = match error {
            None => (Level::Info, "query_execute_success"),
            Some(_) if ending == Ending::Abandoned => (Level::Info, "query_execute_error"),
            Some(_) => (Level::Error, "query_execute_error"),
        };
        let common = fields.len();
        fields.extend(error.map(|error| ("error", Value::Text(error))));
        worker.log(&Line { level, event, fields: &fields });
        fields.truncate(common);
        if us > SLOW_US {
            let (event, threshold_us, severity) = if us > CRITICAL_US {
                ("performance_critical", CRITICAL_US, "critical")
            } else {
                ("performance_slow", SLOW_US, "warning")
            };
            fields.push(("threshold_ms", Value::Count(threshold_us / 1_000)));
            fields.push(("severity", Value::Text(severity)));
            worker.log(&Line { level: Level::Warn, event, fields: &fields });
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.is_open {
            let now = self.worker.now();
            self.close(Ending::Abandoned, now);
        }
    }
}
