//! Events in words: what happened, and why.

use rad_model::event::OpenReason;
use rad_model::{Event, EventKind};

use crate::format;

/// The phase of a rollout that was taken back.
const BACK: &str = "rolled back";

/// How it is to be seen: `bad`, `warn`, `ok`, `move`, or nothing for the rest.
#[must_use]
pub fn tone(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::BreakerOpened { .. } => "bad",
        EventKind::BreakerHalfOpen { .. }
        | EventKind::BreakerModeChanged { .. }
        | EventKind::AddressBlocked { .. }
        | EventKind::LimitReached { .. } => "warn",
        EventKind::BreakerClosed { .. }
        | EventKind::BreakerReset { .. }
        | EventKind::AddressUnblocked { .. } => "ok",
        EventKind::RolloutChanged { phase, .. } if phase == BACK => "bad",
        EventKind::RolloutChanged { .. } => "move",
        EventKind::Started { .. }
        | EventKind::ShadowChanged { .. }
        | EventKind::ShadowReset { .. }
        | EventKind::KnobsTurned { .. }
        | EventKind::TrafficChanged { .. }
        | EventKind::MetricsReset => "",
    }
}

/// Who or what, and what happened to it.
#[must_use]
pub fn headline(kind: &EventKind) -> (String, String) {
    let (who, what): (&str, String) = match kind {
        EventKind::Started { .. } => ("Gateway", "started".to_owned()),
        EventKind::BreakerOpened { breaker, .. } => (breaker, "breaker opened".to_owned()),
        EventKind::BreakerHalfOpen { breaker, .. } => (breaker, "breaker half-open".to_owned()),
        EventKind::BreakerClosed { breaker, .. } => (breaker, "breaker closed".to_owned()),
        EventKind::BreakerReset { breaker, .. } => (breaker, "breaker reset".to_owned()),
        EventKind::BreakerModeChanged { breaker, to, .. } => (breaker, format!("breaker {}", to.word())),
        EventKind::RolloutChanged { rollout, from, to, phase, .. } => {
            let what = match phase.as_str() {
                BACK => format!("{BACK}, {from} → {to} %"),
                phase if from == to => phase.to_owned(),
                _ => format!("candidate {from} → {to} %"),
            };
            (rollout, what)
        }
        EventKind::ShadowChanged { rollout, from, to, .. } => (rollout, format!("shadow {from} → {to} %")),
        EventKind::ShadowReset { rollout, .. } => (rollout, "shadow findings reset".to_owned()),
        EventKind::AddressBlocked { address, .. } => (address, "blocked".to_owned()),
        EventKind::AddressUnblocked { address, .. } => (address, "unblocked".to_owned()),
        EventKind::LimitReached { route, key, .. } => (route, format!("limited {key}")),
        EventKind::KnobsTurned { upstream, .. } => (upstream, "knobs turned".to_owned()),
        EventKind::TrafficChanged { .. } => ("Sample traffic", "changed".to_owned()),
        EventKind::MetricsReset => ("Counters", "reset".to_owned()),
    };
    (who.to_owned(), what)
}

/// The headline as one line.
#[must_use]
pub fn title(kind: &EventKind) -> String {
    let (who, what) = headline(kind);
    format!("{who} {what}")
}

/// Why, or what follows; may be empty.
#[must_use]
pub fn reason(kind: &EventKind) -> String {
    match kind {
        EventKind::Started { version } => format!("Version {version}; takes traffic."),
        EventKind::BreakerOpened { reason, open_for_ms, .. } => {
            format!("{} Probes after {}.", opened_because(reason), format::length(*open_for_ms))
        }
        EventKind::BreakerHalfOpen { after_ms, .. } => {
            format!("After {} open, probes go through.", format::length(*after_ms))
        }
        EventKind::BreakerClosed { successes, .. } => {
            format!("{successes} {} succeeded.", plural(*successes, "probe", "probes"))
        }
        EventKind::BreakerReset { from, by, reason, .. } => {
            format!("It was {}. {}", from.word(), done_by(by, reason))
        }
        EventKind::BreakerModeChanged { from, by, reason, .. } => {
            format!("It was {}. {}", from.word(), done_by(by, reason))
        }
        EventKind::AddressBlocked { for_ms, by, reason, .. } => {
            let time =
                for_ms.map_or("Until unblocked.".to_owned(), |ms| format!("For {}.", format::length(ms)));
            format!("{time} {}", done_by(by, reason))
        }
        EventKind::AddressUnblocked { by, .. } => done_by(by, ""),
        EventKind::RolloutChanged { by, reason, .. }
        | EventKind::ShadowChanged { by, reason, .. }
        | EventKind::ShadowReset { by, reason, .. } => done_by(by, reason),
        EventKind::LimitReached { limit, .. } => format!("{} used up.", limit.in_words()),
        EventKind::KnobsTurned { knobs, .. } => format!(
            "{} % failures, {} ms.",
            format::fixed(knobs.failure_share * 100.0, 0),
            format::count(u64::from(knobs.latency_ms))
        ),
        EventKind::TrafficChanged { requests_per_second } => {
            format!("{} requests a second.", format::count(u64::from(*requests_per_second)))
        }
        EventKind::MetricsReset => "/api/metrics counts from zero again.".to_owned(),
    }
}

/// Names an event for lists that are kept in order: numbers alone begin anew with each run of the server.
#[must_use]
pub fn key(event: &Event) -> (u64, u64) {
    (event.at_ms, event.seq)
}

fn done_by(by: &str, reason: &str) -> String {
    if reason.is_empty() { format!("By {by}.") } else { format!("By {by}: “{reason}”") }
}

fn opened_because(reason: &OpenReason) -> String {
    match reason {
        OpenReason::ConsecutiveFailures(count) => {
            format!("{count} {} in a row.", plural(*count, "failure", "failures"))
        }
        OpenReason::FailureRate(rate) => format!("{} of {} calls failed.", rate.count, rate.calls),
        OpenReason::SlowCallRate(rate) => format!("{} of {} calls were slow.", rate.count, rate.calls),
        OpenReason::ProbeFailed => "A probe failed.".to_owned(),
        OpenReason::ProbeSlow => "A probe was slow.".to_owned(),
        OpenReason::HalfOpenTimeout => "The probes did not finish in time.".to_owned(),
    }
}

fn plural(count: u32, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rad_model::Share;

    #[test]
    fn an_opened_breaker_says_why_and_what_follows() {
        let kind = EventKind::BreakerOpened {
            breaker: "mail".to_owned(),
            reason: OpenReason::ConsecutiveFailures(5),
            open_for_ms: 60_000,
        };
        assert_eq!(title(&kind), "mail breaker opened");
        assert_eq!(reason(&kind), "5 failures in a row. Probes after 1 min.");
    }

    #[test]
    fn a_breaker_that_was_open_for_fifteen_seconds_does_not_say_sixteen() {
        let kind = EventKind::BreakerHalfOpen { breaker: "mail".to_owned(), after_ms: 15_640 };
        assert_eq!(reason(&kind), "After 15 s open, probes go through.");
    }

    #[test]
    fn a_rollout_says_from_where_to_where_and_by_whom() {
        let kind = EventKind::RolloutChanged {
            rollout: "search".to_owned(),
            from: Share::NONE,
            to: Share::from_percent(10.0).unwrap(),
            phase: "stage 1 of 4".to_owned(),
            by: "console".to_owned(),
            reason: "first ten percent".to_owned(),
        };
        assert_eq!(title(&kind), "search candidate 0 → 10 %");
        assert_eq!(reason(&kind), "By console: “first ten percent”");
    }

    #[test]
    fn a_step_that_changes_no_share_says_which_it_is_and_a_rollback_looks_like_one() {
        let moved = |from: f64, to: f64, phase: &str| EventKind::RolloutChanged {
            rollout: "search".to_owned(),
            from: Share::from_percent(from).unwrap(),
            to: Share::from_percent(to).unwrap(),
            phase: phase.to_owned(),
            by: "console".to_owned(),
            reason: String::new(),
        };
        let paused = moved(10.0, 10.0, "stage 1 of 4, paused");
        assert_eq!((title(&paused).as_str(), tone(&paused)), ("search stage 1 of 4, paused", "move"));
        let back = moved(10.0, 0.0, "rolled back");
        assert_eq!((title(&back).as_str(), tone(&back)), ("search rolled back, 10 → 0 %", "bad"));
    }
}
