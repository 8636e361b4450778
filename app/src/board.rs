//! Everything that the page shows, and how it moves on: the snapshot of the model, its place in the
//! sequence of frames, and the rejections of the last minute, which no frame carries.

use std::collections::VecDeque;

use rad_model::{Frame, Hello, Resume, RouteTick, Snapshot, Tick};

/// The state behind the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    /// Names the run of the server that this state is from.
    pub epoch: String,
    /// The number of the last frame that is contained here.
    pub seq: u64,
    /// Time between ticks, milliseconds.
    pub interval_ms: u32,
    pub snapshot: Snapshot,
    rejections: VecDeque<(u64, Vec<(u32, u32)>)>,
}

impl Board {
    /// The state that a hello brings to a page that knows nothing.
    #[must_use]
    pub fn new(hello: &Hello) -> Self {
        let mut board = Self::default();
        board.greet(hello.clone());
        board
    }

    /// Takes in a hello: a snapshot replaces everything (one of another run of
    /// the server leaves the past standing), missed frames are applied in their order.
    ///
    /// Returns how many frames (a snapshot counts as one) changed the state.
    pub fn greet(&mut self, hello: Hello) -> usize {
        self.interval_ms = hello.interval_ms.max(1);
        match hello.resume {
            Resume::Snapshot(mut snapshot) => {
                if !self.epoch.is_empty() && self.epoch != hello.epoch {
                    snapshot.continue_from(&self.snapshot);
                }
                self.snapshot = *snapshot;
                self.epoch = hello.epoch;
                self.seq = hello.seq;
                self.rejections.clear();
                if let Some(now) = self.snapshot.now.take() {
                    self.remember_rejections(&now);
                    self.snapshot.now = Some(now);
                }
                1
            }
            Resume::Missed(frames) if hello.epoch == self.epoch => {
                let applied = frames.iter().filter(|frame| self.apply(frame)).count();
                self.seq = self.seq.max(hello.seq);
                applied
            }
            // What was missed from another run says nothing without its beginning: ask for all next time.
            Resume::Missed(_) => {
                self.epoch.clear();
                0
            }
        }
    }

    /// Takes in a tick or an event that follows; returns whether it was new.
    pub fn apply(&mut self, frame: &Frame) -> bool {
        let Some(seq) = frame.seq() else { return false };
        if seq <= self.seq {
            return false;
        }
        self.seq = seq;
        self.snapshot.apply(frame);
        if let Frame::Tick(tick) = frame {
            self.remember_rejections(tick);
        }
        true
    }

    /// The end of the last interval, milliseconds since 1970; 0 before the first.
    #[must_use]
    pub fn at_ms(&self) -> u64 {
        self.snapshot.history.at_ms.last().copied().unwrap_or(0)
    }

    /// The last known figures of a route.
    #[must_use]
    pub fn route(&self, route: u32) -> Option<&RouteTick> {
        self.snapshot.routes.iter().find(|tick| tick.route == route)
    }

    /// Rejected requests of a route in the last minute, as far as this page has seen it.
    #[must_use]
    pub fn rejected_in_a_minute(&self, route: u32) -> u32 {
        let counts = self.rejections.iter().flat_map(|(_, routes)| routes);
        counts.filter(|(at, _)| *at == route).fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    fn remember_rejections(&mut self, tick: &Tick) {
        let limited: Vec<_> =
            tick.routes.iter().filter(|r| r.limited > 0).map(|r| (r.route, r.limited)).collect();
        if !limited.is_empty() {
            self.rejections.push_back((tick.at_ms, limited));
        }
        while self.rejections.front().is_some_and(|(at, _)| at + 60_000 <= tick.at_ms) {
            self.rejections.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(epoch: &str, seq: u64, resume: Resume) -> Hello {
        Hello { epoch: epoch.to_owned(), seq, interval_ms: 1_000, resume }
    }

    fn tick(seq: u64, limited: u32) -> Frame {
        let route = RouteTick { route: 3, requests: 9, limited, failed: 0, p99_us: 0, fullest: None };
        Frame::Tick(Tick { seq, at_ms: seq * 1_000, routes: vec![route], ..Tick::default() })
    }

    fn board() -> Board {
        Board::new(&hello("a", 5, Resume::Snapshot(Box::default())))
    }

    #[test]
    fn what_was_missed_is_applied_once_and_in_order() {
        let mut board = board();
        board.apply(&tick(6, 0));
        let missed = Resume::Missed(vec![tick(6, 0), tick(7, 0), tick(8, 0)]);
        assert_eq!(board.greet(hello("a", 8, missed)), 2);
        assert_eq!(board.seq, 8);
        assert_eq!(board.snapshot.history.at_ms, [6_000, 7_000, 8_000]);
    }

    #[test]
    fn a_snapshot_of_another_run_leaves_the_past_standing_and_replaces_the_rest() {
        let mut board = board();
        board.apply(&tick(6, 4));
        board.greet(hello("b", 2, Resume::Snapshot(Box::default())));
        assert_eq!((board.epoch.as_str(), board.seq), ("b", 2));
        assert_eq!(board.snapshot.history.at_ms, [6_000]);
        assert_eq!(board.rejected_in_a_minute(3), 0);
    }

    #[test]
    fn missed_frames_of_another_run_are_not_believed_and_all_is_asked_for_next() {
        let mut board = board();
        assert_eq!(board.greet(hello("b", 9, Resume::Missed(vec![tick(9, 0)]))), 0);
        assert_eq!((board.epoch.as_str(), board.snapshot.history.len()), ("", 0));
    }

    #[test]
    fn rejections_count_for_a_minute() {
        let mut board = board();
        board.apply(&tick(6, 4));
        board.apply(&tick(7, 2));
        assert_eq!(board.rejected_in_a_minute(3), 6);
        board.apply(&tick(66, 0));
        assert_eq!(board.rejected_in_a_minute(3), 2);
        assert_eq!(board.rejected_in_a_minute(1), 0);
    }
}
