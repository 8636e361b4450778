//! The data plane: what happens to a request, in order.
//!
//! ```text
//! accept → match → block → limit → rollout → cache → queue → breaker → retry → forward → fallback
//! ```
//! Each step is a file; [`pipeline::handle`] is the order. One single-threaded runtime per core runs all
//! steps of a request, so that nothing on its way is locked or moved between cores.

mod access;
pub mod answer;
pub mod block;
mod body;
mod breaker;
mod cached;
mod call;
mod choice;
mod client;
mod connection;
mod fallback;
mod forward;
mod headers;
mod limit;
mod path;
mod pipeline;
mod plan;
mod pool;
mod request_id;
mod router;
mod shadow;
mod ticket;
mod worker;

pub use call::{CallError, Caller};
pub use client::{Peer, identity};
pub use plan::{Plan, PlanError, Route, Target};
pub use worker::{Gateway, Parts};
