//! The control plane: dashboard, JSON API and live connection.

mod api;
mod error;
mod lab;
mod origin;
mod pages;
mod site;
mod socket;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::from_fn;
use axum::routing::{any, get, patch, post};
use rad_model::{Hello, Resume};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;

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
    pub journal: Arc<Journal>,
    pub report: Report,
    pub exporter: Arc<Exporter>,
    pub storage: Arc<Storage>,
    pub caller: Caller,
    pub lab: Option<Lab>,
    pub sockets: SocketCounters,
    /// Turns true when the program begins to leave.
    pub stopping: watch::Receiver<bool>,
    pub site: Site,
}

impl Console {
    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// What a page starts with.
    fn initial(&self) -> app::Initial {
        let Hello { epoch, seq, interval_ms, resume } = self.journal.hello(None);
        debug_assert!(matches!(resume, Resume::Snapshot(_)));
        let hello = Arc::new(Hello { epoch, seq, interval_ms, resume });
        app::Initial { hello, lab: self.lab.as_ref().map(Lab::state) }
    }
}

/// Serves the console until the program leaves.
///
/// # Errors
/// If the listener fails.
pub async fn serve(console: Arc<Console>, listener: TcpListener) -> std::io::Result<()> {
    let mut stopping = console.stopping.clone();
    let app = router(console).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        })
        .await
}

fn router(console: Arc<Console>) -> Router {
    let api = Router::new()
        .route("/metrics", get(api::metrics))
        .route("/metrics/reset", post(api::reset_metrics))
        .route("/monitoring/metrics", get(api::prometheus))
        .route("/test-rate-limit", get(api::test_rate_limit))
        .route("/fetch-kibana-data", post(api::fetch_kibana_data))
        .route("/breakers", get(api::breakers))
        .route("/rollouts", get(api::rollouts))
        .route("/rollouts/{name}", get(api::rollout).post(api::change_rollout))
        .route("/rollouts/{name}/rollback", post(api::roll_back))
        .route("/lab", get(lab::state))
        .route("/lab/traffic", patch(lab::traffic))
        .route("/lab/{upstream}", patch(lab::turn))
        .fallback(any(error::no_such_endpoint))
        .method_not_allowed_fallback(error::method_not_allowed);
    let nothing_sniffs = header_layer(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    let nobody_frames = header_layer(header::X_FRAME_OPTIONS, "DENY");
    let no_referrer = header_layer(header::REFERRER_POLICY, "same-origin");
    let frames = header_layer(
        header::CONTENT_SECURITY_POLICY,
        "frame-ancestors 'none'; base-uri 'self'; object-src 'none'",
    );
    Router::new()
        .route("/health", get(api::health))
        .nest("/api", api)
        .route("/ws", any(socket::upgrade))
        .merge(pages::router(&console))
        .layer(CompressionLayer::new())
        .layer(from_fn(origin::guard))
        // A page that cannot be drawn is one failed answer, not a closed connection.
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(nothing_sniffs)
        .layer(nobody_frames)
        .layer(no_referrer)
        .layer(frames)
        .with_state(console)
}

fn header_layer(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}
