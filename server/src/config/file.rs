//! The file as it is written. Field names are the configuration's keys: a contract.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use rad_model::{Quota, Share};
use serde::{Deserialize, Deserializer};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    #[serde(default)]
    pub console: Console,
    #[serde(default)]
    pub gateway: Gateway,
    #[serde(default)]
    pub telemetry: Telemetry,
    #[serde(default)]
    pub storage: Storage,
    pub sample: Option<Sample>,
    #[serde(default)]
    pub upstreams: BTreeMap<String, Upstream>,
    #[serde(default)]
    pub rollouts: BTreeMap<String, Rollout>,
    #[serde(default)]
    pub routes: Vec<Route>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Console {
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
}

impl Default for Console {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8000)) }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    pub workers: usize,
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    pub max_keys: usize,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            workers: 0,
            trusted_proxies: Vec::new(),
            max_keys: 100_000,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    pub prometheus: Option<SocketAddr>,
    pub log: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Pretty,
    /// Nothing.
    Off,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    pub path: PathBuf,
}

impl Default for Storage {
    fn default() -> Self {
        Self { path: PathBuf::from("rad-monitor.db") }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    pub legacy: SocketAddr,
    pub candidate: SocketAddr,
    #[serde(default)]
    pub requests_per_second: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    pub targets: Vec<String>,
    #[serde(default = "thirty_seconds", deserialize_with = "duration")]
    pub timeout: Duration,
    #[serde(default = "five_seconds", deserialize_with = "duration")]
    pub connect_timeout: Duration,
    #[serde(default)]
    pub breaker: Breaker,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    pub consecutive_failures: u32,
    #[serde(deserialize_with = "duration")]
    pub open_for: Duration,
    pub successes_to_close: u32,
    #[serde(deserialize_with = "duration")]
    pub half_open_for: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        let rad_resilience::BreakerSettings {
            consecutive_failures,
            open_for,
            successes_to_close,
            half_open_for,
        } = rad_resilience::BreakerSettings::default();
        Self { consecutive_failures, open_for, successes_to_close, half_open_for }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    pub legacy: String,
    pub candidate: String,
    #[serde(default)]
    pub percent: Share,
    #[serde(default = "stages")]
    pub stages: Vec<Share>,
    #[serde(default = "target_success")]
    pub target_success: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    pub path: String,
    pub upstream: Option<String>,
    pub rollout: Option<String>,
    pub rewrite: Option<String>,
    pub limits: Option<Vec<Quota>>,
    #[serde(default = "client")]
    pub key: String,
}

fn thirty_seconds() -> Duration {
    Duration::from_secs(30)
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn stages() -> Vec<Share> {
    [10, 25, 50, 100].into_iter().filter_map(|percent| Share::from_percent(f64::from(percent))).collect()
}

fn target_success() -> f64 {
    0.995
}

fn client() -> String {
    "client".to_owned()
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        serde::de::Error::custom(format!(
            "{text:?} is no address to listen on: write IP:PORT, for example \"127.0.0.1:8080\" or \"[::1]:8080\""
        ))
    })
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let parse = |text: &String| {
        // A bare address is the network of it alone.
        let alone = || text.parse::<std::net::IpAddr>().map(IpNet::from).ok();
        text.parse::<IpNet>().ok().or_else(alone).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "{text:?} is no network: write a CIDR or an address, for example \"10.0.0.0/8\" or \"127.0.0.1\""
            ))
        })
    };
    texts.iter().map(parse).collect()
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|_| {
        serde::de::Error::custom(format!(
            "{text:?} is no duration: write a number and a unit, for example \"500ms\", \"30s\", \"5m\" or \"1h\""
        ))
    })
}
