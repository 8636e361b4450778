//! What the page says about its connection.

use super::machine::{Machine, Obstacle, Phase};
use crate::format;

/// The state as one word and a tone, for the pill in the header.
#[must_use]
pub fn state(machine: &Machine) -> (&'static str, &'static str) {
    match machine.phase {
        Phase::Open { live: true, .. } => ("ok", "Live"),
        Phase::Disabled if machine.is_stale() => ("warn", "Polling fails"),
        Phase::Disabled => ("off", "Polling"),
        Phase::Refused(_) => ("bad", "Refused"),
        Phase::Deferred(Obstacle::Offline) => ("bad", "Offline"),
        _ if machine.backoff.is_offline(machine.attempt) => ("bad", "Offline"),
        _ if machine.attempt > 0 => ("warn", "Reconnecting"),
        _ => ("off", "Connecting"),
    }
}

/// The same for a page that is held still. Of what is wrong it says nothing less than one that is not.
#[must_use]
pub fn held(machine: &Machine) -> (&'static str, &'static str) {
    match machine.phase {
        Phase::Open { live: true, .. } => ("warn", "Paused"),
        Phase::Disabled if !machine.is_stale() => ("warn", "Paused"),
        _ => state(machine),
    }
}

/// What happens next: `(3 of 10) in 2.1 s`; empty while all is well.
#[must_use]
pub fn next(machine: &Machine, now_ms: u64) -> String {
    let which = match machine.attempt {
        0 => String::new(),
        n if machine.backoff.is_offline(n) => String::new(),
        n => format!("({n} of {})", machine.backoff.attempts),
    };
    match machine.phase {
        Phase::Waiting { .. } => {
            let left = format::countdown(machine.retry_in_ms(now_ms).unwrap_or(0));
            if which.is_empty() { format!("next try in {left}") } else { format!("{which} in {left}") }
        }
        Phase::Connecting => which,
        _ => String::new(),
    }
}

/// The banner's sentence about what happens next.
#[must_use]
pub fn outlook(machine: &Machine, now_ms: u64) -> String {
    match machine.phase {
        Phase::Refused(code) => format!("The server refused the connection (code {code})."),
        Phase::Deferred(Obstacle::Offline) => {
            "This computer is offline; it reconnects once it is back.".to_owned()
        }
        Phase::Deferred(Obstacle::Hidden) => "It reconnects when this tab is shown.".to_owned(),
        Phase::Disabled => "Polling goes on every 10 s.".to_owned(),
        Phase::Waiting { .. } if machine.backoff.is_offline(machine.attempt) => {
            format!("Offline after {} attempts; {}.", machine.backoff.attempts, next(machine, now_ms))
        }
        Phase::Connecting | Phase::Waiting { .. } | Phase::Open { .. } | Phase::Idle => {
            let next = next(machine, now_ms);
            if next.is_empty() { "Reconnecting.".to_owned() } else { format!("Reconnecting {next}.") }
        }
    }
}

/// The word of `window.RadMonitor.status()`.
#[must_use]
pub fn status(machine: &Machine) -> &'static str {
    match machine.phase {
        Phase::Disabled => "polling",
        Phase::Open { live: true, .. } => "connected",
        Phase::Refused(_) | Phase::Deferred(Obstacle::Offline) => "offline",
        _ if machine.backoff.is_offline(machine.attempt) => "offline",
        _ if machine.attempt > 0 => "reconnecting",
        _ => "connecting",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::machine::Input;

    fn lost(times: u32) -> Machine {
        let mut machine = Machine::default();
        machine.step(Input::Start, 0, 0.5);
        for _ in 0..times {
            machine.step(Input::Closed(1006), 0, 0.5);
            if machine.attempt < times {
                machine.step(Input::RetryNow, 0, 0.5);
            }
        }
        machine
    }

    #[test]
    fn a_waiting_client_says_which_attempt_comes_when() {
        let machine = lost(3);
        assert_eq!(state(&machine).1, "Reconnecting");
        assert_eq!(next(&machine, 150), "(3 of 10) in 2.1 s");
        assert_eq!(outlook(&machine, 150), "Reconnecting (3 of 10) in 2.1 s.");
    }

    #[test]
    fn a_page_that_is_held_still_is_paused_and_a_lost_connection_is_still_lost() {
        let mut machine = lost(0);
        machine.step(Input::Opened, 0, 0.5);
        machine.step(Input::FrameSeen, 0, 0.5);
        assert_eq!(held(&machine).1, "Paused");
        machine.step(Input::Closed(1006), 0, 0.5);
        assert_eq!(held(&machine).1, "Reconnecting");
    }

    #[test]
    fn after_ten_attempts_it_says_that_it_is_offline() {
        let machine = lost(11);
        assert_eq!(state(&machine).1, "Offline");
        assert_eq!(outlook(&machine, 0), "Offline after 10 attempts; next try in 30.0 s.");
        assert_eq!(status(&machine), "offline");
    }

    #[test]
    fn a_refusal_names_the_code() {
        let mut machine = lost(0);
        machine.step(Input::Closed(1008), 0, 0.5);
        assert!(outlook(&machine, 0).contains("1008"));
    }
}
