//! The small line in a tile.

use super::path::{self, Point, Trace};
use super::scale::Scale;

/// A sparkline is drawn this high.
pub const HEIGHT: f64 = 24.0;

/// How many intervals it shows.
pub const POINTS: usize = 60;

/// The path of a series that ends now; missing values are gaps.
#[must_use]
pub fn spark(values: &[Option<f64>], scale: Scale) -> Trace {
    let series = values.iter().zip(0_u64..).map(|(value, at)| (at, *value));
    let first = POINTS.saturating_sub(values.len());
    let place = |at: u64, value| Point {
        x: (crate::format::approximate(at) + crate::format::approximate(first as u64)) / 59.0,
        // Half a line's width away from both edges.
        y: 0.06 + 0.88 * scale.position(value),
    };
    path::trace(&path::runs(series, 2, place), HEIGHT)
}

/// From 0 to the highest value.
#[must_use]
pub fn up_from_zero(values: &[Option<f64>]) -> Scale {
    let high = values.iter().flatten().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    Scale { low: 0.0, high, step: high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_series_ends_on_the_right() {
        let path = spark(&[Some(1.0), Some(1.0)], up_from_zero(&[Some(1.0)]));
        assert_eq!(path.line, "M983.1 1.4L1000 1.4");
    }

    #[test]
    fn nothing_at_all_is_a_line_on_the_ground() {
        let values = [Some(0.0), Some(0.0)];
        assert!(spark(&values, up_from_zero(&values)).line.ends_with("22.6"));
    }
}
