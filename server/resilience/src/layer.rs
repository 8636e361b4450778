//! The same as Tower layers.

pub mod breaker;
pub mod hedge;
pub mod retry;

pub use breaker::BreakerLayer;
pub use hedge::HedgeLayer;
pub use retry::RetryLayer;
