//! The same objects as Tower layers, for any request and error.

pub mod breaker;
pub mod bulkhead;
pub mod fallback;
pub mod hedge;
pub mod limit;
pub mod retry;

pub use breaker::BreakerLayer;
pub use bulkhead::BulkheadLayer;
pub use fallback::FallbackLayer;
pub use hedge::HedgeLayer;
pub use limit::{LimitError, LimitLayer};
pub use retry::RetryLayer;
