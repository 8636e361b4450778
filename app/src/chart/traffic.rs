//! Requests per second, stacked by how they ended.

use super::drawing::{Drawing, Layer, Series, Spec, labels};
use super::past::{Past, entry};
use super::path;
use super::scale::Scale;
use crate::format;

/// The chart.
pub static TRAFFIC: Spec = Spec {
    id: "traffic",
    title: "Requests per second",
    hint: "Stacked by how they ended. Beside the names: the mean of the last 10 seconds.",
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
    // The height of the first `upto + 1` series together.
    let stack = |at: usize, upto: usize| -> f64 {
        columns[..=upto].iter().map(|column| past.rate(entry(column, at))).sum()
    };
    let highest = (past.from..past.history.len()).map(|at| stack(at, 3)).fold(0.0, f64::max);
    let scale = Scale::from_zero(highest, 3, 1.0);
    let mut below = path::floor(&past.runs(|at| Some(stack(at, 0)), scale));
    let height = f64::from(TRAFFIC.height);
    let layers = (0..columns.len()).map(|upto| {
        let runs = past.runs(|at| Some(stack(at, upto)), scale);
        let visible = columns[upto].iter().skip(past.from).any(|count| *count > 0);
        let layer = if visible {
            Layer { area: path::area(&runs, &below, height), line: path::line(&runs, height) }
        } else {
            Layer::default()
        };
        below = runs;
        layer
    });
    let layers = layers.collect();
    let now = read(past, None);
    Drawing {
        span: past.span,
        points: past.points(),
        layers,
        left: labels(scale, format::rate),
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
    let value = |column: &[u32]| at.map_or_else(|| past.mean_rate(column), |at| past.rate(entry(column, at)));
    columns(past).iter().map(|column| format::rate(value(column))).collect()
}
