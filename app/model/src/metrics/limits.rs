//! What `GET /api/limits` and `GET /api/blocked` answer.

use serde::{Deserialize, Serialize};

use crate::Quota;

/// One of `GET /api/limits`: a route's policy, who uses it, and how full its table of keys is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteLimits {
    pub path: String,
    pub limits: Vec<Quota>,
    /// What it counts by: `client`, `org`, `header:NAME`, `cookie:NAME`, `route` or `global`, or several of them,
    /// as in `client + header:x-tenant`.
    pub key: String,
    /// `token_bucket`, `leaky_bucket`, `sliding_window` or `fixed_window`.
    pub strategy: String,
    /// What the shortest window allows at once, where that is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// It counts, and rejects nobody.
    pub shadow: bool,
    /// Since the start, or since the counters were reset.
    pub rejected: u64,
    /// Requests of blocked clients, which are not among the rejected.
    #[serde(default)]
    pub blocked: u64,
    /// Let in, though limits that were not in shadow would have rejected them.
    pub shadow_rejected: u64,
    /// Let in after they had waited for their turn, where the route lets them.
    #[serde(default)]
    pub limit_waited: u64,
    /// Waiting for their turn at this moment.
    #[serde(default)]
    pub limit_waiting: u64,
    pub keys: u64,
    pub max_keys: u64,
    /// Keys forgotten before their windows were whole, because there were too many.
    pub evicted: u64,
    pub memory_bytes: u64,
    /// What the policy is, for people.
    #[serde(default)]
    pub says: String,
    /// What it has counted, for people.
    #[serde(default)]
    pub counted: String,
    /// The keys that use the largest share, the fullest first.
    pub top: Vec<KeyUse>,
    /// The keys that were rejected, or would have been but for the shadow, most often in the last minute.
    #[serde(default)]
    pub most_rejected: Vec<RejectedKey>,
}

/// How often a key was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedKey {
    pub key: String,
    /// In the last minute.
    pub rejected: u64,
}

/// How much of its limit a key uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyUse {
    pub key: String,
    /// The window of which the largest share is used.
    pub limit: Quota,
    pub used: u32,
    /// What the window allows at once.
    pub capacity: u32,
    /// When the window is whole again, milliseconds from now.
    pub reset_ms: u64,
    /// How much is used of what, for people.
    #[serde(default)]
    pub says: String,
}

/// One of `GET /api/blocked`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockedAddress {
    /// IPv6 by /64.
    pub address: String,
    /// Milliseconds since 1970; for good if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    pub reason: String,
    /// By a person, not by its rejections.
    pub by_hand: bool,
    /// The how manieth time in a row this is.
    pub repetition: u32,
    /// Requests that the block has turned away.
    #[serde(default)]
    pub refused: u64,
    /// The reason and what the block has turned away, for people.
    #[serde(default)]
    pub why: String,
    /// Names this block: another one of the same address has another name.
    #[serde(default)]
    pub rule: String,
    /// Who blocked it, for people.
    #[serde(default)]
    pub by: String,
}
