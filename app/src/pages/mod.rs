//! The pages.

mod breakers;
mod cache;
mod lab;
mod limits;
mod missing;
mod overview;
mod query;
mod queues;

pub use breakers::BreakersPage;
pub use cache::CachePage;
pub use lab::Lab;
pub use limits::LimitsPage;
pub use missing::Missing;
pub use overview::Overview;
pub use query::QueryPage;
pub use queues::QueuesPage;

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
        "lab" => "Lab",
        _ => "Not found",
    }
}

/// What the window is called.
#[must_use]
pub fn document_title(path: &str) -> String {
    format!("{} · RAD Monitor", title(path))
}
