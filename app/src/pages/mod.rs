//! The pages.

mod lab;
mod missing;
mod overview;

pub use lab::Lab;
pub use missing::Missing;
pub use overview::Overview;

/// The heading of the page at a path.
#[must_use]
pub fn title(path: &str) -> &'static str {
    match path.trim_end_matches('/') {
        "" => "Overview",
        "/lab" => "Lab",
        _ => "Not found",
    }
}

/// What the window is called.
#[must_use]
pub fn document_title(path: &str) -> String {
    format!("{} · RAD Monitor", title(path))
}
