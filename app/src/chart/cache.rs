//! What the cache answers, and what it has to load.

use super::drawing::{Drawing, Series, Spec};
use super::past::{Past, mean};
use super::stack::stacked;
use crate::format;

/// The chart.
pub static CACHE: Spec = Spec {
    id: "lookups",
    title: "Lookups per second",
    hint: "Requests that asked the cache: those it answered, and those that cost a call of an upstream. \
           Beside the names: the mean of the last 10 seconds.",
    height: 150,
    series: &[
        Series { label: "from the cache", tone: "ok" },
        Series { label: "from upstream", tone: "accent" },
    ],
    draw,
    read,
};

fn columns<'a>(past: &Past<'a>) -> [&'a [u32]; 2] {
    [&past.history.cached, &past.history.loaded]
}

fn draw(past: &Past<'_>) -> Drawing {
    let (drawing, highest) = stacked(past, &columns(past), past.rate(1.0), CACHE.height);
    let now = read(past, None);
    Drawing {
        summary: format!("Lookups per second: now {} from the cache, {} from upstream.", now[0], now[1]),
        empty: (highest <= 0.0).then_some("No lookups yet"),
        ..drawing
    }
}

fn read(past: &Past<'_>, at: Option<usize>) -> Vec<String> {
    let step = at.map_or_else(|| past.latest(), |at| past.step_of(at));
    columns(past).iter().map(|column| format::rate(past.rate(mean(column, step.clone())))).collect()
}
