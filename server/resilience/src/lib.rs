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

pub mod breaker;
pub mod bulkhead;
pub mod cache;
pub mod clock;
pub mod dead_letter;
pub mod fallback;
pub mod layer;
pub mod limiter;
pub mod safe_call;

pub use breaker::{Breaker, BreakerSettings, Outcome, Permit, Rejection, Transition};
pub use bulkhead::{Bulkhead, BulkheadRejection, BulkheadSettings, Priority};
pub use cache::{Cache, CacheFigures, CacheKey, CachePolicy, CacheSettings, Freshness, Tier};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use dead_letter::{DeadLetter, DeadLetters, MemoryDeadLetters};
pub use fallback::Fallback;
pub use limiter::{Decision, Limiter};
pub use safe_call::SafeCall;
