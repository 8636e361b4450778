//! The same as Tower layers.

pub mod limit;

pub use limit::{LimitError, LimitLayer};
