//! Additive increase, multiplicative decrease.

use super::{InvalidAdaptive, LimitBounds, Window};

/// One more after each window that the limit held back and nothing was dropped in; a part less after one with
/// drops. Doubles until the first drop. Chiu and Jain (1989); TCP's slow start; the words are those of
/// Netflix's concurrency-limits.
///
/// It takes no notice of latency: for targets that say by errors or timeouts when they have too much.
///
/// ```
/// use rad_resilience::bulkhead::adaptive::{Aimd, LimitBounds};
/// use rad_resilience::bulkhead::{Bulkhead, BulkheadSettings};
///
/// let aimd = Aimd::new(LimitBounds::new(5, 200)?, 0.9)?;
/// let bulkhead = Bulkhead::adaptive(BulkheadSettings { limit: 20, ..Default::default() }, aimd.into())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Aimd {
    bounds: LimitBounds,
    backoff: f64,
    started: bool,
}

impl Aimd {
    /// Within `bounds`; after drops `backoff` of the limit is left, 0.5 to 0.99 (0.9 is usual).
    ///
    /// # Errors
    /// [`InvalidAdaptive::Backoff`] out of these bounds.
    pub fn new(bounds: LimitBounds, backoff: f64) -> Result<Self, InvalidAdaptive> {
        if !(0.5..=0.99).contains(&backoff) {
            return Err(InvalidAdaptive::Backoff(backoff));
        }
        Ok(Self { bounds, backoff, started: false })
    }

    pub(super) fn next(&mut self, limit: f64, window: &Window) -> f64 {
        let next = if window.drops > 0.0 {
            self.started = true;
            limit * self.backoff
        } else if window.wanted < limit {
            // The limit held nobody back, so that this says nothing about a higher one.
            limit
        } else if self.started {
            limit + 1.0
        } else {
            limit * 2.0
        };
        self.bounds.clamp(next)
    }
}
