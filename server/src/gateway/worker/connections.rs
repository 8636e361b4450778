//! Which connections are open, and which of them have nothing to do.
//!
//! A timer for each would be set and cancelled with every request; once a second a look at all of them tells
//! the same, to the second.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// A connection without a request is told to finish after so many seconds: while it waits for one, and while
/// the head of one is still coming.
const IDLE_S: u64 = 60;
/// A connection whose client takes nothing of an answer for so many seconds is closed.
const STUCK_S: u64 = 60;
/// One that was told to finish and has nothing to do is closed after so many seconds more.
const GRACE_S: u64 = 1;

/// What a connection does, in seconds since the worker began.
#[derive(Debug, Default)]
pub(super) struct Activity {
    second: Rc<Cell<u64>>,
    /// Requests whose answers have not gone out.
    requests: Cell<u32>,
    /// Answers of which the connection has parts that the client has not taken.
    untaken: Cell<u32>,
    /// Whether the client did not take the last thing that was written.
    is_blocked: Cell<bool>,
    /// Whether the protocol itself knows when the last answer is out: then it ends the connection.
    is_multiplexed: Cell<bool>,
    /// When a request last ended, or a part of an answer last moved.
    last: Cell<u64>,
    /// Since when it is to finish.
    told: Cell<Option<u64>>,
    is_closing: Cell<bool>,
}

/// A request on a connection, until its answer has gone out.
#[derive(Debug)]
pub(super) struct Busy {
    activity: Rc<Activity>,
    has_untaken: bool,
}

impl Activity {
    pub(super) fn begin(self: &Rc<Self>, is_multiplexed: bool) -> Busy {
        self.requests.set(self.requests.get() + 1);
        if is_multiplexed {
            self.is_multiplexed.set(true);
        }
        Busy { activity: Rc::clone(self), has_untaken: false }
    }

    /// The client took something, or did not.
    pub(super) fn wrote(&self, is_taken: bool) {
        self.is_blocked.set(!is_taken);
        if is_taken {
            self.note();
        }
    }

    fn note(&self) {
        self.last.set(self.second.get());
    }

    pub(super) fn is_told(&self) -> bool {
        self.told.get().is_some()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.get()
    }

    /// Whether the connection's task has to be woken, because something is to be done.
    fn is_due(&self) -> bool {
        let second = self.second.get();
        let quiet = second - self.last.get();
        if self.is_blocked.get() || self.untaken.get() > 0 {
            if quiet > STUCK_S {
                self.is_closing.set(true);
                return true;
            }
            return false;
        }
        if self.requests.get() > 0 {
            return false;
        }
        match self.told.get() {
            None if quiet > IDLE_S => self.told.set(Some(second)),
            // What HTTP/2 has not sent yet for want of a window cannot be seen from here.
            Some(_) if self.is_multiplexed.get() => return false,
            Some(told) if second - told.max(self.last.get()) > GRACE_S => self.is_closing.set(true),
            _ => return false,
        }
        true
    }
}

impl Busy {
    /// A part of the answer went to the connection; or the connection has asked for the next one.
    pub(super) fn handed(&mut self, is_untaken: bool) {
        let activity = &self.activity;
        activity.note();
        if is_untaken != self.has_untaken {
            self.has_untaken = is_untaken;
            let untaken = activity.untaken.get();
            activity.untaken.set(if is_untaken { untaken + 1 } else { untaken - 1 });
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.handed(false);
        self.activity.requests.set(self.activity.requests.get() - 1);
    }
}

#[derive(Debug, Default)]
struct State {
    /// `None` for a free place.
    places: Vec<Option<Occupant>>,
    free: Vec<usize>,
    open: usize,
    waiting: Option<Waker>,
}

#[derive(Debug)]
struct Occupant {
    activity: Rc<Activity>,
    waker: Option<Waker>,
}

/// The open connections of a worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    second: Rc<Cell<u64>>,
    state: Rc<RefCell<State>>,
}

/// A connection's place, left when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) activity: Rc<Activity>,
    state: Rc<RefCell<State>>,
    at: usize,
    is_known: Cell<bool>,
}

impl Connections {
    pub(super) fn enter(&self) -> Place {
        let second = Rc::clone(&self.second);
        let last = Cell::new(second.get());
        let activity = Rc::new(Activity { second, last, ..Activity::default() });
        let mut state = self.state.borrow_mut();
        state.open += 1;
        let occupant = Some(Occupant { activity: Rc::clone(&activity), waker: None });
        let at = match state.free.pop() {
            Some(at) => {
                state.places[at] = occupant;
                at
            }
            None => {
                state.places.push(occupant);
                state.places.len() - 1
            }
        };
        Place { activity, state: Rc::clone(&self.state), at, is_known: Cell::new(false) }
    }

    /// A second has passed.
    pub(super) fn sweep(&self) {
        self.second.set(self.second.get() + 1);
        for Occupant { activity, waker } in self.state.borrow().places.iter().flatten() {
            if activity.is_due()
                && let Some(waker) = waker
            {
                waker.wake_by_ref();
            }
        }
    }

    /// All are to finish what they are doing.
    pub(super) fn tell_all(&self) {
        for Occupant { activity, waker } in self.state.borrow().places.iter().flatten() {
            activity.told.set(activity.told.get().or(Some(self.second.get())));
            if let Some(waker) = waker {
                waker.wake_by_ref();
            }
        }
    }

    /// Waits until none is open.
    pub(super) async fn closed(&self) {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            if state.open == 0 {
                return Poll::Ready(());
            }
            state.waiting = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Place {
    /// Notes how to wake the connection's task. A task keeps its waker, so that once is enough.
    pub(super) fn remember(&self, waker: &Waker) {
        if !self.is_known.replace(true)
            && let Some(occupant) = &mut self.state.borrow_mut().places[self.at]
        {
            occupant.waker = Some(waker.clone());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.state.borrow_mut();
        state.places[self.at] = None;
        state.free.push(self.at);
        state.open -= 1;
        if state.open == 0
            && let Some(waiting) = state.waiting.take()
        {
            waiting.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(connections: &Connections, seconds: u64) {
        for _ in 0..seconds {
            connections.sweep();
        }
    }

    #[test]
    fn a_connection_without_a_request_is_told_to_finish_and_then_closed() {
        let connections = Connections::default();
        let place = connections.enter();
        pass(&connections, IDLE_S);
        assert!(!place.activity.is_told());
        pass(&connections, 1);
        assert!(place.activity.is_told() && !place.activity.is_closing());
        pass(&connections, GRACE_S + 1);
        assert!(place.activity.is_closing());
    }

    #[test]
    fn a_request_may_take_as_long_as_it_takes_and_idleness_begins_with_its_end() {
        let connections = Connections::default();
        let place = connections.enter();
        let busy = place.activity.begin(false);
        pass(&connections, 10 * IDLE_S);
        assert!(!place.activity.is_told() && !place.activity.is_closing());
        drop(busy);
        pass(&connections, IDLE_S);
        place.activity.wrote(true);
        pass(&connections, IDLE_S);
        assert!(!place.activity.is_told());
        pass(&connections, 1);
        assert!(place.activity.is_told());
    }

    #[test]
    fn a_client_that_takes_nothing_of_its_answer_is_closed_and_a_slow_one_is_not() {
        let connections = Connections::default();
        let (stuck, slow, blocked) = (connections.enter(), connections.enter(), connections.enter());
        let mut stuck_busy = stuck.activity.begin(true);
        stuck_busy.handed(true);
        let mut slow_busy = slow.activity.begin(false);
        slow_busy.handed(true);
        // Its answer is over, but for what the kernel does not take.
        drop(blocked.activity.begin(false));
        blocked.activity.wrote(false);
        pass(&connections, STUCK_S);
        slow.activity.wrote(true);
        assert!(!stuck.activity.is_closing() && !blocked.activity.is_closing());
        pass(&connections, 1);
        assert!(stuck.activity.is_closing() && blocked.activity.is_closing());
        assert!(!slow.activity.is_closing());
        // Waiting for the upstream again.
        slow_busy.handed(false);
        pass(&connections, 2 * STUCK_S);
        assert!(!slow.activity.is_closing());
    }

    #[test]
    fn while_draining_what_has_not_gone_out_is_waited_for() {
        let connections = Connections::default();
        let (idle, working, owing) = (connections.enter(), connections.enter(), connections.enter());
        let multiplexed = connections.enter();
        let busy = working.activity.begin(false);
        drop(owing.activity.begin(false));
        owing.activity.wrote(false);
        drop(multiplexed.activity.begin(true));
        connections.tell_all();
        pass(&connections, GRACE_S + 1);
        assert!(idle.activity.is_closing());
        for waited_for in [&working, &owing, &multiplexed] {
            assert!(waited_for.activity.is_told() && !waited_for.activity.is_closing());
        }
        drop(busy);
        owing.activity.wrote(true);
        pass(&connections, GRACE_S + 1);
        assert!(working.activity.is_closing() && owing.activity.is_closing());
    }

    #[test]
    fn a_place_is_free_again_after_its_connection() {
        let connections = Connections::default();
        let first = connections.enter();
        drop(first);
        let second = connections.enter();
        assert_eq!(second.at, 0);
        assert_eq!(connections.state.borrow().open, 1);
    }
}
