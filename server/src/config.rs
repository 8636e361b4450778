//! What an operator writes, checked.
//!
//! [`tree`] is the text as values that know their line; [`file`] takes its keys out of that, each by its
//! kind ([`read`]) after profile and environment have been laid over it ([`overlay`]); [`check`] turns them into a [`Settings`] that the rest of the program can rely on. None
//! of them stops at the first error: everything that is wrong is said at once.

mod auth;
mod block;
mod check;
mod file;
mod overlay;
mod read;
mod tree;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use rad_model::{Quota, Share};
use rad_resilience::cache::Freshness;
use rad_resilience::retry::RetryBudgetSettings;
use rad_resilience::{BlockPolicy, BreakerPolicy, Bulkhead, CacheSettings, Policy, RetryPolicy};

use crate::rollout::flags::Flag;
use crate::rollout::shadow::ShadowSettings;
use crate::rollout::{AssignBy, Calendar, LatencyGuard, Overrides, Stages, Target};

pub use auth::{ACCOUNT_NAME, AuthSettings, SecretError, is_account_name};
pub use file::LogFormat;
pub use overlay::{Overlay, Profile};

/// The configuration of a first run.
pub const SHIPPED: &str = include_str!("../rad-monitor.toml");

/// A configuration that has been checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For which surroundings the program runs, if that was said.
    pub profile: Option<Profile>,
    pub console: SocketAddr,
    /// Names by which the console is reached, in small letters.
    pub hosts: Vec<String>,
    /// Nobody has to log in if absent: on loopback only.
    pub auth: Option<AuthSettings>,
    /// Pages of these may use what the console has for pages outside; as browsers write them.
    pub origins: Vec<http::HeaderValue>,
    pub gateway: GatewaySettings,
    pub prometheus: Option<SocketAddr>,
    pub log: LogFormat,
    pub storage: PathBuf,
    pub sample: Option<SampleSettings>,
    /// Of all routes that keep answers.
    pub cache: CacheSettings,
    /// What answers that are to be kept may take while they are collected, all of them.
    pub collecting_bytes: u64,
    pub upstreams: Vec<UpstreamSettings>,
    pub rollouts: Vec<RolloutSettings>,
    pub routes: Vec<RouteSettings>,
    pub flags: Vec<FlagSettings>,
}

/// How a flag begins.
#[derive(Clone, Debug, PartialEq)]
pub struct FlagSettings {
    pub key: String,
    pub flag: Flag,
}

#[derive(Clone, Debug)]
pub struct GatewaySettings {
    pub listen: SocketAddr,
    /// At least 1.
    pub workers: usize,
    pub trusted_proxies: Vec<IpNet>,
    /// How many keys each route's limits remember.
    pub max_keys: usize,
    /// When a client is blocked for its rejections; only by hand if absent.
    pub block: Option<BlockPolicy>,
}

#[derive(Clone, Debug)]
pub struct SampleSettings {
    pub legacy: SocketAddr,
    pub candidate: SocketAddr,
    pub requests_per_second: u32,
}

#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    pub name: String,
    /// At least one.
    pub targets: Vec<TargetSettings>,
    /// Time to the head of an answer, and between two parts of its body.
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub breaker: BreakerPolicy,
}

/// Where an upstream listens. Not shown to anybody.
#[derive(Clone, PartialEq, Eq)]
pub struct TargetSettings {
    pub host: String,
    pub port: u16,
    /// Put before the path of each request; empty or beginning with a slash, never ending with one.
    pub base: String,
}

impl fmt::Debug for TargetSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(address hidden)")
    }
}

#[derive(Clone, Debug)]
pub struct RolloutSettings {
    pub name: String,
    /// Positions in [`Settings::upstreams`].
    pub legacy: usize,
    pub candidate: usize,
    pub share: Share,
    pub stages: Stages,
    /// Requests without which nothing is passed.
    pub least: u64,
    pub target: Target,
    pub assign: AssignBy,
    /// By what testers choose their side, if they may.
    pub overrides: Option<Overrides>,
    pub latency: Option<LatencyGuard>,
    /// When it starts by itself, milliseconds since 1970.
    pub start_at: Option<u64>,
    pub calendar: Calendar,
    pub shadow: ShadowSettings,
}

#[derive(Clone, Debug)]
pub struct RouteSettings {
    pub path: String,
    pub action: Action,
    /// What the matched prefix is replaced with, if it is.
    pub rewrite: Option<String>,
    /// `None` where nothing is limited.
    pub policy: Option<Policy>,
    pub key: KeySource,
    pub limit_headers: LimitHeaders,
    pub limit_wait: Option<LimitWaitSettings>,
    pub queue: Option<QueueSettings>,
    pub cache: Option<RouteCacheSettings>,
    pub retry: Option<RetryRouteSettings>,
    pub hedge: Option<HedgeSettings>,
    pub fallback: Option<FallbackSettings>,
}

/// Requests over their limit may wait for their turn.
#[derive(Clone, Copy, Debug)]
pub struct LimitWaitSettings {
    pub max_wait: Duration,
    /// The most that wait at a time.
    pub waiting: usize,
}

/// How a route asks once more before the first answer is there.
#[derive(Clone, Copy, Debug)]
pub struct HedgeSettings {
    pub after: Duration,
    /// Attempts beyond the first.
    pub max: u32,
}

#[derive(Clone, Debug)]
pub struct QueueSettings {
    pub bulkhead: Bulkhead,
    /// The header that says how urgent a request is.
    pub priority: Option<http::HeaderName>,
}

#[derive(Clone, Debug)]
pub struct RouteCacheSettings {
    pub freshness: Freshness,
    pub tags: Vec<String>,
    pub methods: Vec<http::Method>,
}

#[derive(Clone, Debug)]
pub struct RetryRouteSettings {
    pub policy: RetryPolicy,
    pub statuses: Vec<u16>,
    pub budget: RetryBudgetSettings,
}

#[derive(Clone, Debug)]
pub enum FallbackSettings {
    Answer {
        status: http::StatusCode,
        content_type: http::HeaderValue,
        body: String,
    },
    /// Position in [`Settings::upstreams`].
    Upstream(usize),
}

impl RouteSettings {
    /// The windows of its limits.
    #[must_use]
    pub fn limits(&self) -> &[Quota] {
        self.policy.as_ref().map_or(&[], Policy::quotas)
    }
}

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Position in [`Settings::upstreams`].
    Upstream(usize),
    /// Position in [`Settings::rollouts`].
    Rollout(usize),
    /// `{"status": "ok"}`, from the gateway itself.
    Ok,
}

/// The fields by which callers are told where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitHeaders {
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
    pub x_ratelimit: bool,
    /// `RateLimit` and `RateLimit-Policy`.
    pub draft: bool,
}

impl Default for LimitHeaders {
    fn default() -> Self {
        Self { x_ratelimit: true, draft: true }
    }
}

/// What limits count by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    Client,
    /// The header that names an organisation, `X-Org-Id`.
    Org,
    Header(http::HeaderName),
    Cookie(String),
    /// All requests of the route together.
    Route,
    /// As [`KeySource::Route`]: each route counts on its own.
    Global,
    /// All of these together, two at least.
    Composite(Vec<KeySource>),
}

impl KeySource {
    /// The header that `org` reads.
    pub const ORG_HEADER: http::HeaderName = http::HeaderName::from_static(Self::ORG);
    pub const ORG: &'static str = "x-org-id";
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Org => f.write_str("org"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Route => f.write_str("route"),
            Self::Global => f.write_str("global"),
            Self::Composite(parts) => {
                let parts: Vec<_> = parts.iter().map(ToString::to_string).collect();
                f.write_str(&parts.join(" + "))
            }
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{origin}: {} wrong:\n{}", count(problems.len()), list(problems))]
    Invalid { origin: String, problems: Vec<Problem> },
}

/// Something wrong with a key.
#[derive(Debug)]
pub struct Problem {
    origin: tree::Origin,
    /// Empty where it is a line that cannot be read.
    key: String,
    wrong: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.key)?;
        if !self.key.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&self.wrong)
    }
}

fn count(problems: usize) -> String {
    if problems == 1 { "one thing is".to_owned() } else { format!("{problems} things are") }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
}

impl Settings {
    /// Whether who changes something has to say why.
    #[must_use]
    pub fn needs_reasons(&self) -> bool {
        self.profile == Some(Profile::Production)
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// Says which file, line or key, what is wrong and what is allowed.
    pub fn load(path: &Path, overlay: &Overlay) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, &path.display().to_string(), overlay)
    }

    /// Checks a text; `origin` names it in errors.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn parse(text: &str, origin: &str, overlay: &Overlay) -> Result<Self, ConfigError> {
        let invalid = |problems| ConfigError::Invalid { origin: origin.to_owned(), problems };
        let mut entries = tree::parse(text).map_err(invalid)?;
        let mut problems = read::Problems::default();
        overlay.apply(&mut entries, &mut problems);
        let mut settings = check::check(file::File::read(entries, &mut problems), &mut problems);
        settings.profile = overlay.profile;
        match problems.into_sorted() {
            none if none.is_empty() => Ok(settings),
            problems => Err(invalid(problems)),
        }
    }
}

#[cfg(test)]
mod tests;
