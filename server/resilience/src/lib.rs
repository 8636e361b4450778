//! What keeps a program standing while others fall: limits, circuit breakers, retries with a budget, hedging,
//! bulkheads with a queue, caches, fallbacks and dead letters.
//!
//! No HTTP framework, no storage engine, no clock of its own: every decision takes the time as a
//! parameter, so that a year of idle or a clock that jumps is an ordinary test. Everything comes as plain
//! objects, and as Tower layers in [`layer`].
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
pub mod bulkhead;
pub mod cache;
pub mod clock;
pub mod conformance;
pub mod dead_letter;
pub mod fallback;
pub mod heavy_hitters;
pub mod hedge;
pub mod layer;
pub mod limiter;
pub mod retry;
pub mod safe_call;
mod sync;
mod table;

pub use block::{BlockPolicy, BlockReason, Blocked, Blocklist, InvalidBlockPolicy};
pub use breaker::{Breaker, BreakerPolicy, BreakerSettings, Mode, Outcome, Permit, Rejection, Transition};
pub use bulkhead::{Bulkhead, BulkheadRejection, BulkheadSettings, Priority};
pub use cache::{Cache, CacheFigures, CacheKey, CachePolicy, CacheSettings, Freshness, Tier};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp, TokioClock};
pub use dead_letter::{DeadLetter, DeadLetters, MemoryDeadLetters};
pub use fallback::Fallback;
pub use heavy_hitters::HeavyHitters;
pub use hedge::{HedgeDelay, hedge};
pub use limiter::{
    Decision, DirectLimiter, InvalidPolicy, Limiter, NotReady, Policy, RateLimit, Standings, Stats, Strategy,
    Usage,
};
pub use retry::{Idempotency, RetryBudget, RetryPolicy, RetrySettings, retry};
pub use safe_call::SafeCall;
