//! What holds a place, what waits for one, and what was turned away.

use std::sync::Arc;

use leptos::prelude::*;
use rad_model::metrics::QueueMetrics;

use crate::chart::Chart;
use crate::chart::queue::QUEUE;
use crate::components::{Card, Meter, Pill, Table, cell, holding, numbered, row};
use crate::format;
use crate::live::Asked;
use crate::settled::{Settled, settle};
use crate::signals::{flag, text};

type Known = Asked<Vec<QueueMetrics>>;

/// The queues' page.
pub fn page() -> Settled {
    let queues: Known = Asked::new("/api/queues");
    let count = move || queues.read(Vec::len);
    let none = flag(move || queues.read(Vec::is_empty));
    settle(view! {
        <Chart spec=&QUEUE/>
        <Card id="queues" title="Queues">{settle(view! {
            {queues.doubt()}
            <p class="muted" hidden=flag(move || !none.get())>
                "No route has a queue: queue = { limit = 64 } in a [[routes]] section bounds what is in flight at once, and lets 100 more wait."
            </p>
            <Table head=&HEAD hidden=flag(move || count() == 0) each=Arc::new(move || numbered(0..count())) row=Arc::new(move |at| queue(queues, at))/>
        })}</Card>
    })
}

const HEAD: [(&str, &str); 6] = [
    ("", "Route"),
    ("", "State"),
    ("fifth", "In flight"),
    ("fifth", "Waiting"),
    ("", "Turned away"),
    ("wide spare", "Waited"),
];

fn queue(queues: Known, at: usize) -> Settled {
    let of = move |read: fn(&QueueMetrics) -> String| {
        text(move || queues.read(|queues| queues.get(at).map(read)).unwrap_or_default())
    };
    let share = move |read: fn(&QueueMetrics) -> f64| {
        Signal::derive(move || queues.read(|queues| queues.get(at).map(read)).unwrap_or_default())
    };
    let path = of(|queue| queue.path.clone());
    let pill = settle(view! {
        <Pill tone=of(|queue| standing(queue).0.to_owned()) word=of(|queue| standing(queue).1.to_owned())/>
    });
    let metered = move |what: &'static str, calm: bool, share, says| {
        let label = text(move || format!("{} {what}", path.get()));
        holding("whole", settle(view! { <Meter share label calm/><small>{says}</small> }))
    };
    let holds = metered("in flight", true, share(|queue| part(queue.in_flight, queue.limit)), of(in_flight));
    let waits =
        metered("waiting", false, share(|queue| part(queue.waiting.sum(), queue.capacity)), of(waiting));
    row(
        text(move || format!("queue-{}", path.get())),
        vec![
            cell("mono one", path),
            holding("", pill),
            holds,
            waits,
            cell("whole", of(rejected)),
            cell("muted wide spare", of(waited)),
        ],
    )
}

fn part(of: u32, all: u32) -> f64 {
    f64::from(of) / f64::from(all.max(1))
}

/// How a queue is to be seen, and the word for it.
fn standing(queue: &QueueMetrics) -> (&'static str, &'static str) {
    match queue {
        queue if queue.capacity > 0 && queue.waiting.sum() >= queue.capacity => ("bad", "full"),
        queue if queue.backpressure => ("warn", "backpressure"),
        queue if queue.waiting.sum() > 0 => ("warn", "waiting"),
        _ => ("ok", "free"),
    }
}

/// `3 of 64 in flight`, or `3 of 64 in flight, adaptive`.
fn in_flight(queue: &QueueMetrics) -> String {
    let adaptive = if queue.is_adaptive { ", adaptive" } else { "" };
    format!(
        "{} of {} in flight{adaptive}",
        format::count(queue.in_flight.into()),
        format::count(queue.limit.into())
    )
}

/// `3 of 100 waiting: 1 high, 2 normal`.
fn waiting(queue: &QueueMetrics) -> String {
    let waits = queue.waiting;
    let each =
        [(waits.critical, "critical"), (waits.high, "high"), (waits.normal, "normal"), (waits.low, "low")];
    let each: Vec<_> = each
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let each = if each.is_empty() { String::new() } else { format!(": {}", each.join(", ")) };
    format!("{} of {} waiting{each}", format::count(waits.sum().into()), format::count(queue.capacity.into()))
}

/// `12: 10 found it full, 2 waited too long`.
fn rejected(queue: &QueueMetrics) -> String {
    let no = queue.rejected;
    let each = [(no.full, "found it full"), (no.waited_too_long, "waited too long"), (no.shed, "gave way")];
    let each: Vec<_> = each
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", format::count(count)))
        .collect();
    if each.is_empty() { "nobody turned away".to_owned() } else { each.join(", ") }
}

/// How many had to wait, and how long.
fn waited(queue: &QueueMetrics) -> String {
    match queue.waited {
        0 if queue.waiting.sum() > 0 => "no one got a place yet".to_owned(),
        0 => "nobody waited".to_owned(),
        count => format!(
            "{}: {} ms on average, at most {} ms",
            format::count(count),
            format::count(queue.waited_ms_total / count),
            format::count(queue.waited_ms_longest)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rad_model::metrics::{Rejected, Waiting};

    #[test]
    fn a_queue_says_who_waits_and_who_was_turned_away() {
        let queue = QueueMetrics {
            in_flight: 4,
            limit: 4,
            is_adaptive: true,
            capacity: 3,
            waiting: Waiting { normal: 2, high: 1, ..Waiting::default() },
            rejected: Rejected { full: 10, waited_too_long: 2, shed: 0 },
            waited: 4,
            waited_ms_total: 1_000,
            waited_ms_longest: 700,
            ..QueueMetrics::default()
        };
        assert_eq!(standing(&queue), ("bad", "full"));
        assert_eq!(in_flight(&queue), "4 of 4 in flight, adaptive");
        assert_eq!(waiting(&queue), "3 of 3 waiting: 1 high, 2 normal");
        assert_eq!(rejected(&queue), "10 found it full, 2 waited too long");
        assert_eq!(waited(&queue), "4: 250 ms on average, at most 700 ms");
        assert_eq!(waited(&QueueMetrics { waited: 0, ..queue }), "no one got a place yet");
        let free = QueueMetrics { limit: 4, capacity: 3, ..QueueMetrics::default() };
        assert_eq!(
            (standing(&free).1, waiting(&free).as_str(), rejected(&free).as_str()),
            ("free", "0 of 3 waiting", "nobody turned away")
        );
    }
}
