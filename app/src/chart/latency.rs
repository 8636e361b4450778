//! How long answers take.

use std::ops::Range;

use super::drawing::{Drawing, Layer, Series, Spec, labels};
use super::past::Past;
use super::scale::Scale;
use crate::format;

/// The chart.
pub static LATENCY: Spec = Spec {
    id: "latency",
    title: "Latency",
    hint: "Percentiles of each second. Beside the names: the mean of the last 10 seconds. Over 15 minutes each \
           point is the mean of 5 seconds, for p99 the worst of them.",
    height: 132,
    series: &[
        Series { label: "p50", tone: "off" },
        Series { label: "p90", tone: "accent" },
        Series { label: "p99", tone: "candidate" },
    ],
    draw,
    read,
};

fn columns<'a>(past: &Past<'a>) -> [&'a [u32]; 3] {
    [&past.history.p50_us, &past.history.p90_us, &past.history.p99_us]
}

/// Of the worst percentile the worst second, so that no spike is lost; of the others the mean.
fn value(past: &Past<'_>, series: usize, step: Range<usize>) -> Option<f64> {
    let column = columns(past)[series];
    if series == 2 {
        let worst = column.get(step).unwrap_or_default().iter().copied().max();
        return worst.filter(|us| *us > 0).map(f64::from);
    }
    past.mean_duration(column, step)
}

fn draw(past: &Past<'_>) -> Drawing {
    let columns = columns(past);
    let highest = columns[2].iter().skip(past.from).copied().max().unwrap_or(0);
    // In seconds where milliseconds would have too many digits.
    let (unit, us) = if highest >= 2_000_000 { (" s", 1_000_000.0) } else { (" ms", 1_000.0) };
    let scale = Scale::from_zero(f64::from(highest) / us, 3, 0.5);
    let steps = past.steps();
    let layers = (0..columns.len()).map(|at| {
        let runs = past.runs(&steps, |step| value(past, at, step).map(|duration| duration / us), scale);
        Layer::line(&runs, LATENCY.height)
    });
    let layers = layers.collect();
    let decimals = u32::from(scale.step < 1.0 || scale.step % 1.0 > 0.0);
    let text = |value: f64| {
        let number = format::fixed(value, if value == 0.0 { 0 } else { decimals });
        if value >= scale.high { format!("{number}{unit}") } else { number }
    };
    let now = read(past, None);
    Drawing {
        span: past.span,
        points: past.points(),
        layers,
        left: labels(scale, text),
        right: vec![],
        summary: format!("Latency: now p50 {}, p90 {}, p99 {}.", now[0], now[1], now[2]),
        empty: (highest == 0).then_some("No requests yet"),
    }
}

fn read(past: &Past<'_>, at: Option<usize>) -> Vec<String> {
    let words = |us: f64| {
        let (number, unit) = format::duration(us);
        format!("{number} {unit}")
    };
    let read = |(series, column): (usize, &&[u32])| match at {
        Some(at) => value(past, series, past.step_of(at)),
        None => past.mean_duration(column, past.latest()),
    };
    columns(past).iter().enumerate().map(|entry| read(entry).map_or("–".to_owned(), words)).collect()
}
