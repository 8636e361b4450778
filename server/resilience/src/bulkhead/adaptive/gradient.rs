//! Gradient: the limit follows the ratio of the usual latency to the present one.

use super::{InvalidAdaptive, LimitBounds, Window};

/// Seconds over which the baseline follows the latency while there is room.
const BASELINE_SECONDS: f64 = 600.0;
/// The same when latency falls, or is learned anew at the lowest limit.
const RELEARN_SECONDS: f64 = 5.0;
/// Latency up to this multiple of the baseline is called unchanged.
const FLAT: f64 = 1.1;
/// When the limit has fallen to this part of what it was at the highest latency, it is seen whether that helped.
const LOWERED: f64 = 0.7;
/// A queue would have become as much shorter; latency that is still this part of what it was is no queue's.
const NO_QUEUE: f64 = 0.85;
/// The limit never falls faster than by this factor (before smoothing).
const STEEPEST: f64 = 0.5;

/// Netflix's Gradient2 (concurrency-limits), with its two weak points mended.
///
/// After each window: `gradient = tolerance × baseline ÷ latency`, between 0.5 and 1, and the limit moves by
/// `smoothing` towards `limit × gradient + √limit`. The root lets the limit grow and keeps a short queue at
/// the target, which is how more capacity is noticed. While less than half of the limit is used, it stays.
///
/// - Gradient2's baseline is a long average, so that a lasting overload becomes the new normal and the limit
///   runs away. Here the baseline rises only while requests have room (less than half of the limit is
///   used), and falls within seconds when latency does. If latency rises for good for another reason, a lower limit does
///   not lower it, as it would a queue (Little's law: at full use, latency is in proportion to what is in
///   flight); what is measured then becomes the baseline within seconds.
/// - Gradient2 adds a few places a second. Here the limit doubles with each window in which it held requests
///   back and latency was as usual.
///
/// ```
/// use rad_resilience::bulkhead::adaptive::{Gradient, LimitBounds};
/// use rad_resilience::bulkhead::{Bulkhead, BulkheadSettings};
///
/// let gradient = Gradient::new(LimitBounds::new(5, 200)?, 1.5, 0.2)?;
/// let bulkhead = Bulkhead::adaptive(BulkheadSettings { limit: 20, ..Default::default() }, gradient.into())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gradient {
    bounds: LimitBounds,
    tolerance: f64,
    smoothing: f64,
    /// The latency without a queue, in seconds.
    baseline: Option<f64>,
    /// The highest latency since it was last usual, and the limit at that time.
    peak: Option<(f64, f64)>,
    /// Latency is high without a queue.
    relearning: bool,
}

impl Default for Gradient {
    /// Netflix's figures: a tolerance of 1.5 and a smoothing of 0.2.
    fn default() -> Self {
        Self {
            bounds: LimitBounds::default(),
            tolerance: 1.5,
            smoothing: 0.2,
            baseline: None,
            peak: None,
            relearning: false,
        }
    }
}

impl Gradient {
    /// Within `bounds`; latency may grow to `tolerance` times its baseline (1 to 10) before the limit falls,
    /// and each window moves the limit by the part `smoothing` (over 0, at most 1) of the way.
    ///
    /// # Errors
    /// [`InvalidAdaptive`] out of these bounds.
    pub fn new(bounds: LimitBounds, tolerance: f64, smoothing: f64) -> Result<Self, InvalidAdaptive> {
        if !(1.0..=10.0).contains(&tolerance) {
            return Err(InvalidAdaptive::Tolerance(tolerance));
        }
        if !(smoothing > 0.0 && smoothing <= 1.0) {
            return Err(InvalidAdaptive::Smoothing(smoothing));
        }
        Ok(Self { bounds, tolerance, smoothing, baseline: None, peak: None, relearning: false })
    }

    pub(super) fn next(&mut self, limit: f64, window: &Window) -> f64 {
        // A latency of 0 must not become a divisor.
        let latency = window.latency.or(self.baseline).unwrap_or_default().max(1e-9);
        let has_room = window.wanted < limit / 2.0;
        let baseline = self.follow(latency, has_room, window.length);
        let usual = latency <= baseline * FLAT;
        if usual {
            self.relearning = false;
            self.peak = None;
        } else if !has_room {
            self.judge(latency, limit);
        }
        if has_room || self.relearning {
            return self.bounds.clamp(limit);
        }
        if usual && window.drops == 0.0 && window.wanted >= limit {
            return self.bounds.clamp(limit * 2.0);
        }
        // Drops are evidence too, in proportion.
        let gradient = (self.tolerance * baseline / latency).min(1.0) * (1.0 - window.drops);
        let target = limit * gradient.max(STEEPEST) + limit.sqrt();
        let next = self.bounds.clamp(limit + (target - limit) * self.smoothing);
        self.relearning |= !usual && self.bounds.is_min(next);
        next
    }

    /// Whether a lower limit has helped against an unusual latency. If so, that is where the next look begins.
    fn judge(&mut self, latency: f64, limit: f64) {
        match self.peak {
            Some((highest, at)) if latency <= highest => {
                if limit <= at * LOWERED {
                    self.relearning |= latency > highest * NO_QUEUE;
                    self.peak = Some((latency, limit));
                }
            }
            _ => self.peak = Some((latency, limit)),
        }
    }

    /// Moves the baseline towards `latency`, and returns it.
    fn follow(&mut self, latency: f64, has_room: bool, length: f64) -> f64 {
        let baseline = self.baseline.unwrap_or(latency);
        let seconds = if latency <= baseline || self.relearning {
            RELEARN_SECONDS
        } else if has_room {
            BASELINE_SECONDS
        } else {
            f64::INFINITY
        };
        let weight = 1.0 - (-length / seconds).exp();
        let baseline = baseline + (latency - baseline) * weight;
        self.baseline = Some(baseline);
        baseline
    }
}
