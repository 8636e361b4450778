//! Which connections are open, so that they can be told to finish.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

#[derive(Debug, Default)]
struct State {
    /// The waker of each connection's task; `None` for a free place.
    places: Vec<Option<Waker>>,
    free: Vec<usize>,
    open: usize,
    waiting: Option<Waker>,
}

/// The open connections of a worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections(Rc<RefCell<State>>);

/// A connection's place, left when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    state: Rc<RefCell<State>>,
    at: usize,
    is_known: std::cell::Cell<bool>,
}

impl Connections {
    pub(super) fn enter(&self) -> Place {
        let mut state = self.0.borrow_mut();
        state.open += 1;
        let at = state.free.pop().unwrap_or_else(|| {
            state.places.push(None);
            state.places.len() - 1
        });
        Place { state: Rc::clone(&self.0), at, is_known: false.into() }
    }

    pub(super) fn wake_all(&self) {
        for waker in self.0.borrow().places.iter().flatten() {
            waker.wake_by_ref();
        }
    }

    /// Waits until none is open.
    pub(super) async fn closed(&self) {
        poll_fn(|cx| {
            let mut state = self.0.borrow_mut();
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
        if !self.is_known.replace(true) {
            self.state.borrow_mut().places[self.at] = Some(waker.clone());
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
