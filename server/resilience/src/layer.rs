//! The same objects as Tower layers, for any request and error.

pub mod bulkhead;
pub mod fallback;

pub use bulkhead::BulkheadLayer;
pub use fallback::FallbackLayer;
