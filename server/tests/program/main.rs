//! The real program, started on free ports, spoken to over real sockets, in front of real upstreams.

// In a test a panic is the way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod api_errors;
mod attempts;
mod audit;
mod audit_kinds;
mod blocking;
mod bodies;
mod breaker_switches;
mod breaking;
mod caching;
mod connections;
mod fallbacks;
mod faults;
mod limits;
mod live;
mod logs;
mod problems;
mod process;
mod proxying;
mod queueing;
mod resilience;
mod rollouts;
mod scrape;
mod site;
mod stages;
mod support;
