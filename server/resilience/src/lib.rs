//! Rate limits and circuit breakers for any program.
//!
//! No HTTP framework, no storage engine, no clock of its own: every decision takes the time as a
//! parameter, so that a year of idle or a clock that jumps is an ordinary test.
//!
//! ```
//! use rad_resilience::{Clock, Limiter, Policy, Strategy, SystemClock};
//!
//! let clock = SystemClock::new();
//! let policy = Policy::new(Strategy::TokenBucket, &["2/minute".parse()?, "100/hour".parse()?])?;
//! let limiter = Limiter::new(policy, 10_000);
//! assert!(limiter.check(&"ada", clock.now()).allowed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod block;
pub mod breaker;
pub mod clock;
pub mod conformance;
pub mod layer;
pub mod limiter;
mod table;

pub use block::{BlockPolicy, BlockReason, Blocked, Blocklist, InvalidBlockPolicy};
pub use breaker::{Breaker, BreakerSettings, Outcome, Permit, Rejection, Transition};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp, TokioClock};
pub use limiter::{
    Decision, DirectLimiter, InvalidPolicy, Limiter, NotReady, Policy, RateLimit, Stats, Strategy, Usage,
};
