//! The page's live state: the board, the connection that feeds it, and the clock of the browser.

mod asked;
#[cfg(feature = "hydrate")]
mod browser;
mod freshness;
pub mod http;
#[cfg(feature = "hydrate")]
mod kill_switch;
pub mod machine;
#[cfg(feature = "hydrate")]
mod socket;
pub mod words;

pub use asked::Asked;
#[cfg(feature = "hydrate")]
pub use asked::keep_with_the_program;
pub use freshness::Freshness;

use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use rad_model::{Event, RolloutTick, Share, Topology};

use crate::board::Board;
use crate::signals::effect;
use machine::Machine;

/// What has changed on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    Events,
    All,
}

/// Signals that the whole page reads; one for each page, handed down as context.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    /// What is shown. Held still while paused, and told to the views once an animation frame at most.
    pub board: RwSignal<Board>,
    /// Tells of events that came in between two ticks: they change the feed and the marks, and must not
    /// redraw everything else many times a second when many breakers trip.
    told: RwSignal<()>,
    /// Routes, breakers and rollouts: what names and policies follow, and nothing each second.
    pub topology: Memo<Topology>,
    /// The rollouts. While paused their figures stand still too, but not their shares: who acts must see
    /// what is in force.
    pub rollouts: RwSignal<Vec<RolloutTick>>,
    pub connection: RwSignal<Machine>,
    /// Whether no figures come in.
    pub stale: Memo<bool>,
    /// Now by the browser's clock; `None` in the first picture, which the server draws.
    pub now_ms: RwSignal<Option<u64>>,
    /// Minutes east of UTC; `None` in the first picture, which shows UTC.
    pub zone_min: RwSignal<Option<i32>>,
    /// While paused: how many frames wait.
    pub held: RwSignal<Option<usize>>,
    /// While paused: the board as it would be.
    ahead: StoredValue<Option<Board>>,
}

impl Live {
    /// The state that the page starts with.
    #[must_use]
    pub fn new(board: Board) -> Self {
        let rollouts = RwSignal::new(board.rollouts());
        let shown = RwSignal::new(board);
        let connection = RwSignal::new(Machine::default());
        Self {
            rollouts,
            board: shown,
            told: RwSignal::new(()),
            topology: Memo::new(move |_| shown.with(|board| board.snapshot.topology.clone())),
            connection,
            stale: Memo::new(move |_| connection.with(Machine::is_stale)),
            now_ms: RwSignal::new(None),
            zone_min: RwSignal::new(None),
            held: RwSignal::new(None),
            ahead: StoredValue::new(None),
        }
    }

    /// Changes the board by what came in; `change` returns how many frames that were. The views are told of
    /// all of it, or just that there are new events.
    pub fn take_in(self, news: News, change: impl FnOnce(&mut Board) -> usize) {
        let mut change = Some(change);
        let waiting = self.ahead.try_update_value(|ahead| {
            let board = ahead.as_mut()?;
            let new = change.take().map_or(0, |change| change(board));
            Some((new, self.with_new_shares(board)))
        });
        if let Some((new, rollouts)) = waiting.flatten() {
            self.held.update(|held| *held = held.map(|held| held + new));
            self.show_rollouts(rollouts);
        } else if let Some(change) = change {
            let rollouts = self.board.try_update_untracked(|board| {
                change(board);
                board.rollouts()
            });
            self.show_rollouts(rollouts.unwrap_or_default());
            draw_soon(self, news);
        }
    }

    /// Reads the events, latest last, and is told of new ones.
    pub fn events<T>(self, read: impl FnOnce(&[Event]) -> T) -> T {
        self.told.track();
        self.board.with(|board| read(&board.snapshot.events))
    }

    /// Shows a share that was just put in force, whether or not the live connection tells of it.
    pub fn change_share(self, rollout: &str, to: Share) {
        self.take_in(News::Events, |board| {
            board.change_share(rollout, to);
            0
        });
    }

    /// The rollouts as they are shown, but with those of the board whose share has changed.
    fn with_new_shares(self, board: &Board) -> Vec<RolloutTick> {
        let mut shown = self.rollouts.get_untracked();
        let infos = &board.snapshot.topology.rollouts;
        if self.topology.with_untracked(|topology| topology.rollouts == *infos) {
            for (shown, now) in shown.iter_mut().zip(board.rollouts()) {
                if shown.candidate_share != now.candidate_share {
                    *shown = now;
                }
            }
        }
        shown
    }

    /// Whether the picture is held still.
    #[must_use]
    pub fn is_paused(self) -> bool {
        self.held.with(Option::is_some)
    }

    /// Where in the sequence of frames the page is: epoch and number.
    #[must_use]
    pub fn place(self) -> (String, u64) {
        let of = |board: &Board| (board.epoch.clone(), board.seq);
        self.ahead.with_value(|ahead| ahead.as_ref().map(of)).unwrap_or_else(|| self.board.with_untracked(of))
    }

    /// Holds the picture still, or lets it catch up.
    pub fn toggle_pause(self) {
        if let Some(board) = self.ahead.try_update_value(Option::take).flatten() {
            self.held.set(None);
            self.show_rollouts(board.rollouts());
            self.board.set(board);
        } else {
            self.ahead.set_value(Some(self.board.get_untracked()));
            self.held.set(Some(0));
        }
    }

    /// Minutes east of UTC in which times are shown.
    #[must_use]
    pub fn zone(self) -> i32 {
        self.zone_min.get().unwrap_or(0)
    }

    /// Throws the kill switch, or takes it back.
    pub fn toggle_integration(self) {
        if self.connection.with_untracked(Machine::is_disabled) { enable() } else { disable() }
    }

    /// The rollout at a position, as it is shown.
    #[must_use]
    pub fn rollout(self, at: usize) -> Memo<RolloutTick> {
        Memo::new(move |_| self.rollouts.with(|all| all.get(at).cloned()).unwrap_or_default())
    }

    fn show_rollouts(self, rollouts: Vec<RolloutTick>) {
        if self.rollouts.with_untracked(|shown| *shown != rollouts) {
            self.rollouts.set(rollouts);
        }
    }
}

/// How often what is in no frame is asked for.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Asks at once, and again and again while the page is there and seen.
pub fn poll(ask: impl Fn() + 'static) {
    let ask: Rc<dyn Fn()> = Rc::new(ask);
    effect(move || {
        ask();
        let again = Rc::clone(&ask);
        let seen = move || {
            if !document().hidden() {
                again();
            }
        };
        if let Ok(timer) = set_interval_with_handle(seen, ASK_EVERY) {
            on_cleanup(move || timer.clear());
        }
    });
}

/// The page's state; every page has one.
#[must_use]
pub fn use_live() -> Live {
    use_context().unwrap_or_else(|| Live::new(Board::default()))
}

#[cfg(feature = "hydrate")]
pub use browser::{draw_soon, now_ms, start};

/// Connects (or polls) from now on.
#[cfg(not(feature = "hydrate"))]
pub fn start(_: Live) {}

#[cfg(not(feature = "hydrate"))]
fn draw_soon(_: Live, _: News) {}

/// What the server draws is of no moment.
#[cfg(not(feature = "hydrate"))]
#[must_use]
pub fn now_ms() -> u64 {
    0
}

/// Loads the page again: the session is over, and the server leads to the login and back.
#[cfg(feature = "hydrate")]
fn leave() {
    let _ = window().location().reload();
}

/// Tries to connect at once.
pub fn retry_now() {
    #[cfg(feature = "hydrate")]
    browser::feed(machine::Input::RetryNow);
}

/// Throws the kill switch: legacy mode.
pub fn disable() {
    #[cfg(feature = "hydrate")]
    kill_switch::disable();
}

/// Takes the kill switch back.
pub fn enable() {
    #[cfg(feature = "hydrate")]
    kill_switch::enable();
}
