//! An answer's body while it is collected: its asker reads along, at its own pace.
//!
//! One buffer for both: what the asker has not taken yet costs no more than what is collected anyway, and a slow
//! asker does not hold up those who wait for the whole. Both are on one thread.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::room::{Reserved, Room};
use crate::gateway::body::{BodyError, ResponseBody};
use crate::gateway::ticket::Presence;

/// The room for a body of unknown length, to begin with, bytes.
const FIRST: usize = 8 << 10;
/// The most that an asker is handed at once, bytes.
const PART: usize = 64 << 10;

#[derive(Debug)]
struct State {
    bytes: Vec<u8>,
    /// For `bytes`; given back when neither who collects nor who reads needs them.
    reserved: Reserved,
    /// Bytes in all, as far as is known.
    length: Option<u64>,
    end: Option<End>,
    reader: Option<Waker>,
}

/// How collecting ended.
#[derive(Debug)]
enum End {
    Whole(Bytes),
    Broken(BodyError),
    /// What follows is for the asker alone.
    Rest(Box<ResponseBody>),
}

/// What has become of a body.
#[derive(Clone, Copy, Debug)]
pub enum Filled {
    Whole,
    Broken(BodyError),
    /// It has more bytes than are kept.
    TooLarge,
    /// There is no room for more at the moment.
    NoRoom,
}

/// The side that collects.
#[derive(Debug)]
pub struct Collector {
    state: Rc<RefCell<State>>,
    most: usize,
    /// When the last part came.
    moved: Cell<Instant>,
}

impl Collector {
    /// For a body of this length, if it is known, and of at most so many bytes; none if there is no room.
    pub fn new(room: &Arc<Room>, length: Option<u64>, most: usize) -> Option<Self> {
        let first = match length {
            Some(length) => usize::try_from(length).ok().filter(|length| *length <= most)?,
            None => FIRST.min(most),
        };
        let reserved = room.reserve(first as u64)?;
        let bytes = Vec::with_capacity(first);
        let state = State { bytes, reserved, length, end: None, reader: None };
        Some(Self { state: Rc::new(RefCell::new(state)), most, moved: Cell::new(Instant::now()) })
    }

    /// The side that reads along. Only one is woken.
    pub fn reader(&self) -> Arriving {
        Arriving { state: Rc::clone(&self.state), at: 0, presence: None }
    }

    /// Collects a body. What does not fit is put back.
    pub async fn fill(&self, body: &mut ResponseBody) -> Filled {
        loop {
            let part = match body.frame().await {
                None => return Filled::Whole,
                Some(Err(error)) => return Filled::Broken(error),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            let mut state = self.state.borrow_mut();
            if let Err(why) = state.make_room(part.len(), self.most) {
                body.put_back(part);
                return why;
            }
            state.bytes.extend_from_slice(&part);
            state.wake();
            self.moved.set(Instant::now());
        }
    }

    /// How long nothing has come.
    pub fn idle_for(&self) -> Duration {
        self.moved.get().elapsed()
    }

    /// All of it has come.
    pub fn whole(self) -> Bytes {
        let mut state = self.state.borrow_mut();
        // Without what the buffer has over: it stays for long.
        let whole = Bytes::from(std::mem::take(&mut state.bytes).into_boxed_slice());
        state.end(End::Whole(whole.clone()));
        whole
    }

    pub fn broken(self, error: BodyError) {
        self.state.borrow_mut().end(End::Broken(error));
    }

    /// Leaves the rest to the asker.
    pub fn leave(self, rest: ResponseBody) {
        self.state.borrow_mut().end(End::Rest(Box::new(rest)));
    }
}

impl State {
    fn make_room(&mut self, more: usize, most: usize) -> Result<(), Filled> {
        let needed = self.bytes.len().saturating_add(more);
        if needed > most {
            return Err(Filled::TooLarge);
        }
        let present = self.bytes.capacity();
        if needed > present {
            let capacity = needed.max(present.saturating_mul(2)).min(most);
            if !self.reserved.grow((capacity - present) as u64) {
                return Err(Filled::NoRoom);
            }
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        Ok(())
    }

    fn end(&mut self, end: End) {
        self.end = Some(end);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// What there is from `at` on.
    fn part(&self, at: usize) -> Bytes {
        match &self.end {
            Some(End::Whole(whole)) => whole.slice(at.min(whole.len())..),
            _ => {
                let here = self.bytes.get(at..).unwrap_or_default();
                Bytes::copy_from_slice(&here[..here.len().min(PART)])
            }
        }
    }
}

/// The side that reads along.
#[derive(Debug)]
pub struct Arriving {
    state: Rc<RefCell<State>>,
    at: usize,
    presence: Option<Presence>,
}

impl Arriving {
    /// Whoever reads it is there until it is dropped.
    pub fn read_by(&mut self, presence: Presence) {
        self.presence = Some(presence);
    }

    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let state = &mut *self.state.borrow_mut();
        let part = state.part(self.at);
        if !part.is_empty() {
            self.at += part.len();
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        match &mut state.end {
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(End::Whole(_)) => Poll::Ready(None),
            Some(End::Broken(error)) => Poll::Ready(Some(Err(*error))),
            Some(End::Rest(rest)) => {
                if state.bytes.capacity() > 0 {
                    self.at = 0;
                    state.bytes = Vec::new();
                    state.reserved.release();
                }
                Pin::new(&mut **rest).poll_frame(cx)
            }
        }
    }

    pub fn is_over(&self) -> bool {
        let state = self.state.borrow();
        match &state.end {
            Some(End::Whole(whole)) => self.at >= whole.len(),
            Some(End::Rest(rest)) => self.at >= state.bytes.len() && rest.is_end_stream(),
            _ => false,
        }
    }

    /// How many bytes are to come, if that is known.
    pub fn remaining(&self) -> Option<u64> {
        let state = self.state.borrow();
        match &state.end {
            Some(End::Whole(whole)) => Some(whole.len().saturating_sub(self.at) as u64),
            Some(End::Rest(rest)) => {
                Some(rest.size_hint().exact()? + state.bytes.len().saturating_sub(self.at) as u64)
            }
            _ => state.length.map(|length| length.saturating_sub(self.at as u64)),
        }
    }
}
