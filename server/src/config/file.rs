//! The file as it is written. The names are the configuration's keys: a contract.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use rad_model::{LabState, Quota, Share};
use rad_resilience::Strategy;

mod flag;
mod limit;
mod origin;
mod rollout;
mod route;
mod shadow;
mod upstream;

pub use flag::Flag;
pub use rollout::Rollout;
pub use route::{Adaptive, CacheBounds, Fallback, Hedge, Queue, Retry, RouteCache};
pub use upstream::Upstream;

use super::auth::{Auth, host};
use super::block::Block;
use super::read::{Kind, Problems, Table, Wrong, address, duration, number, parsed, text, whole};
use super::tree::{Entries, Value};
use super::{KeySource, LimitHeaders};

pub const MAX_WORKERS: u32 = 256;
const MIN_KEYS: u32 = 1_000;
const MAX_KEYS: u32 = 50_000_000;
/// As many as can wait for one key.
#[allow(clippy::cast_possible_truncation)]
const MAX_WAITING: u32 = rad_resilience::limiter::MAX_WAITING as u32;
const MIN_DURATION: Duration = Duration::from_millis(1);
const MAX_DURATION: Duration = Duration::from_secs(86_400);

#[derive(Debug)]
pub struct File {
    pub console: Console,
    pub gateway: Gateway,
    pub telemetry: Telemetry,
    pub storage: Storage,
    pub cache: CacheBounds,
    pub sample: Option<Sample>,
    pub upstreams: BTreeMap<String, Upstream>,
    pub rollouts: BTreeMap<String, Rollout>,
    pub routes: Vec<Route>,
    pub flags: BTreeMap<String, Flag>,
}

impl File {
    /// Reads what can be read; where a value is wrong, something harmless stands for it.
    pub fn read(entries: Entries, problems: &mut Problems) -> Self {
        let mut root = Table::root(entries, problems);
        let file = Self {
            console: root.table("console", Console::read).unwrap_or_default(),
            gateway: root.table("gateway", Gateway::read).unwrap_or_default(),
            telemetry: root.table("telemetry", Telemetry::read).unwrap_or_default(),
            storage: root.table("storage", Storage::read).unwrap_or_default(),
            cache: root.table("cache", CacheBounds::read).unwrap_or_default(),
            sample: root.table("sample", Sample::read),
            upstreams: root.named("upstreams", Upstream::read).unwrap_or_default(),
            rollouts: root.named("rollouts", Rollout::read).unwrap_or_default(),
            routes: root.tables("routes", Route::read).unwrap_or_default(),
            flags: root.named("flags", Flag::read).unwrap_or_default(),
        };
        root.finish();
        file
    }
}

#[derive(Debug)]
pub struct Console {
    pub listen: SocketAddr,
    pub hosts: Vec<String>,
    pub auth: Option<Auth>,
    pub origins: Vec<http::HeaderValue>,
}

impl Default for Console {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            hosts: Vec::new(),
            auth: None,
            origins: Vec::new(),
        }
    }
}

impl Console {
    fn read(table: &mut Table<'_>) -> Self {
        Self {
            listen: table.value("listen", &address()).unwrap_or(Self::default().listen),
            hosts: table.list("hosts", &host()).unwrap_or_default(),
            auth: table.table("auth", Auth::read),
            origins: table.list("origins", &origin::origin()).unwrap_or_default(),
        }
    }
}

#[derive(Debug)]
pub struct Gateway {
    pub listen: SocketAddr,
    pub workers: u32,
    pub trusted_proxies: Vec<IpNet>,
    pub max_keys: u32,
    pub limit_headers: LimitHeaders,
    pub block: Option<Block>,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            workers: 0,
            trusted_proxies: Vec::new(),
            max_keys: 100_000,
            limit_headers: LimitHeaders::default(),
            block: None,
        }
    }
}

impl Gateway {
    fn read(table: &mut Table<'_>) -> Self {
        let default = Self::default();
        let workers = whole(0..=MAX_WORKERS, Some("0 (one per core) to 256"));
        let keys = whole(MIN_KEYS..=MAX_KEYS, Some("1,000 to 50,000,000"));
        Self {
            listen: table.value("listen", &address()).unwrap_or(default.listen),
            workers: table.value("workers", &workers).unwrap_or(default.workers),
            trusted_proxies: table.list("trusted_proxies", &network()).unwrap_or_default(),
            max_keys: table.value("max_keys", &keys).unwrap_or(default.max_keys),
            limit_headers: limit::headers(table).unwrap_or(default.limit_headers),
            block: table.table("block", Block::read),
        }
    }
}

#[derive(Debug, Default)]
pub struct Telemetry {
    pub prometheus: Option<SocketAddr>,
    pub log: LogFormat,
}

impl Telemetry {
    fn read(table: &mut Table<'_>) -> Self {
        let log = parsed("a log format", "write \"json\", \"pretty\" or \"off\"", LogFormat::named);
        Self {
            prometheus: table.value("prometheus", &address()),
            log: table.value("log", &log).unwrap_or_default(),
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Pretty,
    /// Nothing.
    Off,
}

impl LogFormat {
    fn named(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "pretty" => Some(Self::Pretty),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub struct Storage {
    pub path: PathBuf,
}

impl Default for Storage {
    fn default() -> Self {
        Self { path: PathBuf::from("rad-monitor.db") }
    }
}

impl Storage {
    fn read(table: &mut Table<'_>) -> Self {
        let file = parsed("the name of a file", "write it as a text, such as \"rad-monitor.db\"", |text| {
            (!text.is_empty()).then(|| PathBuf::from(text))
        });
        Self { path: table.value("path", &file).unwrap_or(Self::default().path) }
    }
}

#[derive(Debug)]
pub struct Sample {
    pub legacy: SocketAddr,
    pub candidate: SocketAddr,
    pub requests_per_second: u32,
}

impl Sample {
    fn read(table: &mut Table<'_>) -> Self {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            legacy: table.required("legacy", &address()).unwrap_or(any_port),
            candidate: table.required("candidate", &address()).unwrap_or(any_port),
            requests_per_second: table
                .value("requests_per_second", &whole(0..=LabState::MAX_RATE, None))
                .unwrap_or_default(),
        }
    }
}

#[derive(Debug)]
pub struct Route {
    /// Its name in errors.
    pub key: String,
    pub path: String,
    pub upstream: Option<String>,
    pub rollout: Option<String>,
    pub rewrite: Option<String>,
    pub limits: Option<Vec<Quota>>,
    pub strategy: Option<Strategy>,
    pub burst: Option<u32>,
    pub shadow: bool,
    pub limit_headers: Option<LimitHeaders>,
    pub limit_wait: Option<Duration>,
    pub limit_waiting: Option<u32>,
    pub queue: Option<Queue>,
    pub cache: Option<RouteCache>,
    pub retry: Option<Retry>,
    pub hedge: Option<Hedge>,
    pub fallback: Option<Fallback>,
    pub counted_by: KeySource,
}

impl Route {
    fn read(table: &mut Table<'_>) -> Self {
        // A number in a list says little to whoever looks for a route.
        if let Some(path) = table.peek("path") {
            table.call(format!("{} ({path:?})", table.key()));
        }
        Self {
            key: table.key().to_owned(),
            path: table.required("path", &text("write a prefix, such as \"/search\"")).unwrap_or_default(),
            upstream: table.value("upstream", &text("write the name of an upstream")),
            rollout: table.value("rollout", &text("write the name of a rollout")),
            rewrite: table.value("rewrite", &text("write a path, such as \"/_search\"")),
            limits: table.list("limits", &limit::quota()),
            strategy: table.value("strategy", &limit::strategy()),
            burst: table.value("burst", &whole(1..=u32::MAX, None)),
            shadow: table.value("shadow", &flag()).unwrap_or_default(),
            limit_headers: limit::headers(table),
            limit_wait: table.value("limit_wait", &limit::wait()),
            limit_waiting: table.value("limit_waiting", &whole(1..=MAX_WAITING, None)),
            queue: table.table("queue", Queue::read),
            cache: table.table("cache", RouteCache::read),
            retry: table.table("retry", Retry::read),
            hedge: table.table("hedge", Hedge::read),
            fallback: table.table("fallback", Fallback::read),
            counted_by: table.value("key", &limit::key_source()).unwrap_or(KeySource::Client),
        }
    }
}

fn some_time() -> Kind<Duration> {
    duration(MIN_DURATION..=MAX_DURATION)
}

fn share() -> Kind<Share> {
    number("a share", "write a number of percent, 0 to 100", Share::from_percent)
}

pub(super) fn flag() -> Kind<bool> {
    Kind::new("a switch", "write true or false", |value| match value {
        Value::Boolean(on) => Ok(*on),
        _ => Err(Wrong::Kind),
    })
}

fn network() -> Kind<IpNet> {
    let how = "write a CIDR or an address, such as \"10.0.0.0/8\" or \"127.0.0.1\"";
    parsed("a network", how, |text| {
        // A bare address is the network of it alone.
        let alone = || text.parse::<std::net::IpAddr>().map(IpNet::from).ok();
        text.parse().ok().or_else(alone)
    })
}
