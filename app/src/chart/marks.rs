//! Marks on the charts: what happened when.

use rad_model::{Event, EventKind};

use super::scale::Span;
use crate::events;

/// At most this many are drawn; the latest win.
const MOST: usize = 40;

/// A moment worth seeing in the charts.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    pub at_ms: u64,
    pub seq: u64,
    /// The class that gives it colour and shape.
    pub tone: &'static str,
    pub title: String,
}

/// Transitions of breakers and changes of rollouts in the span.
#[must_use]
pub fn marks(events: &[Event], span: Span) -> Vec<Mark> {
    let shown = events.iter().rev().filter(|event| span.contains(event.at_ms) && is_marked(&event.kind));
    let mut marks: Vec<_> = shown
        .take(MOST)
        .map(|event| Mark {
            at_ms: event.at_ms,
            seq: event.seq,
            tone: events::tone(&event.kind),
            title: events::title(&event.kind),
        })
        .collect();
    marks.reverse();
    marks
}

fn is_marked(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::BreakerOpened { .. }
            | EventKind::BreakerHalfOpen { .. }
            | EventKind::BreakerClosed { .. }
            | EventKind::BreakerReset { .. }
            | EventKind::BreakerModeChanged { .. }
            | EventKind::RolloutChanged { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, kind: EventKind) -> Event {
        Event { seq, at_ms: seq * 1_000, kind }
    }

    #[test]
    fn only_transitions_of_the_span_are_marked_and_the_latest_win() {
        let closed = || EventKind::BreakerClosed { breaker: "mail".to_owned(), successes: 2 };
        let mut events = vec![event(1, closed()), event(20, EventKind::MetricsReset)];
        events.extend((21..80).map(|seq| event(seq, closed())));
        let marks = marks(&events, Span { left_ms: 10_000, right_ms: 70_000 });
        assert_eq!(marks.len(), MOST);
        assert_eq!(marks.last().map(|mark| mark.seq), Some(70));
        assert_eq!(marks[0].tone, "ok");
    }
}
