//! Rate limits and circuit breakers for any program.
//!
//! No HTTP framework, no storage engine, no clock of its own: every decision takes the time as a
//! parameter, so that a year of idle or a clock that jumps is an ordinary test.
//!
//! ```
//! use rad_resilience::{Limiter, SystemClock, Clock};
//!
//! let clock = SystemClock::new();
//! let limiter = Limiter::new(&["2/minute".parse()?, "100/hour".parse()?], 10_000);
//! assert!(limiter.check(&"ada", clock.now()).is_some_and(|decision| decision.allowed));
//! # Ok::<(), rad_model::quota::InvalidQuota>(())
//! ```

// `--cfg loom` is given by whoever runs the tests of our own atomics.
#![allow(unexpected_cfgs)]

pub mod breaker;
pub mod clock;
pub mod hedge;
pub mod layer;
pub mod limiter;
pub mod retry;

pub use breaker::{Breaker, BreakerPolicy, BreakerSettings, Mode, Outcome, Permit, Rejection, Transition};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use limiter::{Decision, Limiter};
pub use retry::{Idempotency, RetryBudget, RetryPolicy, RetrySettings, retry};
