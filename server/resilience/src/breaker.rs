//! A circuit breaker: stops asking a target that fails, and finds out by probes when it is well again.
//!
//! ```text
//!          failures in a row, failure rate
//!             or slow-call rate is met               open_for is over, a call comes
//!  CLOSED ────────────────────────▶ OPEN ─────────────────────────────────────────▶ HALF_OPEN
//!    ▲                               ▲                                                │  │
//!    │                               └──── a probe fails, or half_open_for is over ───┘  │
//!    └───────────────────────── M probes succeed ─────────────────────────────────────────┘
//! ```
//!
//! The pattern is Michael Nygard's (*Release It!*), the words are resilience4j's. The whole state is one
//! atomic word, so that a decision is one load while closed and all workers agree without a lock. Each
//! period of a state has a generation of its own; a [`Permit`] carries it, so that the late result of an
//! earlier period changes nothing. Time never runs backwards for a breaker: a clock that does is taken as
//! one that stands still.

pub(crate) mod atomic;
mod call;
mod guard;
mod record;
mod settings;
mod snapshot;
pub(crate) mod tally;
mod transition;
mod window;
mod word;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rad_model::BreakerState;

use crate::Timestamp;
use atomic::{AtomicU64, Ordering};
pub use call::CallError;
pub use guard::Guard;
pub use settings::{BreakerPolicy, BreakerSettings, InvalidBreaker, OpenGrowth, SlidingWindow};
pub use snapshot::{Snapshot, Status, WindowFigures};
pub use transition::{
    Classify, ErrorsAreFailures, Mode, OpenReason, Outcome, Rate, Rejection, RejectionReason, Transition,
};
use window::Window;
use word::Word;
pub(crate) use word::millis;

/// The longest time that a caller who finds all probes under way is told to wait.
const PROBE_WAIT: Duration = Duration::from_secs(1);

/// Leave to ask the target. Give it back with [`Breaker::record`]; a permit that is dropped instead must
/// be recorded as [`Outcome::Ignored`] by its holder, or a probe's place stays taken until the half-open
/// time is over. [`Breaker::permit`] has a form that does so by itself.
#[must_use = "a permit that is not recorded keeps a probe's place taken"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    issued: Word,
}

type Listener = Box<dyn Fn(&Transition, Timestamp) + Send + Sync>;

/// A circuit breaker for one target.
///
/// ```
/// use rad_resilience::breaker::{Breaker, BreakerPolicy, Outcome};
/// use rad_resilience::{Clock, SystemClock};
///
/// let (breaker, clock) = (Breaker::new(BreakerPolicy::default()), SystemClock::new());
/// let started = clock.now();
/// let (permit, _) = breaker.acquire(started)?;
/// let status = 200; // what the target answered
/// let now = clock.now();
/// breaker.record(permit, Outcome::of_status(status), now.since(started), now);
/// # Ok::<(), rad_resilience::breaker::Rejection>(())
/// ```
pub struct Breaker {
    word: AtomicU64,
    window: Option<Window>,
    policy: BreakerPolicy,
    trips: AtomicU64,
    rejected: AtomicU64,
    /// Why it opened last, and when; behind a lock, because it is touched only by a breaker that opens and
    /// by people who look.
    last_opened: Mutex<Option<(u64, OpenReason)>>,
    listeners: Vec<Listener>,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(policy: BreakerPolicy) -> Self {
        let settings = policy.settings();
        Self {
            word: AtomicU64::new(Word::NEW.bits()),
            window: settings.has_window().then(|| Window::new(settings.sliding_window)),
            policy,
            trips: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            last_opened: Mutex::new(None),
            listeners: Vec::new(),
        }
    }

    /// Also tells `listener` of every transition: called by whoever brought it about, after the fact. It
    /// should be quick, since a call waits for it.
    #[must_use]
    pub fn on_transition(
        mut self,
        listener: impl Fn(&Transition, Timestamp) + Send + Sync + 'static,
    ) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &BreakerSettings {
        self.policy.settings()
    }

    /// Asks for leave to call the target. Also returns the change of state that this brought about.
    ///
    /// # Errors
    /// [`Rejection`] while the breaker is open, or half-open with all probes under way, or forced open.
    #[inline]
    pub fn acquire(&self, now: Timestamp) -> Result<(Permit, Option<Transition>), Rejection> {
        let word = self.load();
        if word.is_plainly_closed() {
            return Ok((Permit { issued: word }, None));
        }
        self.acquire_slowly(word, now)
    }

    #[inline(never)]
    fn acquire_slowly(
        &self,
        mut word: Word,
        now: Timestamp,
    ) -> Result<(Permit, Option<Transition>), Rejection> {
        loop {
            match word.mode() {
                Mode::ForcedOpen => {
                    self.rejected.fetch_add(1, Ordering::Relaxed);
                    let (reason, retry_after) = (RejectionReason::ForcedOpen, self.settings().open_for);
                    return Err(Rejection { reason, retry_after, transition: None });
                }
                Mode::Disabled if word.state() != BreakerState::Closed => {
                    return Ok((Permit { issued: word.unbound() }, None));
                }
                Mode::Disabled | Mode::Automatic | Mode::MetricsOnly => {}
            }
            let (next, transition) = match word.state() {
                BreakerState::Closed => return Ok((Permit { issued: word }, None)),
                BreakerState::Open => {
                    let remaining = self.policy.open_for(word.streak()).saturating_sub(word.age(now));
                    if !remaining.is_zero() {
                        return self.reject(word, RejectionReason::Open, remaining, None);
                    }
                    let next = word.half_opened(now).with_probe();
                    (next, Some(Transition::HalfOpened { after: word.age(now) }))
                }
                BreakerState::HalfOpen => {
                    let remaining = self.settings().half_open_for.saturating_sub(word.age(now));
                    if remaining.is_zero() {
                        let (next, opened) = self.opened(word, OpenReason::HalfOpenTimeout, now);
                        if self.replace(word, next) {
                            self.announce(next, &opened, now);
                            let open_for = self.policy.open_for(next.streak());
                            return self.reject(next, RejectionReason::Open, open_for, Some(opened));
                        }
                        word = self.load();
                        continue;
                    }
                    let under_way = word.probes();
                    if under_way >= self.policy.permitted_probes()
                        || under_way + word.successes() >= self.settings().successes_to_close
                    {
                        let wait = remaining.min(PROBE_WAIT);
                        return self.reject(word, RejectionReason::HalfOpen, wait, None);
                    }
                    (word.with_probe(), None)
                }
            };
            if self.replace(word, next) {
                if let Some(transition) = &transition {
                    self.announce(next, transition, now);
                }
                return Ok((Permit { issued: next }, transition));
            }
            word = self.load();
        }
    }

    /// Rejects a call, or lets it through without counting it where the mode is only to say what would be.
    fn reject(
        &self,
        word: Word,
        reason: RejectionReason,
        retry_after: Duration,
        transition: Option<Transition>,
    ) -> Result<(Permit, Option<Transition>), Rejection> {
        self.rejected.fetch_add(1, Ordering::Relaxed);
        if word.mode() == Mode::MetricsOnly {
            return Ok((Permit { issued: word.unbound() }, transition));
        }
        Err(Rejection { reason, retry_after, transition })
    }

    fn opened(&self, word: Word, reason: OpenReason, now: Timestamp) -> (Word, Transition) {
        let streak = match word.state() {
            BreakerState::Closed => self.policy.next_streak(word.streak(), word.age(now)),
            BreakerState::Open | BreakerState::HalfOpen => word.streak().saturating_add(1),
        };
        let next = word.opened(streak, now);
        (next, Transition::Opened { reason, open_for: self.policy.open_for(next.streak()) })
    }

    /// Opens a breaker that has been half-open for too long. To be called now and then.
    pub fn expire(&self, now: Timestamp) -> Option<Transition> {
        let word = self.load();
        let stands_still = matches!(word.mode(), Mode::ForcedOpen | Mode::Disabled);
        if stands_still
            || word.state() != BreakerState::HalfOpen
            || word.age(now) < self.settings().half_open_for
        {
            return None;
        }
        let (next, transition) = self.opened(word, OpenReason::HalfOpenTimeout, now);
        self.replace(word, next).then(|| {
            self.announce(next, &transition, now);
            transition
        })
    }

    /// Who decides.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.load().mode()
    }

    /// Changes who decides, in one step, and returns who did before, so that it can be undone.
    pub fn set_mode(&self, mode: Mode, now: Timestamp) -> Mode {
        let mut word = self.load();
        while !self.replace(word, word.with_mode(mode)) {
            word = self.load();
        }
        let from = word.mode();
        if from != mode {
            self.tell(&Transition::ModeChanged { from, to: mode }, now);
        }
        from
    }

    /// Closes the breaker and forgets what it counted; the mode and the number of trips stay.
    pub fn reset(&self, now: Timestamp) -> Transition {
        let mut word = self.load();
        while !self.replace(word, word.reset(now, self.latest_ms())) {
            word = self.load();
        }
        let transition = Transition::Reset { from: word.state() };
        self.tell(&transition, now);
        transition
    }

    fn announce(&self, word: Word, transition: &Transition, now: Timestamp) {
        if let Transition::Opened { reason, .. } = transition {
            self.trips.fetch_add(1, Ordering::Relaxed);
            let mut last = self.last_opened.lock().unwrap_or_else(PoisonError::into_inner);
            // Another thread may have been faster to tell of a later opening.
            if last.is_none_or(|(generation, _)| generation < word.generation()) {
                *last = Some((word.generation(), *reason));
            }
        }
        self.tell(transition, now);
    }

    fn tell(&self, transition: &Transition, now: Timestamp) {
        for listener in &self.listeners {
            listener(transition, now);
        }
    }

    fn latest_ms(&self) -> u64 {
        self.window.as_ref().map_or(0, Window::latest_ms)
    }

    fn load(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    fn replace(&self, old: Word, new: Word) -> bool {
        self.word.compare_exchange(old.bits(), new.bits(), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("policy", &self.policy)
            .field("word", &self.load())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(loom)]
mod loom_tests;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;
