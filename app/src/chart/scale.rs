//! Scales: which values the grid shows, and where a value lies.

use crate::format;

/// The steps that a grid may have, times a power of ten.
const STEPS: [f64; 4] = [1.0, 2.0, 2.5, 5.0];

/// A vertical scale from `low` to `high` with lines at even steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    pub low: f64,
    pub high: f64,
    pub step: f64,
}

impl Scale {
    /// From 0 to at least `max`, in at most `lines` steps of round numbers, none below `least`.
    #[must_use]
    pub fn from_zero(max: f64, lines: u32, least: f64) -> Self {
        let lines = f64::from(lines.max(1));
        let wanted = (max / lines).max(least).max(1e-6);
        let power = power_of_ten_below(wanted);
        let step = STEPS.into_iter().map(|step| step * power).find(|step| *step >= wanted * 0.999_999);
        let step = step.unwrap_or(10.0 * power);
        let count = (max / step - 1e-9).ceil().max(1.0);
        Self { low: 0.0, high: step * count, step }
    }

    /// For shares of 0 to 1 that are usually near 1: the top is 1, the bottom as high as `min` allows.
    #[must_use]
    pub fn near_one(min: f64) -> Self {
        let low = [0.99, 0.95, 0.9, 0.8, 0.5].into_iter().find(|low| min >= *low).unwrap_or(0.0);
        Self { low, high: 1.0, step: (1.0 - low) / 2.0 }
    }

    /// Where a value lies: 0 at the bottom, 1 at the top, never outside.
    #[must_use]
    pub fn position(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The values of the grid, bottom first.
    #[must_use]
    pub fn lines(&self) -> Vec<f64> {
        let count = format::whole((self.high - self.low) / self.step);
        (0..=count).map(|at| self.low + self.step * format::approximate(at)).collect()
    }
}

/// By steps: logarithms and powers weigh more in the bundle than they are worth here.
fn power_of_ten_below(value: f64) -> f64 {
    let mut power = 1.0;
    while power > value {
        power /= 10.0;
    }
    while power * 10.0 <= value {
        power *= 10.0;
    }
    power
}

/// A span of time on the horizontal axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub left_ms: u64,
    pub right_ms: u64,
}

impl Span {
    /// The span that ends with the last known interval.
    #[must_use]
    pub fn until(right_ms: u64, length_ms: u64) -> Self {
        Self { left_ms: right_ms.saturating_sub(length_ms), right_ms }
    }

    /// Where a moment lies: 0 left, 1 right.
    #[must_use]
    pub fn position(&self, at_ms: u64) -> f64 {
        let length = format::approximate(self.right_ms.saturating_sub(self.left_ms)).max(1.0);
        (format::approximate(at_ms) - format::approximate(self.left_ms)) / length
    }

    /// The moment at a position.
    #[must_use]
    pub fn at(&self, position: f64) -> u64 {
        let length = format::approximate(self.right_ms.saturating_sub(self.left_ms));
        self.left_ms + format::whole(length * position.clamp(0.0, 1.0))
    }

    /// Whether a moment lies in it.
    #[must_use]
    pub fn contains(&self, at_ms: u64) -> bool {
        (self.left_ms..=self.right_ms).contains(&at_ms)
    }

    /// Round moments for labels, four to six of them, left first.
    #[must_use]
    pub fn ticks(&self) -> Vec<u64> {
        let length = self.right_ms.saturating_sub(self.left_ms);
        let step = match length {
            0 => return vec![],
            1..=60_000 => 15_000,
            60_001..=300_000 => 60_000,
            _ => 180_000,
        };
        let first = self.left_ms.div_ceil(step) * step;
        (first..=self.right_ms).step_by(usize::try_from(step).unwrap_or(usize::MAX)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_has_round_numbers_and_room_for_the_highest_value() {
        assert_eq!(Scale::from_zero(574.0, 3, 1.0).lines(), [0.0, 200.0, 400.0, 600.0]);
        assert_eq!(Scale::from_zero(21.0, 3, 1.0).lines(), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!(Scale::from_zero(600.0, 3, 1.0).high, 600.0);
        assert_eq!(Scale::from_zero(0.0, 3, 1.0).lines(), [0.0, 1.0]);
        assert_eq!(Scale::from_zero(2.0, 3, 1.0).lines(), [0.0, 1.0, 2.0]);
    }

    #[test]
    fn a_success_scale_opens_up_as_far_as_it_must() {
        assert_eq!(Scale::near_one(0.996).low, 0.99);
        assert_eq!(Scale::near_one(0.2).low, 0.0);
        assert_eq!(Scale::near_one(0.2).lines(), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn values_outside_stay_on_the_edge() {
        let scale = Scale::from_zero(100.0, 4, 1.0);
        assert_eq!([scale.position(-5.0), scale.position(50.0), scale.position(500.0)], [0.0, 0.5, 1.0]);
    }

    #[test]
    fn moments_and_positions_are_each_others_inverse() {
        let span = Span::until(1_000_000, 60_000);
        assert_eq!(span.position(970_000), 0.5);
        assert_eq!(span.at(0.5), 970_000);
        assert!(span.position(900_000) < 0.0);
    }

    #[test]
    fn time_labels_stand_at_round_moments() {
        assert_eq!(Span::until(900_000, 900_000).ticks(), [0, 180_000, 360_000, 540_000, 720_000, 900_000]);
        assert_eq!(Span::until(1_007_000, 60_000).ticks(), [960_000, 975_000, 990_000, 1_005_000]);
        assert_eq!(Span::default().ticks(), [0_u64; 0]);
    }
}
