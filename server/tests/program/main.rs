//! The real program, started on free ports, spoken to over real sockets, in front of real upstreams.

mod api;
mod breaking;
mod faults;
mod live;
mod logs;
mod process;
mod proxying;
mod rollouts;
mod support;
