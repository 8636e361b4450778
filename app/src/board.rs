//! Everything that the page shows, and how it moves on: the snapshot of the model, its place in the
//! sequence of frames, and what no frame carries: how long the sides of rollouts took in the last seconds.

use std::collections::VecDeque;

use rad_model::{
    BreakerMode, BreakerState, BreakerTick, EventKind, Frame, Hello, Resume, RolloutTick, RouteTick, Share,
    Snapshot, Tick,
};

/// Figures of a single second jump too much to be read: what is shown is the mean of so many.
pub const MEAN_MS: u64 = 10_000;

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
    /// The p99 of both sides of each rollout.
    sides: VecDeque<(u64, Vec<[u32; 2]>)>,
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
                self.sides.clear();
                if let Some(now) = self.snapshot.now.take() {
                    self.remember(&now);
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
        match frame {
            Frame::Tick(tick) => self.remember(tick),
            // The event comes at once, the next tick up to a second later.
            Frame::Event(event) => {
                if let EventKind::RolloutChanged { rollout, to, .. } = &event.kind {
                    self.change_share(rollout, *to);
                }
            }
            Frame::Hello(_) | Frame::Bye(_) => {}
        }
        true
    }

    /// A share is in force from now on; what both sides did before it counts no longer.
    pub fn change_share(&mut self, rollout: &str, to: Share) {
        let named = self.snapshot.topology.rollouts.iter().position(|info| info.name == rollout);
        let ticks = self.snapshot.now.as_mut().map(|now| &mut now.rollouts);
        if let Some(tick) = named.zip(ticks).and_then(|(at, ticks)| ticks.get_mut(at))
            && tick.candidate_share != to
        {
            *tick = RolloutTick { candidate_share: to, ..RolloutTick::default() };
        }
    }

    /// The rollouts as they are shown: with the mean p99 of the last seconds, as far as this page has seen
    /// them, where a tick has that of its own second.
    #[must_use]
    pub fn rollouts(&self) -> Vec<RolloutTick> {
        let mut rollouts = self.snapshot.now.as_ref().map(|now| now.rollouts.clone()).unwrap_or_default();
        for (at, tick) in rollouts.iter_mut().enumerate() {
            if tick.legacy.total_requests > 0 {
                tick.legacy.p99_us = self.mean_p99(at, 0);
            }
            if tick.candidate.total_requests > 0 {
                tick.candidate.p99_us = self.mean_p99(at, 1);
            }
        }
        rollouts
    }

    /// Leaves out seconds without a request; 0 if all were.
    fn mean_p99(&self, rollout: usize, side: usize) -> u32 {
        let known = self.sides.iter().filter_map(|(_, sides)| sides.get(rollout));
        let known = known.map(|sides| u64::from(sides[side])).filter(|us| *us > 0);
        let (sum, count) = known.fold((0, 0), |(sum, count), us| (sum + us, count + 1));
        u32::try_from(sum / count.max(1)).unwrap_or(u32::MAX)
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

    /// Rejected requests of a route in the last minute.
    #[must_use]
    pub fn rejected_in_a_minute(&self, route: u32) -> u32 {
        self.snapshot.rejections.of(route)
    }

    /// The breaker that needs to be looked at first: one that rejects before one that does not.
    #[must_use]
    pub fn worst_breaker(&self) -> usize {
        // Of equals the first.
        let rank = |tick: &BreakerTick| match (tick.mode, tick.state) {
            (BreakerMode::ForcedOpen, _) | (BreakerMode::Automatic, BreakerState::Open) => 4,
            (BreakerMode::Automatic, BreakerState::HalfOpen) => 3,
            (BreakerMode::MetricsOnly, BreakerState::Open | BreakerState::HalfOpen) => 2,
            // What people have left so.
            (BreakerMode::Disabled, _) => 1,
            (_, BreakerState::Closed) => 0,
        };
        let mut worst = (0, 0);
        for (at, tick) in self.snapshot.now.iter().flat_map(|now| &now.breakers).enumerate() {
            if rank(tick) > worst.1 {
                worst = (at, rank(tick));
            }
        }
        worst.0
    }

    fn remember(&mut self, tick: &Tick) {
        let sides = tick.rollouts.iter().map(|tick| [tick.legacy.p99_us, tick.candidate.p99_us]).collect();
        self.sides.push_back((tick.at_ms, sides));
        while self.sides.front().is_some_and(|(at, _)| at + MEAN_MS <= tick.at_ms) {
            self.sides.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rad_model::{Event, RolloutInfo, SideTick};

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
    fn an_open_breaker_is_worse_than_a_half_open_one_and_of_equals_the_first_is_meant() {
        let mut board = board();
        assert_eq!(board.worst_breaker(), 0);
        let breaker = |state, mode| BreakerTick { state, mode, ..BreakerTick::default() };
        let shown = |board: &mut Board, seq, breakers| {
            board.apply(&Frame::Tick(Tick { seq, at_ms: seq * 1_000, breakers, ..Tick::default() }));
            board.worst_breaker()
        };
        let (closed, half) = (BreakerState::Closed, BreakerState::HalfOpen);
        let auto = BreakerMode::Automatic;
        let mut breakers = vec![breaker(closed, auto), breaker(half, auto), breaker(half, auto)];
        assert_eq!(shown(&mut board, 6, breakers.clone()), 1);
        breakers.push(breaker(BreakerState::Open, auto));
        assert_eq!(shown(&mut board, 7, breakers.clone()), 3);
        breakers.push(breaker(BreakerState::Open, BreakerMode::Disabled));
        breakers[0] = breaker(closed, BreakerMode::ForcedOpen);
        assert_eq!(shown(&mut board, 8, breakers), 0);
    }

    fn rollout(seq: u64, percent: f64, p99_us: u32) -> Frame {
        let side = SideTick { requests: 4, p99_us, total_requests: 4 * seq, ..SideTick::default() };
        let candidate_share = Share::from_percent(percent).unwrap();
        let rollouts = vec![RolloutTick { candidate_share, legacy: side, ..RolloutTick::default() }];
        Frame::Tick(Tick { seq, at_ms: seq * 1_000, rollouts, ..Tick::default() })
    }

    #[test]
    fn the_p99_of_a_side_is_the_mean_of_ten_seconds_with_requests() {
        let mut board = board();
        for (seq, p99_us) in [(6, 9_000), (7, 100), (8, 0), (17, 300)] {
            board.apply(&rollout(seq, 10.0, p99_us));
        }
        let shown = board.rollouts();
        assert_eq!((shown[0].legacy.p99_us, shown[0].candidate.p99_us), (300, 0));
        assert_eq!(board.mean_p99(0, 0), 300);
        board.apply(&rollout(18, 10.0, 100));
        assert_eq!(board.rollouts()[0].legacy.p99_us, 200);
    }

    #[test]
    fn a_changed_share_shows_with_its_event_and_both_sides_begin_anew() {
        let mut board = board();
        let (name, side) = ("search".to_owned(), String::new);
        board.snapshot.topology.rollouts.push(RolloutInfo {
            name: name.clone(),
            legacy: side(),
            candidate: side(),
            stages: vec![],
            target_success: 0.995,
        });
        board.apply(&rollout(6, 10.0, 500));
        let [from, to] = [10.0, 50.0].map(|percent| Share::from_percent(percent).unwrap());
        let kind =
            EventKind::RolloutChanged { rollout: name, from, to, phase: side(), by: side(), reason: side() };
        board.apply(&Frame::Event(Event { seq: 7, at_ms: 6_100, kind }));
        assert_eq!(board.rollouts(), [RolloutTick { candidate_share: to, ..RolloutTick::default() }]);
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
