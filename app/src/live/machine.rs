//! When to connect, when to wait, when to give up: the live connection as a pure state machine.
//!
//! It knows no socket, clock or dice. Each [`Input`] comes with the time and a random number, and answers
//! with [`Effect`]s for the browser to carry out:
//!
//! ```text
//! Idle ──► Connecting ──► Open ──► (closed, or 5 s without a frame) ──► Waiting ──► Connecting …
//!                                                    browser offline or tab hidden: Deferred
//!                                                    a close code that forbids it:  Refused
//! any ──disable──► Disabled (polls) ──enable──► Connecting
//! ```
//!
//! At most one timer runs at a time: the next attempt while waiting, the watchdog while connected.

use rad_model::{Backoff, ClientMessage, close};

/// A connection without a frame for this long is lost: ticks come every second.
pub const WATCHDOG_MS: u64 = 5_000;

/// The close code of a connection that ended without one.
pub const ABNORMAL: u16 = 1006;

/// A report carries at most this many delays.
const REPORTED_DELAYS: usize = 100;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The page is ready.
    Start,
    Opened,
    /// A frame, or the answer to a poll.
    FrameSeen,
    /// With the close code.
    Closed(u16),
    /// The server announced that it leaves; clients come back within this window (milliseconds).
    Bye(Option<(u32, u32)>),
    TimerFired,
    Offline,
    Online,
    Hidden,
    Visible,
    RetryNow,
    Disable,
    Enable,
    PollFailed,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Connect,
    CloseSocket,
    /// In so many milliseconds; replaces the timer that runs.
    StartTimer(u64),
    CancelTimer,
    StartPolling,
    StopPolling,
}

/// Where the connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Before the page is ready.
    #[default]
    Idle,
    Connecting,
    /// `live` once the first frame is here.
    Open {
        since_ms: u64,
        live: bool,
    },
    Waiting {
        from_ms: u64,
        until_ms: u64,
    },
    /// An attempt is due, but has to wait for the browser.
    Deferred(Obstacle),
    /// Closed with a code after which trying again is noise.
    Refused(u16),
    /// By the kill switch: legacy mode.
    Disabled,
}

/// What an attempt waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    Offline,
    Hidden,
}

/// The connection of one page.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    pub backoff: Backoff,
    pub phase: Phase,
    /// Which retry since the connection was last stable; 0: none.
    pub attempt: u32,
    /// When figures last came in, milliseconds by the browser's clock.
    pub heard_ms: Option<u64>,
    /// Since when figures are old.
    pub lost_ms: Option<u64>,
    online: bool,
    visible: bool,
    window: Option<(u32, u32)>,
    report: Report,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Report {
    attempts: u32,
    connected_ms: Option<u64>,
    delays_ms: Vec<u32>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            phase: Phase::Idle,
            attempt: 0,
            heard_ms: None,
            lost_ms: None,
            online: true,
            visible: true,
            window: None,
            report: Report::default(),
        }
    }
}

impl Machine {
    /// Takes an input at `now_ms`; `random` lies in `0.0..1.0`.
    pub fn step(&mut self, input: Input, now_ms: u64, random: f64) -> Vec<Effect> {
        match (input, self.phase) {
            (Input::Start, Phase::Idle) => self.connect(now_ms),
            (Input::Opened, Phase::Connecting) => {
                self.phase = Phase::Open { since_ms: now_ms, live: false };
                vec![Effect::StartTimer(WATCHDOG_MS)]
            }
            (Input::FrameSeen, phase) => {
                self.heard_ms = Some(now_ms);
                self.lost_ms = None;
                if let Phase::Open { since_ms, .. } = phase {
                    self.phase = Phase::Open { since_ms, live: true };
                }
                vec![]
            }
            (Input::Closed(code), Phase::Connecting | Phase::Open { .. }) => {
                self.lose(code, now_ms, now_ms, random)
            }
            (Input::Bye(window), _) => {
                self.window = window;
                vec![]
            }
            (Input::TimerFired, phase) => self.timer_fired(phase, now_ms, random),
            (Input::RetryNow, Phase::Waiting { .. } | Phase::Deferred(_)) => self.connect(now_ms),
            (Input::RetryNow, Phase::Refused(_)) => {
                self.attempt = 1;
                self.connect(now_ms)
            }
            (Input::Disable, phase) if phase != Phase::Disabled => {
                self.phase = Phase::Disabled;
                self.attempt = 0;
                vec![Effect::CancelTimer, Effect::CloseSocket, Effect::StartPolling]
            }
            (Input::Enable, Phase::Disabled) => {
                let mut effects = vec![Effect::StopPolling];
                effects.extend(self.connect(now_ms));
                effects
            }
            (Input::PollFailed, Phase::Disabled) => {
                self.lost_ms.get_or_insert(now_ms);
                vec![]
            }
            (Input::Offline | Input::Online | Input::Hidden | Input::Visible, phase) => {
                self.surroundings(input, phase, now_ms)
            }
            _ => vec![],
        }
    }

    /// The report to send after a hello: how this connection came about.
    pub fn take_report(&mut self) -> ClientMessage {
        let Report { attempts, connected_ms, delays_ms } = std::mem::take(&mut self.report);
        ClientMessage::Report { attempts: attempts.max(1), connected_ms, delays_ms }
    }

    /// Whether figures come in (by the socket or by polling).
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.lost_ms.is_some()
    }

    /// Whether the kill switch is thrown.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.phase == Phase::Disabled
    }

    /// Milliseconds until the next attempt, while one is awaited.
    #[must_use]
    pub fn retry_in_ms(&self, now_ms: u64) -> Option<u64> {
        match self.phase {
            Phase::Waiting { until_ms, .. } => Some(until_ms.saturating_sub(now_ms)),
            _ => None,
        }
    }

    fn connect(&mut self, now_ms: u64) -> Vec<Effect> {
        if let Phase::Waiting { from_ms, .. } = self.phase
            && self.report.delays_ms.len() < REPORTED_DELAYS
        {
            let waited = now_ms.saturating_sub(from_ms);
            self.report.delays_ms.push(u32::try_from(waited).unwrap_or(u32::MAX));
        }
        self.report.attempts = self.report.attempts.saturating_add(1);
        self.phase = Phase::Connecting;
        vec![Effect::Connect, Effect::StartTimer(WATCHDOG_MS)]
    }

    /// The connection (or the attempt) failed at `now_ms`; nothing was heard since `lost_ms`.
    fn lose(&mut self, code: u16, lost_ms: u64, now_ms: u64, random: f64) -> Vec<Effect> {
        if let Phase::Open { since_ms, .. } = self.phase {
            let lived = now_ms.saturating_sub(since_ms);
            self.report.connected_ms = Some(lived);
            self.settle(lived);
        }
        self.lost_ms.get_or_insert(lost_ms);
        if !close::retries_after(code) {
            self.phase = Phase::Refused(code);
            return vec![Effect::CancelTimer];
        }
        self.attempt = self.attempt.saturating_add(1);
        if !self.online {
            self.phase = Phase::Deferred(Obstacle::Offline);
            return vec![Effect::CancelTimer];
        }
        let delay = match self.window.take() {
            Some((first, last)) => spread(first, last, random),
            None => u64::try_from(self.backoff.delay(self.attempt, random).as_millis()).unwrap_or(u64::MAX),
        };
        self.phase = Phase::Waiting { from_ms: now_ms, until_ms: now_ms.saturating_add(delay) };
        vec![Effect::StartTimer(delay)]
    }

    fn timer_fired(&mut self, phase: Phase, now_ms: u64, random: f64) -> Vec<Effect> {
        match phase {
            // Browsers may fire a little early.
            Phase::Waiting { until_ms, .. } if now_ms < until_ms => {
                vec![Effect::StartTimer(until_ms - now_ms)]
            }
            Phase::Waiting { .. } if !self.visible => {
                self.phase = Phase::Deferred(Obstacle::Hidden);
                vec![]
            }
            Phase::Waiting { .. } => self.connect(now_ms),
            Phase::Connecting => self.give_up(now_ms, now_ms, random),
            Phase::Open { since_ms, .. } => {
                self.settle(now_ms.saturating_sub(since_ms));
                let heard = self.heard_ms.unwrap_or(0).max(since_ms);
                match now_ms.saturating_sub(heard) {
                    quiet if quiet < WATCHDOG_MS => vec![Effect::StartTimer(WATCHDOG_MS - quiet)],
                    _ => self.give_up(heard, now_ms, random),
                }
            }
            _ => vec![],
        }
    }

    fn give_up(&mut self, lost_ms: u64, now_ms: u64, random: f64) -> Vec<Effect> {
        let mut effects = vec![Effect::CloseSocket];
        effects.extend(self.lose(ABNORMAL, lost_ms, now_ms, random));
        effects
    }

    /// A connection that has lived long enough resets the schedule.
    fn settle(&mut self, lived_ms: u64) {
        if crate::format::approximate(lived_ms) >= self.backoff.stable_after_ms {
            self.attempt = 0;
        }
    }

    fn surroundings(&mut self, input: Input, phase: Phase, now_ms: u64) -> Vec<Effect> {
        match input {
            Input::Offline => self.online = false,
            Input::Online => self.online = true,
            Input::Hidden => self.visible = false,
            _ => self.visible = true,
        }
        let waits = matches!(phase, Phase::Waiting { .. });
        match phase {
            Phase::Waiting { .. } | Phase::Deferred(_) if !self.online => {
                self.phase = Phase::Deferred(Obstacle::Offline);
                if waits { vec![Effect::CancelTimer] } else { vec![] }
            }
            Phase::Deferred(_) if !self.visible => {
                self.phase = Phase::Deferred(Obstacle::Hidden);
                vec![]
            }
            Phase::Deferred(_) => self.connect(now_ms),
            _ => vec![],
        }
    }
}

fn spread(first: u32, last: u32, random: f64) -> u64 {
    let width = f64::from(last.saturating_sub(first));
    u64::from(first) + crate::format::whole(width * random.clamp(0.0, 1.0))
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
