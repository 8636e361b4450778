//! The control plane: dashboard, JSON API and live connection.

mod act;
mod answers;
mod api;
mod audit;
mod auth;
mod blocked;
mod breakers;
mod cache;
mod client;
mod connections;
mod cross_origin;
mod error;
mod files;
mod flags;
mod lab;
mod limits;
mod ofrep;
mod origin;
mod pages;
mod plans;
mod policy;
mod request_id;
mod rollouts;
mod shadows;
mod site;
mod socket;
mod take;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use app::board::Board;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, OriginalUri};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, delete, get, patch, post};
use ipnet::IpNet;
use rad_model::{Hello, Resume};
use rad_resilience::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};
use tower_http::set_header::SetResponseHeaderLayer;

use self::auth::api::{accounts, tokens};
pub use self::auth::{Auth, AuthError};
use self::auth::{Needs, Scope, takes};
pub use self::breakers::KeptModes;
pub use self::client::Outside;
pub use self::cross_origin::Origins;
use self::error::only;
use crate::gateway::{Caller, Peer, Plan};
use crate::rollout::{Switchboard, Switches};
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
    pub flags: Arc<Switchboard>,
    pub switches: Switches,
    pub modes: KeptModes,
    pub caller: Caller,
    pub lab: Option<Lab>,
    /// Whether who acts on the gateway has to say why.
    pub reasons: bool,
    pub sockets: SocketCounters,
    /// Turns true when the program begins to leave.
    pub stopping: watch::Receiver<bool>,
    pub site: Site,
    /// Absent where nobody has to log in.
    pub auth: Option<Arc<Auth>>,
    /// Names by which the console is reached, beside those of loopback.
    pub hosts: Vec<String>,
    pub trusted_proxies: Vec<IpNet>,
    pub outside: Outside,
    pub origins: Origins,
    /// Held while a person's change looks at what it changes.
    pub changes: Mutex<()>,
}

impl Console {
    /// Lets no other change come between a look and the change that depends on it.
    fn one_at_a_time(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of a client, which a trusted proxy may tell.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        Peer::new(peer, &self.trusted_proxies).client(headers, &self.trusted_proxies)
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
pub async fn serve(console: Arc<Console>, listener: TcpListener) {
    let stopping = console.stopping.clone();
    if let Some(auth) = console.auth.clone() {
        tokio::spawn(auth.keep(console.clock));
    }
    // Held here alone, so that the router does not keep itself.
    let whole = Arc::new(OnceLock::new());
    let app = router(console, Arc::downgrade(&whole));
    let app = whole.get_or_init(|| app).clone();
    connections::serve(app, listener, stopping).await;
}

fn router(console: Arc<Console>, whole: audit::Whole) -> Router {
    // A path, its methods, what they take (each other than GET and HEAD is a change), and who answers.
    let api = [
        ("/metrics", "GET, HEAD", Needs::Read, get(api::metrics)),
        ("/metrics/reset", "POST", Needs::Change(Scope::Metrics), post(api::reset_metrics)),
        ("/monitoring/metrics", "GET, HEAD", Needs::Read, get(api::prometheus)),
        ("/test-rate-limit", "GET, HEAD", Needs::Read, get(api::test_rate_limit)),
        ("/fetch-kibana-data", "POST", Needs::Read, post(api::fetch_kibana_data)),
        ("/cache", "GET, HEAD", Needs::Read, get(cache::state)),
        ("/cache/invalidate", "POST", Needs::Change(Scope::Cache), post(cache::invalidate)),
        ("/refresh", "POST", Needs::Change(Scope::Cache), post(cache::refresh)),
        ("/queues", "GET, HEAD", Needs::Read, get(cache::queues)),
        ("/breakers", "GET, HEAD", Needs::Read, get(breakers::all)),
        ("/breakers/{name}", "GET, HEAD", Needs::Read, get(breakers::one)),
        ("/breakers/{name}/mode", "POST", Needs::Change(Scope::Breakers), post(breakers::change_mode)),
        ("/breakers/{name}/reset", "POST", Needs::Change(Scope::Breakers), post(breakers::reset)),
        ("/limits", "GET, HEAD", Needs::Read, get(limits::all)),
        ("/blocked", "GET, HEAD, POST", Needs::Change(Scope::Limits), get(blocked::all).post(blocked::block)),
        // The address may hold a slash: 2001:db8::/64.
        ("/blocked/{*address}", "DELETE", Needs::Change(Scope::Limits), delete(blocked::unblock)),
        ("/plans", "GET, HEAD", Needs::Read, get(plans::all)),
        ("/rollouts", "GET, HEAD", Needs::Read, get(rollouts::all)),
        (
            "/rollouts/{name}",
            "GET, HEAD, POST",
            Needs::Change(Scope::Rollouts),
            get(rollouts::one).post(rollouts::change),
        ),
        ("/rollouts/{name}/history", "GET, HEAD", Needs::Read, get(rollouts::history)),
        (
            "/rollouts/{name}/start",
            "POST, DELETE",
            Needs::Change(Scope::Rollouts),
            post(rollouts::start).delete(rollouts::call_off),
        ),
        ("/rollouts/{name}/override", "POST", Needs::Change(Scope::Rollouts), post(rollouts::sign)),
        ("/rollouts/{name}/pause", "POST", Needs::Change(Scope::Rollouts), post(rollouts::pause)),
        ("/rollouts/{name}/resume", "POST", Needs::Change(Scope::Rollouts), post(rollouts::resume)),
        ("/rollouts/{name}/promote", "POST", Needs::Change(Scope::Rollouts), post(rollouts::promote)),
        ("/rollouts/{name}/rollback", "POST", Needs::Change(Scope::Rollouts), post(rollouts::roll_back)),
        (
            "/rollouts/{name}/shadow",
            "GET, HEAD, POST",
            Needs::Change(Scope::Rollouts),
            get(shadows::one).post(shadows::change),
        ),
        ("/rollouts/{name}/shadow/reset", "POST", Needs::Change(Scope::Rollouts), post(shadows::reset)),
        ("/rollouts/{name}/browsers", "GET, HEAD", Needs::Read, get(client::tally)),
        ("/client/{name}", "GET, HEAD", Needs::Nothing, get(client::standing)),
        ("/client/{name}/report", "POST", Needs::Nothing, post(client::report)),
        ("/flags", "GET, HEAD", Needs::Read, get(flags::all)),
        (
            "/flags/{key}",
            "GET, HEAD, PUT, DELETE",
            Needs::Change(Scope::Flags),
            get(flags::one).put(flags::replace).delete(flags::archive),
        ),
        ("/flags/{key}/toggle", "POST", Needs::Change(Scope::Flags), post(flags::toggle)),
        ("/flags/{key}/share", "POST", Needs::Change(Scope::Flags), post(flags::share)),
        ("/flags/{key}/history", "GET, HEAD", Needs::Read, get(flags::history)),
        ("/flags/{key}/revert", "POST", Needs::Change(Scope::Flags), post(flags::revert)),
        // It changes nothing.
        ("/flags/{key}/evaluate", "POST", Needs::Read, post(flags::evaluate)),
        ("/audit", "GET, HEAD", Needs::Read, get(audit::list)),
        ("/audit.csv", "GET, HEAD", Needs::Read, get(audit::export)),
        ("/audit/page", "GET, HEAD", Needs::Read, get(audit::page)),
        ("/audit/verify", "GET, HEAD", Needs::Read, get(audit::verify)),
        ("/audit/{id}", "GET, HEAD", Needs::Read, get(audit::one)),
        // What takes the entry back goes through the gate once more, and takes what it takes.
        ("/audit/{id}/revert", "POST", Needs::Read, post(audit::revert)),
        ("/lab", "GET, HEAD", Needs::Read, get(lab::state)),
        ("/lab/traffic", "PATCH", Needs::Change(Scope::Lab), patch(lab::traffic)),
        ("/lab/{upstream}", "PATCH", Needs::Change(Scope::Lab), patch(lab::turn)),
        // It looks for itself: who has no session comes here to get one.
        ("/session", "GET, HEAD, POST, DELETE", Needs::Nothing, auth::api::routes()),
        ("/session/password", "POST", Needs::Account, post(auth::api::change_password)),
        ("/accounts", "GET, HEAD, POST", Needs::Admin, get(accounts::all).post(accounts::add)),
        ("/accounts/{name}", "PATCH, DELETE", Needs::Admin, patch(accounts::change).delete(accounts::remove)),
        ("/tokens", "GET, HEAD, POST", Needs::Admin, get(tokens::all).post(tokens::add)),
        ("/tokens/{id}", "DELETE", Needs::Admin, delete(tokens::remove)),
    ];
    let paths = api.each_ref().map(|(path, ..)| *path);
    let open = api.iter().filter(|(_, _, needs, _)| *needs == Needs::Nothing);
    let open = open.map(|(path, ..)| format!("/api{path}")).collect();
    let gate = auth::Gate { console: Arc::clone(&console), open };
    let missing = move |OriginalUri(uri): OriginalUri| async move { error::no_such_endpoint(&uri, &paths) };
    let api = api
        .into_iter()
        .fold(Router::new(), |api, (path, allowed, needs, methods)| {
            api.route(path, takes(needs, only(allowed, methods)))
        })
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
        .nest("/ofrep/v1", ofrep::router())
        .route("/ws", any(socket::upgrade))
        .merge(auth::page::router())
        .route("/client.js", only("GET, HEAD", get(client::script)))
        .merge(pages::router(&console))
        .layer(from_fn_with_state(gate, auth::guard))
        .layer(from_fn(error::negotiate))
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(files::is_no_file)))
        .layer(from_fn_with_state(Arc::clone(&console), origin::guard))
        .layer(from_fn_with_state(console.origins.clone(), cross_origin::share))
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
