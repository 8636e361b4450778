//! Requests per second, stacked by how they ended.

use std::ops::Range;

use super::drawing::{Drawing, Layer, Series, Spec, labels};
use super::past::{Past, mean};
use super::path;
use super::scale::Scale;
use crate::format;

/// The chart.
pub static TRAFFIC: Spec = Spec {
    id: "traffic",
    title: "Requests per second",
    hint: "Stacked by how they ended. Beside the names: the mean of the last 10 seconds. Over 15 minutes each \
           point is the mean of 5 seconds.",
    height: 190,
    series: &[
        Series { label: "answered", tone: "accent" },
        Series { label: "limited", tone: "warn" },
        Series { label: "refused by breaker", tone: "off" },
        Series { label: "failed", tone: "bad" },
    ],
    draw,
    read,
};

fn columns<'a>(past: &Past<'a>) -> [&'a [u32]; 4] {
    let history = past.history;
    [&history.answered, &history.limited, &history.short_circuited, &history.failed]
}

fn draw(past: &Past<'_>) -> Drawing {
    let columns = columns(past);
    let steps = past.steps();
    let rate = |upto: usize, step: &Range<usize>| past.rate(mean(columns[upto], step.clone()));
    // The height of the first `upto + 1` series together.
    let stack = |upto: usize, step: &Range<usize>| -> f64 { (0..=upto).map(|at| rate(at, step)).sum() };
    let highest = steps.iter().map(|step| stack(3, step)).fold(0.0, f64::max);
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
        let mut layer = Layer::line(&past.runs(&steps, there, scale), TRAFFIC.height);
        if layer != Layer::default() {
            layer.area = path::area(&top, &below, f64::from(TRAFFIC.height));
        }
        below = top;
        layer
    });
    let layers = layers.collect();
    let now = read(past, None);
    Drawing {
        span: past.span,
        points: past.points(),
        layers,
        left: labels(scale, format::plain),
        right: vec![],
        summary: format!(
            "Requests per second: now {} answered, {} limited, {} refused by a breaker, {} failed; at most {} in all.",
            now[0],
            now[1],
            now[2],
            now[3],
            format::rate(highest)
        ),
        empty: (highest <= 0.0).then_some("No requests yet"),
    }
}

fn read(past: &Past<'_>, at: Option<usize>) -> Vec<String> {
    let step = at.map_or_else(|| past.latest(), |at| past.step_of(at));
    columns(past).iter().map(|column| format::rate(past.rate(mean(column, step.clone())))).collect()
}
