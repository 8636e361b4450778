//! The one sequence of frames: kept for those who come back, sent to those who are there.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rad_model::{Event, EventKind, Frame, Hello, Resume, Snapshot, Tick, Topology};
use tokio::sync::broadcast;

use super::log::Log;
use super::unix_ms;

/// Time between ticks, milliseconds.
pub const INTERVAL_MS: u32 = 1_000;

/// How many frames are kept. A client that missed more gets a snapshot, which is smaller by then.
const KEPT: usize = 300;
/// How many frames a slow connection may lag behind before it gets a snapshot instead.
const BEHIND: usize = 16;

/// A frame in the form in which it goes to every client: encoded once.
pub type Encoded = axum::extract::ws::Utf8Bytes;

/// The frames of this run of the program.
#[derive(Debug)]
pub struct Journal {
    epoch: String,
    state: Mutex<State>,
    live: broadcast::Sender<Encoded>,
    log: Log,
}

#[derive(Debug)]
struct State {
    seq: u64,
    snapshot: Arc<Snapshot>,
    frames: VecDeque<Frame>,
}

/// What a client asks to go on from: an epoch and the last number that it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub epoch: String,
    pub seq: u64,
}

impl Journal {
    /// An empty journal. `epoch` names this run: no two runs share one.
    #[must_use]
    pub fn new(epoch: String, topology: Topology, log: Log) -> Self {
        let snapshot = Arc::new(Snapshot { topology, ..Snapshot::default() });
        let state = State { seq: 0, snapshot, frames: VecDeque::with_capacity(KEPT) };
        Self { epoch, state: Mutex::new(state), live: broadcast::Sender::new(BEHIND), log }
    }

    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Tells of something that happened now, in the log too.
    pub fn event(&self, kind: EventKind) {
        self.log.event(&kind);
        self.publish(|seq| Frame::Event(Event { seq, at_ms: unix_ms(), kind }));
    }

    /// Tells of an interval that is over. Its number is filled in.
    pub fn tick(&self, tick: Tick) {
        self.publish(|seq| Frame::Tick(Tick { seq, ..tick }));
    }

    /// Says goodbye to everybody.
    pub fn bye(&self, bye: rad_model::Bye) {
        let _state = self.lock();
        self.send(&Frame::Bye(bye));
    }

    fn publish(&self, frame: impl FnOnce(u64) -> Frame) {
        let mut state = self.lock();
        state.seq += 1;
        let frame = frame(state.seq);
        Arc::make_mut(&mut state.snapshot).apply(&frame);
        if state.frames.len() == KEPT {
            state.frames.pop_front();
        }
        // Sent under the lock, so that who subscribes between two frames misses neither.
        self.send(&frame);
        state.frames.push_back(frame);
    }

    fn send(&self, frame: &Frame) {
        if self.live.receiver_count() > 0
            && let Ok(text) = serde_json::to_string(frame)
        {
            let _ = self.live.send(text.into());
        }
    }

    /// What to tell a client first, from its position if that is still known.
    #[must_use]
    pub fn hello(&self, from: Option<&Position>) -> Hello {
        self.hello_of(&self.lock(), from)
    }

    /// As [`Journal::hello`], and all frames that follow.
    #[must_use]
    pub fn subscribe(&self, from: Option<&Position>) -> (Hello, broadcast::Receiver<Encoded>) {
        let state = self.lock();
        (self.hello_of(&state, from), self.live.subscribe())
    }

    fn hello_of(&self, state: &State, from: Option<&Position>) -> Hello {
        let missed = from.and_then(|from| self.missed(state, from));
        let resume = missed
            .map_or_else(|| Resume::Snapshot(Box::new(Snapshot::clone(&state.snapshot))), Resume::Missed);
        Hello { epoch: self.epoch.clone(), seq: state.seq, interval_ms: INTERVAL_MS, resume }
    }

    fn missed(&self, state: &State, from: &Position) -> Option<Vec<Frame>> {
        if from.epoch != self.epoch || from.seq > state.seq {
            return None;
        }
        let first = state.frames.front().and_then(Frame::seq).unwrap_or(state.seq + 1);
        if from.seq + 1 < first {
            return None;
        }
        let skip = usize::try_from(from.seq + 1 - first).ok()?;
        Some(state.frames.iter().skip(skip).cloned().collect())
    }

    /// The state at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.lock().snapshot)
    }

    /// Connected clients.
    #[must_use]
    pub fn listeners(&self) -> u32 {
        u32::try_from(self.live.receiver_count()).unwrap_or(u32::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Journal {
        Journal::new("e1".to_owned(), Topology::default(), Log::off())
    }

    fn at(seq: u64) -> Position {
        Position { epoch: "e1".to_owned(), seq }
    }

    fn seqs(hello: &Hello) -> Vec<u64> {
        match &hello.resume {
            Resume::Missed(frames) => frames.iter().filter_map(Frame::seq).collect(),
            Resume::Snapshot(_) => panic!("a snapshot"),
        }
    }

    #[test]
    fn a_client_that_comes_back_gets_only_what_it_missed() {
        let journal = journal();
        for _ in 0..5 {
            journal.tick(Tick::default());
        }
        journal.event(EventKind::MetricsReset);
        assert_eq!(seqs(&journal.hello(Some(&at(3)))), [4, 5, 6]);
        assert_eq!(seqs(&journal.hello(Some(&at(6)))), [] as [u64; 0]);
    }

    #[test]
    fn an_unknown_epoch_a_future_number_and_too_long_an_absence_get_a_snapshot() {
        let journal = journal();
        for _ in 0..=KEPT {
            journal.tick(Tick::default());
        }
        let other = Position { epoch: "e0".to_owned(), seq: 300 };
        for from in [None, Some(other), Some(at(9_999)), Some(at(0)), Some(at(u64::MAX))] {
            let hello = journal.hello(from.as_ref());
            assert!(matches!(hello.resume, Resume::Snapshot(_)), "{from:?}");
        }
        assert_eq!(seqs(&journal.hello(Some(&at(1)))).len(), KEPT);
    }

    #[test]
    fn between_hello_and_the_first_frame_nothing_is_lost_or_told_twice() {
        let journal = journal();
        journal.tick(Tick::default());
        let (hello, mut frames) = journal.subscribe(None);
        journal.tick(Tick::default());
        assert_eq!(hello.seq, 1);
        let frame: Frame = serde_json::from_str(&frames.try_recv().unwrap()).unwrap();
        assert_eq!(frame.seq(), Some(2));
    }
}
