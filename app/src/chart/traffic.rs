//! Requests per second, stacked by how they ended.

use super::drawing::{Drawing, Series, Spec};
use super::past::{Past, mean};
use super::stack::stacked;
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
        Series { label: "turned away by queue", tone: "shed" },
        Series { label: "refused by breaker", tone: "off" },
        Series { label: "failed", tone: "bad" },
    ],
    draw,
    read,
};

fn columns<'a>(past: &Past<'a>) -> [&'a [u32]; 5] {
    let history = past.history;
    [&history.answered, &history.limited, &history.shed, &history.short_circuited, &history.failed]
}

fn draw(past: &Past<'_>) -> Drawing {
    let (drawing, highest) = stacked(past, &columns(past), past.rate(1.0), TRAFFIC.height);
    let now = read(past, None);
    Drawing {
        summary: format!(
            "Requests per second: now {} answered, {} limited, {} turned away by a queue, {} refused by a breaker, \
             {} failed; at most {} in all.",
            now[0],
            now[1],
            now[2],
            now[3],
            now[4],
            format::rate(highest)
        ),
        empty: (highest <= 0.0).then_some("No requests yet"),
        ..drawing
    }
}

fn read(past: &Past<'_>, at: Option<usize>) -> Vec<String> {
    let step = at.map_or_else(|| past.latest(), |at| past.step_of(at));
    columns(past).iter().map(|column| format::rate(past.rate(mean(column, step.clone())))).collect()
}
