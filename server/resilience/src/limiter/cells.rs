//! The table of a limiter: as many words a key as its policy needs, and no more.

use std::hash::Hash;

use crate::table::Table;

/// The most words that a key has.
pub(super) const MAX_WORDS: usize = 2 * super::MAX_WINDOWS;

#[derive(Debug)]
pub(super) enum Cells<K> {
    One(Table<K, [u64; 1]>),
    Two(Table<K, [u64; 2]>),
    Three(Table<K, [u64; 3]>),
    Four(Table<K, [u64; 4]>),
    Six(Table<K, [u64; 6]>),
    Eight(Table<K, [u64; 8]>),
}

macro_rules! each {
    ($self:ident, $table:ident => $does:expr) => {
        match $self {
            Cells::One($table) => $does,
            Cells::Two($table) => $does,
            Cells::Three($table) => $does,
            Cells::Four($table) => $does,
            Cells::Six($table) => $does,
            Cells::Eight($table) => $does,
        }
    };
}

impl<K: Hash + Eq + Clone> Cells<K> {
    /// A table of at least `words` words a key, and at most `max_keys` keys.
    pub(super) fn new(words: usize, max_keys: usize) -> Self {
        match words {
            0 | 1 => Self::One(Table::new(max_keys)),
            2 => Self::Two(Table::new(max_keys)),
            3 => Self::Three(Table::new(max_keys)),
            4 => Self::Four(Table::new(max_keys)),
            5 | 6 => Self::Six(Table::new(max_keys)),
            _ => Self::Eight(Table::new(max_keys)),
        }
    }

    #[inline]
    pub(super) fn with<T>(
        &self,
        key: &K,
        weight: impl Fn(&[u64]) -> u64,
        act: impl FnOnce(&mut [u64]) -> T,
    ) -> T {
        each!(self, table => table.with(key, |cells| weight(cells), |_| {}, |cells| act(cells)))
    }

    /// Calls `act` if the key is known.
    pub(super) fn get<T>(&self, key: &K, act: impl FnOnce(&mut [u64]) -> T) -> Option<T> {
        each!(self, table => table.get(key, |cells| act(cells)))
    }

    /// The state of a key; that of one that is not known is all zero.
    pub(super) fn copy(&self, key: &K) -> [u64; MAX_WORDS] {
        let mut copy = [0; MAX_WORDS];
        self.get(key, |cells| copy[..cells.len()].copy_from_slice(cells));
        copy
    }

    pub(super) fn retain(&self, keep: impl Fn(&[u64]) -> bool) {
        each!(self, table => table.retain(|_, cells| keep(cells)));
    }

    pub(super) fn visit(&self, mut see: impl FnMut(&K, &[u64])) {
        each!(self, table => table.visit(|key, cells| see(key, cells)));
    }

    pub(super) fn len(&self) -> usize {
        each!(self, table => table.len())
    }

    pub(super) fn stats(&self) -> super::Stats {
        each!(self, table => super::Stats {
            keys: table.len(),
            max_keys: table.max_keys(),
            evicted_total: table.evicted(),
            memory_bytes: table.memory_bytes(),
        })
    }
}
