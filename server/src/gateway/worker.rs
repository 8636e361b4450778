//! The workers: a thread, a runtime and a listening socket each.

mod accept;
mod connections;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rad_model::{EventKind, Quota};
use rad_resilience::{Clock, SystemClock, Timestamp, Transition};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};

use super::call::{self, Call, Caller};
use super::plan::Plan;
use super::pool::Pool;
use super::request_id::RequestIds;
use crate::rollout::Switches;
use crate::telemetry::journal::Journal;
use crate::telemetry::log::{Line, Log};
use crate::telemetry::registry::{Key, Registry, Shard};
use crate::telemetry::unix_ms;
use connections::Connections;

/// A log buffer of this size is handed over at once.
const LOG_BUFFER: usize = 16 << 10;
/// A log buffer is handed over at least this often.
const LOG_DELAY: Duration = Duration::from_millis(100);
/// How long requests under way may take after a shutdown has begun.
const DRAIN_FOR: Duration = Duration::from_secs(25);
/// The same key's running into the same limit is told once in this time, and no more than so many keys'.
const LIMIT_EVENT_EVERY: Duration = Duration::from_secs(60);
const LIMIT_EVENT_KEYS: usize = 100;

/// What the workers need.
#[derive(Clone, Debug)]
pub struct Parts {
    pub plan: Arc<Plan>,
    pub registry: Arc<Registry>,
    pub journal: Arc<Journal>,
    pub switches: Switches,
    pub log: Log,
    pub clock: SystemClock,
}

/// The running data plane.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    caller: Caller,
    shutdown: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
}

impl Gateway {
    /// Listens and starts the workers.
    ///
    /// # Errors
    /// If the address cannot be listened on, or no thread started.
    pub fn start(parts: &Parts, listen: SocketAddr, workers: usize) -> io::Result<Self> {
        let listeners = accept::listeners(listen, workers)?;
        let address = listeners.first().map_or(Ok(listen), std::net::TcpListener::local_addr)?;
        let (shutdown, stopping) = watch::channel(false);
        let (caller, calls) = Caller::new();
        let mut calls = Some(calls);
        let workers = listeners
            .into_iter()
            .enumerate()
            .map(|(id, listener)| {
                let (parts, stopping, calls) = (parts.clone(), stopping.clone(), calls.take());
                std::thread::Builder::new().name(format!("gateway-{id}")).spawn(move || {
                    if let Err(error) = run(id, &parts, listener, stopping, calls) {
                        let fields = [(
                            "error",
                            crate::telemetry::log::Value::Display(&error as &dyn std::fmt::Display),
                        )];
                        let level = crate::telemetry::log::Level::Error;
                        parts.log.line(&Line { level, event: "worker_failed", fields: &fields });
                    }
                })
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { address, caller, shutdown, workers })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The way into the pipeline from within the program.
    #[must_use]
    pub fn caller(&self) -> Caller {
        self.caller.clone()
    }

    /// Stops listening, lets requests under way finish, and waits for that, up to [`DRAIN_FOR`].
    pub fn shut_down(self) {
        let _ = self.shutdown.send(true);
        for worker in self.workers {
            let _ = worker.join();
        }
    }
}

/// What all requests of a worker share.
#[derive(Debug)]
pub struct Worker {
    pub plan: Arc<Plan>,
    pub shard: Arc<Shard>,
    /// One a target.
    pub pools: Box<[Pool]>,
    /// The same for copies: they never take a connection that a client's request could have had.
    pub shadow_pools: Box<[Pool]>,
    pub request_ids: RequestIds,
    pub switches: Switches,
    journal: Arc<Journal>,
    log: Log,
    buffer: RefCell<Vec<u8>>,
    clock: SystemClock,
    connections: Connections,
    limit_events: RefCell<HashMap<(usize, Key), Timestamp>>,
    /// When the clock's origin was, milliseconds since 1970: read now and then instead of for every request.
    unix_origin_ms: Cell<u64>,
}

impl Worker {
    fn new(id: usize, parts: &Parts) -> Rc<Self> {
        Rc::new(Self {
            plan: Arc::clone(&parts.plan),
            shard: parts.registry.shard(id),
            pools: parts.plan.targets.iter().map(|_| Pool::default()).collect(),
            shadow_pools: parts.plan.targets.iter().map(|_| Pool::default()).collect(),
            request_ids: RequestIds::default(),
            switches: parts.switches.clone(),
            journal: Arc::clone(&parts.journal),
            log: parts.log.clone(),
            buffer: RefCell::default(),
            clock: parts.clock,
            connections: Connections::default(),
            limit_events: RefCell::default(),
            unix_origin_ms: Cell::new(unix_origin_ms(parts.clock.now())),
        })
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn clock(&self) -> &SystemClock {
        &self.clock
    }

    /// The moment in the terms of the runtime's timers.
    pub fn instant(&self, moment: Timestamp) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.clock.instant(moment))
    }

    /// The moment in milliseconds since 1970, rounded up.
    pub fn unix_ms(&self, moment: Timestamp) -> u64 {
        self.unix_origin_ms.get().saturating_add(moment.as_nanos().div_ceil(1_000_000))
    }

    /// The moment in seconds since 1970.
    pub fn unix_s(&self, moment: Timestamp) -> u64 {
        self.unix_origin_ms.get().saturating_add(moment.as_nanos() / 1_000_000) / 1_000
    }

    /// Whether nothing is logged, so that lines need not be put together.
    pub fn is_silent(&self) -> bool {
        self.log.is_off()
    }

    /// Logs through the worker's buffer.
    pub fn log(&self, line: &Line<'_>) {
        let mut buffer = self.buffer.borrow_mut();
        self.log.format(line, &mut buffer);
        if buffer.len() >= LOG_BUFFER {
            drop(buffer);
            self.flush_log();
        }
    }

    fn flush_log(&self) {
        let buffer = self.buffer.take();
        if !buffer.is_empty() {
            // The next one will be as large as this one was.
            self.buffer.replace(Vec::with_capacity(buffer.capacity()));
            if !self.log.send(buffer) {
                self.shard.log_lines_lost.add();
            }
        }
    }

    /// Tells of a breaker's change of state, if there was one.
    pub fn announce(&self, target: usize, transition: Option<&Transition>) {
        if let Some(transition) = transition {
            self.plan.announce(target, transition, &self.journal);
        }
    }

    /// Tells of something that happened now.
    pub fn tell(&self, kind: EventKind) {
        self.journal.event(kind);
    }

    /// Tells that a key ran into a limit; once a minute each, and of no more than so many keys, because a
    /// flood must not drown what else happens.
    pub fn limit_reached(&self, route: usize, key: &Key, limit: Quota) {
        let now = self.now();
        let mut told = self.limit_events.borrow_mut();
        let key = (route, key.clone());
        if told.contains_key(&key) || told.len() >= LIMIT_EVENT_KEYS {
            return;
        }
        let event = EventKind::LimitReached {
            route: self.plan.routes[route].path.clone(),
            key: key.1.to_string(),
            limit,
        };
        told.insert(key, now);
        self.journal.event(event);
    }

    /// What has to be done now and then.
    fn tidy(&self) {
        self.connections.sweep();
        let now = self.now();
        self.unix_origin_ms.set(unix_origin_ms(now));
        for pool in self.pools.iter().chain(&self.shadow_pools) {
            pool.sweep(now);
        }
        self.limit_events.borrow_mut().retain(|_, told| now.since(*told) < LIMIT_EVENT_EVERY);
    }
}

fn unix_origin_ms(now: Timestamp) -> u64 {
    unix_ms().saturating_sub(now.as_nanos() / 1_000_000)
}

fn run(
    id: usize,
    parts: &Parts,
    listener: std::net::TcpListener,
    mut stopping: watch::Receiver<bool>,
    calls: Option<mpsc::Receiver<Call>>,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let worker = Worker::new(id, parts);
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let chores = tokio::task::spawn_local(chores(Rc::clone(&worker)));
        if let Some(calls) = calls {
            tokio::task::spawn_local(take_calls(Rc::clone(&worker), calls));
        }
        tokio::select! {
            () = accept::accept(&worker, &listener) => {}
            _ = stopping.wait_for(|stop| *stop) => {}
        }
        drop(listener);
        worker.connections.tell_all();
        let _ = tokio::time::timeout(DRAIN_FOR, worker.connections.closed()).await;
        chores.abort();
        worker.flush_log();
        Ok(())
    })
}

async fn chores(worker: Rc<Worker>) {
    let mut flush = tokio::time::interval(LOG_DELAY);
    let mut tidy = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = flush.tick(), if !worker.is_silent() => worker.flush_log(),
            _ = tidy.tick() => worker.tidy(),
        }
    }
}

async fn take_calls(worker: Rc<Worker>, mut calls: mpsc::Receiver<Call>) {
    while let Some(call) = calls.recv().await {
        tokio::task::spawn_local(call::run(Rc::clone(&worker), call));
    }
}
