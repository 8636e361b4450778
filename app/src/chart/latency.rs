//! How long answers take.

use super::drawing::{Drawing, Layer, Series, Spec, labels};
use super::past::{Past, entry};
use super::path;
use super::scale::Scale;
use crate::format;

/// The chart.
pub static LATENCY: Spec = Spec {
    id: "latency",
    title: "Latency",
    hint: "Percentiles of each second. Beside the names: the mean of the last 10 seconds.",
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

fn draw(past: &Past<'_>) -> Drawing {
    let columns = columns(past);
    let highest = columns[2].iter().skip(past.from).copied().max().unwrap_or(0);
    // In seconds where milliseconds would have too many digits.
    let (unit, us) = if highest >= 2_000_000 { (" s", 1_000_000.0) } else { (" ms", 1_000.0) };
    let scale = Scale::from_zero(f64::from(highest) / us, 3, 0.5);
    let value = |column: &[u32], at| {
        let duration = entry(column, at);
        (duration > 0).then(|| f64::from(duration) / us)
    };
    let line =
        |column: &[u32]| path::line(&past.runs(|at| value(column, at), scale), f64::from(LATENCY.height));
    let decimals = u32::from(scale.step < 1.0 || scale.step % 1.0 > 0.0);
    let text = |value: f64| {
        let number = format::fixed(value, if value == 0.0 { 0 } else { decimals });
        if value >= scale.high { format!("{number}{unit}") } else { number }
    };
    let now = read(past, None);
    Drawing {
        span: past.span,
        points: past.points(),
        layers: columns.iter().map(|column| Layer { area: String::new(), line: line(column) }).collect(),
        left: labels(scale, text),
        right: vec![],
        summary: format!("Latency: now p50 {}, p90 {}, p99 {}.", now[0], now[1], now[2]),
        empty: (highest == 0).then_some("No requests yet"),
    }
}

fn read(past: &Past<'_>, at: Option<usize>) -> Vec<String> {
    let value = |column: &[u32]| match at {
        Some(at) => Some(entry(column, at)).filter(|us| *us > 0).map(f64::from),
        None => past.mean_duration(column),
    };
    let words = |us: f64| {
        let (number, unit) = format::duration(us);
        format!("{number} {unit}")
    };
    columns(past).iter().map(|column| value(column).map_or("–".to_owned(), words)).collect()
}
