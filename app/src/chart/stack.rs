//! Series on top of each other: their heights add up.

use std::ops::Range;

use super::drawing::{Drawing, Layer, labels};
use super::past::{Past, mean};
use super::path;
use super::scale::Scale;
use crate::format;

/// Columns as a stack, the first at the bottom, each times `unit`; and the height of the highest point.
#[must_use]
pub fn stacked(past: &Past<'_>, columns: &[&[u32]], unit: f64, height: u32) -> (Drawing, f64) {
    let steps = past.steps();
    let value = |at: usize, step: &Range<usize>| mean(columns[at], step.clone()) * unit;
    // The height of the first `upto + 1` series together.
    let stack = |upto: usize, step: &Range<usize>| -> f64 { (0..=upto).map(|at| value(at, step)).sum() };
    let top = columns.len().saturating_sub(1);
    let highest = steps.iter().map(|step| stack(top, step)).fold(0.0, f64::max);
    let scale = Scale::from_zero(highest, 3, 1.0);
    let mut below = path::floor(&past.runs(&steps, |step| Some(stack(0, &step)), scale));
    let layers = (0..columns.len()).map(|upto| {
        let top = past.runs(&steps, |step| Some(stack(upto, &step)), scale);
        // No line where there is nothing: the failures of a quiet gateway must not look like a red roof. But
        // it rises from the ground and comes down again, so that a lone second is a peak.
        let there = |step: Range<usize>| {
            let around =
                step.start.saturating_sub(step.len())..(step.end + step.len()).min(columns[upto].len());
            (mean(columns[upto], around) > 0.0).then(|| stack(upto, &step))
        };
        let mut layer = Layer::line(&past.runs(&steps, there, scale), height);
        if layer != Layer::default() {
            layer.area = path::area(&top, &below, f64::from(height));
        }
        below = top;
        layer
    });
    let layers = layers.collect();
    let left = labels(scale, format::plain);
    (Drawing { span: past.span, points: past.points(), layers, left, ..Drawing::default() }, highest)
}
