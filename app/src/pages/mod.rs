//! The pages.

mod breakers;
mod lab;
mod missing;
mod overview;

pub use breakers::BreakersPage;
pub use lab::Lab;
pub use missing::Missing;
pub use overview::Overview;

/// The heading of the page at a path.
#[must_use]
pub fn title(path: &str) -> &'static str {
    // What follows the first part names something on the page.
    match path.split('/').nth(1).unwrap_or_default() {
        "" => "Overview",
        "breakers" => "Breakers",
        "lab" => "Lab",
        _ => "Not found",
    }
}

/// What the window is called.
#[must_use]
pub fn document_title(path: &str) -> String {
    format!("{} · RAD Monitor", title(path))
}
