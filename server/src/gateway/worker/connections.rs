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
/// The same once the worker wants to leave.
const DRAINING_IDLE_S: u64 = 1;
/// One that was told to finish, and still has no request after so many seconds more, is closed.
const GRACE_S: u64 = 1;

/// What a connection does, in seconds since the worker began.
#[derive(Debug, Default)]
pub(super) struct Activity {
    second: Rc<Cell<u64>>,
    /// Requests whose answers have not gone out.
    requests: Cell<u32>,
    /// When a request last ended, or a part of an answer was last taken by the other side.
    last: Cell<u64>,
    /// Since when it is to finish.
    told: Cell<Option<u64>>,
    is_closing: Cell<bool>,
}

/// A request on a connection, until its answer has gone out.
#[derive(Debug)]
pub(super) struct Busy(Rc<Activity>);

impl Activity {
    pub(super) fn begin(self: &Rc<Self>) -> Busy {
        self.requests.set(self.requests.get() + 1);
        Busy(Rc::clone(self))
    }

    pub(super) fn note(&self) {
        self.last.set(self.second.get());
    }

    pub(super) fn is_told(&self) -> bool {
        self.told.get().is_some()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.get()
    }

    /// Whether the connection's task has to be woken, because something is to be done.
    fn is_due(&self, idle_s: u64) -> bool {
        let second = self.second.get();
        if self.requests.get() > 0 {
            return false;
        }
        match self.told.get() {
            None if second - self.last.get() > idle_s => self.told.set(Some(second)),
            Some(told) if second - told.max(self.last.get()) > GRACE_S => self.is_closing.set(true),
            _ => return false,
        }
        true
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get() - 1);
        self.0.note();
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
    pub(super) fn sweep(&self, is_draining: bool) {
        self.second.set(self.second.get() + 1);
        let idle_s = if is_draining { DRAINING_IDLE_S } else { IDLE_S };
        for Occupant { activity, waker } in self.state.borrow().places.iter().flatten() {
            if activity.is_due(idle_s)
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

    fn pass(connections: &Connections, seconds: u64, is_draining: bool) {
        for _ in 0..seconds {
            connections.sweep(is_draining);
        }
    }

    #[test]
    fn a_connection_without_a_request_is_told_to_finish_and_then_closed() {
        let connections = Connections::default();
        let place = connections.enter();
        pass(&connections, IDLE_S, false);
        assert!(!place.activity.is_told());
        pass(&connections, 1, false);
        assert!(place.activity.is_told() && !place.activity.is_closing());
        pass(&connections, GRACE_S + 1, false);
        assert!(place.activity.is_closing());
    }

    #[test]
    fn a_request_may_take_as_long_as_it_takes_and_idleness_begins_with_its_end() {
        let connections = Connections::default();
        let place = connections.enter();
        let busy = place.activity.begin();
        pass(&connections, 10 * IDLE_S, false);
        assert!(!place.activity.is_told());
        drop(busy);
        pass(&connections, IDLE_S, false);
        // A slow reader still takes what has been answered.
        place.activity.note();
        pass(&connections, IDLE_S, false);
        assert!(!place.activity.is_told());
        pass(&connections, 1, false);
        assert!(place.activity.is_told());
    }

    #[test]
    fn while_draining_only_requests_under_way_are_waited_for() {
        let connections = Connections::default();
        let (idle, working) = (connections.enter(), connections.enter());
        let busy = working.activity.begin();
        connections.tell_all();
        pass(&connections, GRACE_S + 1, true);
        assert!(idle.activity.is_closing());
        assert!(working.activity.is_told() && !working.activity.is_closing());
        drop(busy);
        pass(&connections, GRACE_S + 1, true);
        assert!(working.activity.is_closing());
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
