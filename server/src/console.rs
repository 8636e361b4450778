//! The control plane: dashboard, JSON API and live connection.

mod act;
mod answers;
mod api;
mod audit;
mod blocked;
mod breakers;
mod cache;
mod error;
mod files;
mod lab;
mod limits;
mod origin;
mod pages;
mod plans;
mod request_id;
mod rollouts;
mod site;
mod socket;
mod take;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use app::board::Board;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, OriginalUri};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::from_fn;
use axum::routing::{any, delete, get, patch, post};
use rad_model::{Hello, Resume};
use rad_resilience::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};
use tower_http::set_header::SetResponseHeaderLayer;

pub use self::breakers::KeptModes;
use self::error::only;
use crate::gateway::{Caller, Plan};
use crate::sample::Lab;
use crate::storage::Storage;
use crate::telemetry::journal::Journal;
use crate::telemetry::prometheus::Exporter;
use crate::telemetry::report::Report;

pub use site::Site;
pub use socket::SocketCounters;

/// What the console needs.
#[derive(Debug)]
pub struct Console {
    pub plan: Arc<Plan>,
    pub clock: SystemClock,
    pub journal: Arc<Journal>,
    pub report: Report,
    pub exporter: Arc<Exporter>,
    pub storage: Arc<Storage>,
    pub modes: KeptModes,
    pub caller: Caller,
    pub lab: Option<Lab>,
    /// Whether who acts on the gateway has to say why.
    pub reasons: bool,
    pub sockets: SocketCounters,
    /// Turns true when the program begins to leave.
    pub stopping: watch::Receiver<bool>,
    pub site: Site,
    /// Held while a person's change looks at what it changes.
    pub changes: Mutex<()>,
}

impl Console {
    /// Lets no other change come between a look and the change that depends on it.
    fn one_at_a_time(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Gives the memory of what was invalidated back; how many answers that were.
    fn sweep_cache(&self) -> usize {
        self.plan.cache.sweep(self.clock.now())
    }

    /// What the page at a path starts with.
    fn initial(&self, path: &str) -> app::Initial {
        let Hello { epoch, seq, interval_ms, resume } = self.journal.hello(None);
        debug_assert!(matches!(resume, Resume::Snapshot(_)));
        let hello = Arc::new(Hello { epoch, seq, interval_ms, resume });
        let answers = answers::of(self, path, &Board::new(&hello));
        app::Initial { hello, lab: self.lab.as_ref().map(Lab::state), answers }
    }
}

/// Serves the console until the program leaves.
///
/// # Errors
/// If the listener fails.
pub async fn serve(console: Arc<Console>, listener: TcpListener) -> std::io::Result<()> {
    let mut stopping = console.stopping.clone();
    // Held here alone, so that the router does not keep itself.
    let whole = Arc::new(OnceLock::new());
    let app = router(console, Arc::downgrade(&whole));
    let app = whole.get_or_init(|| app).clone().into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        })
        .await
}

fn router(console: Arc<Console>, whole: audit::Whole) -> Router {
    let api = [
        ("/metrics", "GET, HEAD", get(api::metrics)),
        ("/metrics/reset", "POST", post(api::reset_metrics)),
        ("/monitoring/metrics", "GET, HEAD", get(api::prometheus)),
        ("/test-rate-limit", "GET, HEAD", get(api::test_rate_limit)),
        ("/fetch-kibana-data", "POST", post(api::fetch_kibana_data)),
        ("/cache", "GET, HEAD", get(cache::state)),
        ("/cache/invalidate", "POST", post(cache::invalidate)),
        ("/refresh", "POST", post(cache::refresh)),
        ("/queues", "GET, HEAD", get(cache::queues)),
        ("/breakers", "GET, HEAD", get(breakers::all)),
        ("/breakers/{name}", "GET, HEAD", get(breakers::one)),
        ("/breakers/{name}/mode", "POST", post(breakers::change_mode)),
        ("/breakers/{name}/reset", "POST", post(breakers::reset)),
        ("/limits", "GET, HEAD", get(limits::all)),
        ("/blocked", "GET, HEAD, POST", get(blocked::all).post(blocked::block)),
        // The address may hold a slash: 2001:db8::/64.
        ("/blocked/{*address}", "DELETE", delete(blocked::unblock)),
        ("/plans", "GET, HEAD", get(plans::all)),
        ("/rollouts", "GET, HEAD", get(rollouts::all)),
        ("/rollouts/{name}", "GET, HEAD, POST", get(rollouts::one).post(rollouts::change)),
        ("/rollouts/{name}/history", "GET, HEAD", get(rollouts::history)),
        ("/rollouts/{name}/start", "POST", post(rollouts::start)),
        ("/rollouts/{name}/pause", "POST", post(rollouts::pause)),
        ("/rollouts/{name}/resume", "POST", post(rollouts::resume)),
        ("/rollouts/{name}/promote", "POST", post(rollouts::promote)),
        ("/rollouts/{name}/rollback", "POST", post(rollouts::roll_back)),
        ("/audit", "GET, HEAD", get(audit::list)),
        ("/audit.csv", "GET, HEAD", get(audit::export)),
        ("/audit/page", "GET, HEAD", get(audit::page)),
        ("/audit/verify", "GET, HEAD", get(audit::verify)),
        ("/audit/{id}", "GET, HEAD", get(audit::one)),
        ("/audit/{id}/revert", "POST", post(audit::revert)),
        ("/lab", "GET, HEAD", get(lab::state)),
        ("/lab/traffic", "PATCH", patch(lab::traffic)),
        ("/lab/{upstream}", "PATCH", patch(lab::turn)),
    ];
    let paths = api.each_ref().map(|(path, ..)| *path);
    let missing = move |OriginalUri(uri): OriginalUri| async move { error::no_such_endpoint(&uri, &paths) };
    let api = api
        .into_iter()
        .fold(Router::new(), |api, (path, allowed, methods)| api.route(path, only(allowed, methods)))
        .fallback(missing)
        .layer(Extension(whole))
        .layer(DefaultBodyLimit::max(take::MAX_BODY))
        .layer(header_layer(header::CACHE_CONTROL, "no-store"));
    let nothing_sniffs = header_layer(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    let nobody_frames = header_layer(header::X_FRAME_OPTIONS, "DENY");
    let no_referrer = header_layer(header::REFERRER_POLICY, "same-origin");
    let frames = header_layer(
        header::CONTENT_SECURITY_POLICY,
        "frame-ancestors 'none'; base-uri 'self'; object-src 'none'",
    );
    Router::new()
        .route("/health", only("GET, HEAD", get(api::health)))
        .nest("/api", api)
        // What is nested does not answer this one.
        .route("/api/", any(missing))
        .route("/ws", any(socket::upgrade))
        .merge(pages::router(&console))
        .layer(from_fn(error::negotiate))
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(files::is_no_file)))
        .layer(from_fn(origin::guard))
        // A page that cannot be drawn is one failed answer, not a closed connection.
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(nothing_sniffs)
        .layer(nobody_frames)
        .layer(no_referrer)
        .layer(frames)
        .layer(from_fn(request_id::carry))
        .with_state(console)
}

fn header_layer(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}
