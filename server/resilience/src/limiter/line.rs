//! Who waits for which key, in the order in which they came.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, PoisonError};

use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering};

/// The lines of a limiter; only keys for which somebody waits have one.
#[derive(Debug)]
pub(super) struct Lines<K> {
    /// How many lines there are, so that decisions need not lock while nobody waits.
    count: AtomicUsize,
    lines: Mutex<HashMap<K, Line>>,
}

impl<K> Default for Lines<K> {
    fn default() -> Self {
        Self { count: AtomicUsize::new(0), lines: Mutex::default() }
    }
}

#[derive(Debug, Default)]
struct Line {
    /// Whose turn it is: fair, so that it goes round in the order of the line.
    turn: Arc<tokio::sync::Mutex<()>>,
    next_ticket: u64,
    waiting: VecDeque<Waiting>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    ticket: u64,
    n: u32,
}

/// A place in a line, given up when dropped.
#[derive(Debug)]
pub(super) struct Place<'a, K: Hash + Eq> {
    lines: &'a Lines<K>,
    key: &'a K,
    ticket: u64,
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

impl<K: Hash + Eq + Clone> Lines<K> {
    /// Whether anybody waits for any key.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Calls `see` with what those ahead in the line of `key` ask for; `None` if nobody waits.
    pub(super) fn ahead<T>(
        &self,
        key: &K,
        see: impl FnOnce(&mut dyn ExactSizeIterator<Item = u32>) -> T,
    ) -> Option<T> {
        let lines = self.lock();
        lines.get(key).map(|line| see(&mut line.waiting.iter().map(|waiting| waiting.n)))
    }

    /// Takes the last place in the line of `key`, if `admit` agrees; it is told what those ahead ask for.
    pub(super) fn join<'a, E>(
        &'a self,
        key: &'a K,
        n: u32,
        admit: impl FnOnce(&mut dyn ExactSizeIterator<Item = u32>) -> Result<(), E>,
    ) -> Result<Place<'a, K>, E> {
        let mut lines = self.lock();
        match lines.get(key) {
            Some(line) => admit(&mut line.waiting.iter().map(|waiting| waiting.n))?,
            None => admit(&mut std::iter::empty())?,
        }
        let line = lines.entry(key.clone()).or_default();
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        line.waiting.push_back(Waiting { ticket, n });
        let turn = Arc::clone(&line.turn);
        self.count.store(lines.len(), Ordering::Relaxed);
        drop(lines);
        Ok(Place { lines: self, key, ticket, turn })
    }
}

impl<K> Lines<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq> Drop for Place<'_, K> {
    fn drop(&mut self) {
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get_mut(self.key) {
            line.waiting.retain(|waiting| waiting.ticket != self.ticket);
            if line.waiting.is_empty() {
                lines.remove(self.key);
            }
        }
        self.lines.count.store(lines.len(), Ordering::Relaxed);
    }
}
