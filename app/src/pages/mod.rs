//! The pages.

mod audit;
mod breakers;
mod cache;
mod flags;
mod lab;
mod limits;
mod missing;
mod overview;
mod part;
mod query;
mod queues;
mod rollouts;
#[cfg_attr(not(split), path = "whole.rs")]
mod split;

pub use audit::asks as audit_asks;
pub use missing::Missing;
pub use overview::Overview;
pub use part::Part;

#[cfg(feature = "hydrate")]
pub use split::load;

/// Every breaker, and one of them in full.
pub const BREAKERS: Part = Part::new("breakers", || Box::pin(split::breakers()));
/// Who hits which limit, and who is blocked.
pub const LIMITS: Part = Part::new("limits", || Box::pin(split::limits()));
/// What holds a place, and what waits.
pub const QUEUES: Part = Part::new("queues", || Box::pin(split::queues()));
/// What is kept, what that saves, and how to invalidate it.
pub const CACHE: Part = Part::new("cache", || Box::pin(split::cache()));
/// A search through the whole pipeline.
pub const QUERY: Part = Part::new("query", || Box::pin(split::query()));
/// Where each rollout is, and what moves it.
pub const ROLLOUTS: Part = Part::new("rollouts", || Box::pin(split::rollouts()));
/// Every feature flag, and one of them in full.
pub const FLAGS: Part = Part::new("flags", || Box::pin(split::flags()));
/// Who did what, and why.
pub const AUDIT: Part = Part::new("audit", || Box::pin(split::audit()));
/// The knobs of the sample upstreams.
pub const LAB: Part = Part::new("lab", || Box::pin(split::lab()));

/// The heading of the page at a path.
#[must_use]
pub fn title(path: &str) -> &'static str {
    // What follows the first part names something on the page.
    match path.split('/').nth(1).unwrap_or_default() {
        "" => "Overview",
        "breakers" => "Breakers",
        "limits" => "Limits",
        "queues" => "Queues",
        "cache" => "Cache",
        "query" => "Query",
        "rollouts" => "Rollouts",
        "flags" => "Flags",
        "audit" => "Audit",
        "lab" => "Lab",
        _ => "Not found",
    }
}

/// What the window is called.
#[must_use]
pub fn document_title(path: &str) -> String {
    format!("{} · RAD Monitor", title(path))
}
