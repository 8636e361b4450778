//! Who holds a place of a queue, and who waits for one.

use super::drawing::{Drawing, Series, Spec};
use super::past::{Past, mean};
use super::stack::stacked;
use crate::format;

/// The chart.
pub static QUEUE: Spec = Spec {
    id: "queue",
    title: "In flight and waiting",
    hint: "Requests of all routes with a queue, counted once a second: those that hold a place, and those that \
           wait for one.",
    height: 150,
    series: &[Series { label: "in flight", tone: "accent" }, Series { label: "waiting", tone: "warn" }],
    draw,
    read,
};

fn columns<'a>(past: &Past<'a>) -> [&'a [u32]; 2] {
    [&past.history.running, &past.history.waiting]
}

fn draw(past: &Past<'_>) -> Drawing {
    let (drawing, highest) = stacked(past, &columns(past), 1.0, QUEUE.height);
    let now = read(past, None);
    Drawing {
        summary: format!("Queues: {} in flight and {} waiting.", now[0], now[1]),
        empty: (highest <= 0.0).then_some("Nothing in flight yet"),
        ..drawing
    }
}

/// Without a cursor the last second: a queue is to be seen as it is.
fn read(past: &Past<'_>, at: Option<usize>) -> Vec<String> {
    let all = past.history.len();
    let step = at.map_or(all.saturating_sub(1)..all, |at| past.step_of(at));
    columns(past).iter().map(|column| format::plain(mean(column, step.clone()))).collect()
}
