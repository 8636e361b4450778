//! The pages.

mod lab;
mod missing;
mod overview;

pub use lab::Lab;
pub use missing::Missing;
pub use overview::Overview;
