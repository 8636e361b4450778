//! What the gateway is made of: fixed while the configuration stays the same.
//!
//! Ticks name routes, breakers and rollouts by their position in these lists.

use serde::{Deserialize, Serialize};

use crate::{Quota, Share};

/// Routes, breakers and rollouts of the running configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    pub routes: Vec<Route>,
    pub breakers: Vec<BreakerInfo>,
    pub rollouts: Vec<RolloutInfo>,
    /// Whether the sample upstreams run, and with them the Lab.
    pub lab: bool,
    /// Whether who changes something has to say why: so it is in production.
    #[serde(default)]
    pub reasons: bool,
}

/// One route of the gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// The path prefix that it answers.
    pub path: String,
    pub to: Destination,
    /// All of these must allow a request; empty: not limited.
    pub limits: Vec<Quota>,
    /// What the limits count by, as configured: `client`, `org`, `header:NAME` or `global`.
    pub key: String,
    /// The limits count, and reject nobody.
    #[serde(default)]
    pub shadow: bool,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Destination {
    /// An upstream, by name.
    Upstream(String),
    /// A rollout, by name.
    Rollout(String),
    /// A fixed answer of the gateway itself.
    Static,
}

/// One breaker. There is one for each target of an upstream; addresses are not shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerInfo {
    /// The upstream's name; with a number (`search 2`) where it has several targets.
    pub name: String,
    /// The upstream's name.
    pub upstream: String,
    /// Failures in a row that open it, if that does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consecutive_failures: Option<u32>,
    /// Successful probes that close it.
    pub successes_to_close: u32,
}

/// One rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolloutInfo {
    pub name: String,
    /// Name of the upstream that serves today.
    pub legacy: String,
    /// Name of the upstream that is to take over.
    pub candidate: String,
    /// The shares that the plan goes through.
    pub stages: Vec<Share>,
    /// Share of requests that must succeed, 0 to 1.
    pub target_success: f64,
}
