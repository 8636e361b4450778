//! How much memory answers may take while they are collected, on all workers together: what is kept is
//! bounded elsewhere, what is on its way there is bounded here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are free.
#[derive(Debug)]
pub struct Room(AtomicU64);

/// A part of a [`Room`], given back when it is dropped.
#[derive(Debug)]
pub struct Reserved {
    room: Arc<Room>,
    bytes: u64,
}

impl Room {
    pub fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(bytes)))
    }

    /// So many bytes; none if there is no room for them.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Reserved> {
        let mut reserved = Reserved { room: Arc::clone(self), bytes: 0 };
        reserved.grow(bytes).then_some(reserved)
    }
}

impl Reserved {
    /// Adds so many bytes; false, and nothing has changed, if there is no room for them.
    pub fn grow(&mut self, by: u64) -> bool {
        let free = &self.room.0;
        let taken =
            free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(by)).is_ok();
        if taken {
            self.bytes += by;
        }
        taken
    }

    /// Gives all of it back.
    pub fn release(&mut self) {
        self.room.0.fetch_add(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_room_changes_nothing_and_what_is_dropped_is_free_again() {
        let room = Room::new(10);
        let mut first = room.reserve(4).unwrap();
        assert!(room.reserve(7).is_none());
        assert!(first.grow(6) && !first.grow(1));
        drop(first);
        assert!(room.reserve(10).is_some());
        assert!(room.reserve(u64::MAX).is_none());
    }
}
