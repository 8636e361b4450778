//! Tokio's time as a clock.

use std::sync::OnceLock;

use tokio::time::Instant;

use crate::clock::nanos;
use crate::{Clock, Timestamp};

/// The clock that Tokio's timers follow, also where a test has paused it. All of a process share an origin.
///
/// ```
/// use rad_resilience::{Clock, retry::TokioClock};
///
/// assert!(TokioClock.now() <= TokioClock.now());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        let now = Instant::now();
        Timestamp::from_nanos(nanos(now.saturating_duration_since(*ORIGIN.get_or_init(|| now))))
    }
}
