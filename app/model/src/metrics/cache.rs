//! What `GET /api/cache` answers.

use serde::{Deserialize, Serialize};

/// The cache at a moment, and what it did since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CacheMetrics {
    pub entries: u64,
    /// What they take with all that it takes to keep them, and what they may take.
    pub bytes: u64,
    pub max_bytes: u64,
    /// The part of lookups that were served at once, 0 to 1.
    pub hit_rate: f64,
    /// The part of lookups that cost no call of an upstream, 0 to 1.
    pub saved: f64,
    pub hits: u64,
    /// Old answers, served while they were loaded anew.
    pub stale_hits: u64,
    /// Old answers, served because their load failed.
    pub stale_on_error: u64,
    pub misses: u64,
    /// Misses that another request's answer served.
    pub coalesced: u64,
    /// Misses that went to the upstream beside each other, because such answers had turned out not to be kept.
    #[serde(default)]
    pub passed: u64,
    pub loads: u64,
    pub load_failures: u64,
    /// Answers that left for want of room.
    pub evictions: u64,
    /// Answers that were too long to be kept.
    pub too_large: u64,
    pub invalidations: u64,
    pub routes: Vec<CachedRoute>,
}

/// How a route's answers are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CachedRoute {
    pub path: String,
    pub ttl_ms: u64,
    /// How long after that an answer is served while it is loaded anew, and while the upstream fails.
    pub stale_while_revalidate_ms: u64,
    pub stale_if_error_ms: u64,
    pub tags: Vec<String>,
    pub methods: Vec<String>,
    /// Lookups that were answered from the cache, and those that went to the upstream.
    pub served: u64,
    pub loaded: u64,
}
