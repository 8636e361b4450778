//! The real program, started on free ports, spoken to over real sockets, in front of real upstreams.

// In a test a panic is the way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod api_errors;
mod assignment;
mod attempts;
mod audit;
mod audit_kinds;
mod blocking;
mod bodies;
mod breaker_switches;
mod breaking;
mod caching;
mod client_origins;
mod client_script;
mod connections;
mod csrf;
mod fallbacks;
mod faults;
mod first_login;
mod flags;
mod limits;
mod live;
mod login;
mod login_limits;
mod logs;
mod ofrep;
mod overrides;
mod page_policy;
mod problems;
mod process;
mod proxying;
mod queueing;
mod resilience;
mod roles;
mod rollouts;
mod schedules;
mod scrape;
mod shadow;
mod site;
mod stages;
mod support;
mod tokens;
