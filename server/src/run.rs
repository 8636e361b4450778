//! The one place where everything is put together, and taken apart again.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, StatusCode, header};
use rad_model::{Bye, EventKind};
use rad_resilience::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::config::{Action, SampleSettings, Settings};
use crate::console::{self, Auth, AuthError, Console, KeptModes, Origins, Outside, Site, SocketCounters};
use crate::gateway::{Gateway, Parts, Plan, PlanError};
use crate::rollout::flags::Environment;
use crate::rollout::{Controller, Switchboard, Switches};
use crate::sample::{self, Lab, Traffic};
use crate::storage::{Storage, StorageError};
use crate::telemetry::journal::Journal;
use crate::telemetry::log::{Level, Line, Log, Value};
use crate::telemetry::prometheus::Exporter;
use crate::telemetry::registry::Registry;
use crate::telemetry::report::Report;
use crate::telemetry::sampler::Sampler;
use crate::telemetry::unix_ms;

/// Browsers come back within this window after a restart, so that they do not all come at once.
const RECONNECT_MS: (u32, u32) = (500, 3_000);
/// How often blocks are kept that came about or ended by themselves.
const KEEP_BLOCKS_EVERY: Duration = Duration::from_secs(10);
/// How long the console's connections may take to close.
const CONSOLE_LEAVES_WITHIN: Duration = Duration::from_secs(3);

/// Why the program stops.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{what} cannot listen on {address}: {source}")]
    Listen { what: &'static str, address: SocketAddr, source: std::io::Error },
    #[error("storage.path ({path}): {source}")]
    Storage { path: String, source: StorageError },
    #[error("storage.path ({path}): {source}")]
    Plan { path: String, source: PlanError },
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("the system does not let the program start: {0}")]
    System(#[from] std::io::Error),
}

/// Runs until a signal ends the program.
///
/// # Errors
/// If something that is configured cannot be started.
pub fn run(settings: &Settings) -> Result<(), RunError> {
    // Each request may need two connections; the usual soft limit of 1,024 is for programs that use select().
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let (log, writer) = Log::to_stdout(settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("console")
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(serve(settings, &log));
    runtime.shutdown_timeout(Duration::from_secs(1));
    writer.finish();
    outcome
}

async fn serve(settings: &Settings, log: &Log) -> Result<(), RunError> {
    let mut signals = Signals::new()?;
    let storage_error = |source| RunError::Storage { path: settings.storage.display().to_string(), source };
    let storage = Arc::new(Storage::open(&settings.storage).map_err(storage_error)?);
    let auth = match &settings.auth {
        Some(auth) => {
            let auth = Auth::open(auth, &settings.storage, Arc::clone(&storage), log.clone(), unix_ms())?;
            Some(Arc::new(auth))
        }
        None => None,
    };
    let plan = Arc::new(
        Plan::new(settings, &storage)
            .map_err(|source| RunError::Plan { path: settings.storage.display().to_string(), source })?,
    );
    let environment = settings.profile.map_or(Environment::Development, Into::into);
    let flags = Switchboard::open(Arc::clone(&storage), environment, &settings.flags, log.clone());
    let flags = Arc::new(flags.map_err(storage_error)?);
    let switches = Switches::new(Arc::clone(&flags));
    let clock = SystemClock::new();
    plan.blocks.list.restore(storage.blocks().map_err(storage_error)?, clock.now(), SystemTime::now());
    let epoch = format!("{:x}-{:08x}", unix_ms(), RandomState::new().hash_one(0_u8) >> 32);
    let mut topology = plan.topology(settings.sample.is_some());
    topology.reasons = settings.needs_reasons();
    let journal = Arc::new(Journal::new(epoch, topology, log.clone()));
    let modes =
        KeptModes::restore(Arc::clone(&storage), &plan, &journal, clock.now()).map_err(storage_error)?;
    let workers = settings.gateway.workers;
    let registry =
        Arc::new(Registry::new(workers, plan.routes.len(), plan.targets.len(), plan.rollouts.len()));

    // All that listens is opened before anything is served, so that a port that is taken stops the start.
    let console_listener = listen("console.listen", settings.console).await?;
    let console_address = console_listener.local_addr()?;
    let prometheus_listener = match settings.prometheus {
        Some(address) => Some(listen("telemetry.prometheus", address).await?),
        None => None,
    };
    let lab = match &settings.sample {
        Some(sample) => Some(start_sample(sample, &journal).await?),
        None => None,
    };
    let parts = Parts {
        plan: Arc::clone(&plan),
        registry: Arc::clone(&registry),
        journal: Arc::clone(&journal),
        switches: switches.clone(),
        log: log.clone(),
        clock,
    };
    let gateway = Gateway::start(&parts, settings.gateway.listen, workers).map_err(|source| {
        RunError::Listen { what: "gateway.listen", address: settings.gateway.listen, source }
    })?;

    let (stop, stopping) = watch::channel(false);
    let exporter =
        Arc::new(Exporter::new(Arc::clone(&plan), Arc::clone(&registry), Arc::clone(&journal), clock));
    if let Some(listener) = prometheus_listener {
        tokio::spawn(serve_prometheus(Arc::clone(&exporter), listener));
    }
    if let Some(lab) = &lab {
        let gateway = SocketAddr::new([127, 0, 0, 1].into(), gateway.address().port());
        let traffic = Traffic { gateway, requests_per_second: lab.rate(), paths: sample_paths(&plan) };
        tokio::spawn(sample::run_traffic(traffic));
    }
    let sampler =
        Sampler::new(Arc::clone(&plan), Arc::clone(&registry), Arc::clone(&journal), switches.clone(), clock);
    tokio::spawn(sampler.run());
    let site = Site::locate();
    let is_complete = site.is_complete();
    let controller = Controller::new(
        Arc::clone(&plan),
        Arc::clone(&registry),
        Arc::clone(&journal),
        Arc::clone(&storage),
        (switches.clone(), log.clone()),
        clock,
    );
    tokio::spawn(controller.clone().run());
    tokio::spawn(controller.clone().keep());
    let keeper = (Arc::clone(&plan), Arc::clone(&storage));
    tokio::spawn(keep_blocks(keeper.clone(), clock));
    let console = Arc::new(Console {
        outside: Outside::new(Arc::clone(&registry), log.clone()),
        origins: Origins::new(&settings.origins),
        report: Report::new(Arc::clone(&plan), registry, Arc::clone(&journal), clock),
        plan,
        clock,
        journal: Arc::clone(&journal),
        exporter,
        storage,
        flags,
        switches,
        modes,
        caller: gateway.caller(),
        lab,
        reasons: settings.needs_reasons(),
        sockets: SocketCounters::default(),
        stopping,
        site,
        auth,
        hosts: settings.hosts.clone(),
        trusted_proxies: settings.gateway.trusted_proxies.clone(),
        changes: std::sync::Mutex::default(),
    });
    let console = tokio::spawn(console::serve(console, console_listener));
    announce(log, console_address, gateway.address(), is_complete);
    journal.event(EventKind::Started { version: env!("CARGO_PKG_VERSION").to_owned() });

    let signal = signals.next().await;
    log.line(&Line {
        level: Level::Info,
        event: "shutdown_signal_received",
        fields: &[("signal", Value::Text(signal))],
    });
    journal.bye(Bye { reason: "restart".to_owned(), reconnect_ms: Some(RECONNECT_MS) });
    let _ = stop.send(true);
    let _ = tokio::task::spawn_blocking(|| gateway.shut_down()).await;
    let _ = tokio::time::timeout(CONSOLE_LEAVES_WITHIN, console).await;
    let _ = tokio::task::spawn_blocking(move || {
        save_blocks(&keeper, clock);
        controller.store_rest();
    })
    .await;
    Ok(())
}

/// What people change is kept at once; what happens by itself now and then, and at the end.
async fn keep_blocks(keeper: (Arc<Plan>, Arc<Storage>), clock: SystemClock) {
    let mut interval = tokio::time::interval(KEEP_BLOCKS_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut kept = keeper.0.blocks.list.changes();
    loop {
        interval.tick().await;
        let now = keeper.0.blocks.list.changes();
        if now != kept {
            let keeper = keeper.clone();
            let _ = tokio::task::spawn_blocking(move || save_blocks(&keeper, clock)).await;
            kept = now;
        }
    }
}

/// A disk that fails here has failed louder elsewhere, and costs no more than the blocks of some seconds.
fn save_blocks((plan, storage): &(Arc<Plan>, Arc<Storage>), clock: SystemClock) {
    let _ = storage.save_blocks(&plan.blocks.list.save(clock.now(), SystemTime::now()));
}

async fn listen(what: &'static str, address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|source| RunError::Listen { what, address, source })
}

async fn start_sample(settings: &SampleSettings, journal: &Arc<Journal>) -> Result<Lab, RunError> {
    let lab = Lab::new(settings.requests_per_second, Arc::clone(journal));
    let sides = [
        ("sample.legacy", settings.legacy, &lab.legacy),
        ("sample.candidate", settings.candidate, &lab.candidate),
    ];
    for (what, address, upstream) in sides {
        let listener = listen(what, address).await?;
        tokio::spawn(sample::serve(Arc::clone(upstream), listener));
    }
    Ok(lab)
}

/// What the sample traffic asks for: a rollout if there is one, and then everything else that leads to an
/// upstream as it is.
fn sample_paths(plan: &Plan) -> Vec<String> {
    let leads = |wanted: fn(&Action) -> bool| {
        let routes = plan.routes.iter().filter(move |route| route.rewrite.is_none() && wanted(&route.action));
        routes.map(|route| route.path.clone())
    };
    leads(|action| matches!(action, Action::Rollout(_)))
        .chain(leads(|action| matches!(action, Action::Upstream(_))))
        .collect()
}

async fn serve_prometheus(exporter: Arc<Exporter>, listener: TcpListener) -> std::io::Result<()> {
    let scrape = move |headers: HeaderMap| {
        let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let scraped = exporter.scrape(accept).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
        async move { scraped.map(|(kind, text)| ([(header::CONTENT_TYPE, kind)], text)) }
    };
    let routes = axum::Router::new().route("/metrics", axum::routing::get(scrape));
    axum::serve(listener, routes).await
}

/// The line that a person, and a test that asked for free ports, looks for.
fn announce(log: &Log, console: SocketAddr, gateway: SocketAddr, is_complete: bool) {
    let fields = [
        ("console", Value::Display(&format_args!("http://{console}"))),
        ("gateway", Value::Display(&format_args!("http://{gateway}"))),
    ];
    log.line(&Line { level: Level::Info, event: "listening", fields: &fields });
    if !is_complete {
        let fix = "the dashboard's files are not beside the program: pages are shown but do not move; \
                   `cargo leptos build --release` makes them";
        log.line(&Line {
            level: Level::Warn,
            event: "site_missing",
            fields: &[("detail", Value::Text(fix))],
        });
    }
}

/// What tells the program to leave.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on they wait to be taken, and no longer end the program at once.
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
