//! Letters in memory: gone with the process.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{
    DeadLetter, DeadLetterFigures, DeadLetterId, DeadLetters, Filter, LIFE, Listing, NewDeadLetter, Page,
};
use crate::Timestamp;

/// A bounded number of letters in memory. When there is no room the oldest goes, and is counted.
#[derive(Debug)]
pub struct MemoryDeadLetters {
    capacity: usize,
    state: Mutex<State>,
}

/// A capacity of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("capacity is 0; it must be 1 or more letters")]
pub struct InvalidCapacity;

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    /// By id, which is by age.
    letters: BTreeMap<DeadLetterId, Kept>,
    by_key: HashMap<(String, String), DeadLetterId>,
    figures: DeadLetterFigures,
}

#[derive(Debug)]
struct Kept {
    letter: DeadLetter,
    leased_until: Option<Timestamp>,
}

impl Kept {
    fn is_alive(&self, now: Timestamp) -> bool {
        now.since(self.letter.stored_at) < LIFE
    }
}

fn key(letter: &NewDeadLetter) -> Option<(String, String)> {
    let keyed = !letter.idempotency_key.is_empty();
    keyed.then(|| (letter.organisation.clone(), letter.idempotency_key.clone()))
}

impl State {
    fn remove(&mut self, id: DeadLetterId) -> bool {
        let Some(kept) = self.letters.remove(&id) else { return false };
        if let Some(key) = key(&kept.letter.letter) {
            self.by_key.remove(&key);
        }
        true
    }

    fn matching(&self, filter: &Filter, now: Timestamp) -> impl Iterator<Item = &DeadLetter> {
        let alive = self.letters.values().filter(move |kept| kept.is_alive(now));
        alive.map(|kept| &kept.letter).filter(move |letter| filter.matches(letter, now))
    }

    /// The letter at `id`, unless its life is over.
    fn alive(&mut self, id: DeadLetterId, now: Timestamp) -> Option<&mut Kept> {
        self.letters.get_mut(&id).filter(|kept| kept.is_alive(now))
    }

    fn sweep(&mut self, now: Timestamp) -> usize {
        let dead = self.letters.iter().filter(|(_, kept)| !kept.is_alive(now));
        let dead: Vec<_> = dead.map(|(id, _)| *id).collect();
        for id in &dead {
            self.remove(*id);
        }
        self.figures.expired += dead.len() as u64;
        dead.len()
    }
}

impl MemoryDeadLetters {
    /// Room for `capacity` letters.
    ///
    /// # Errors
    /// [`InvalidCapacity`] if it is zero.
    pub fn new(capacity: usize) -> Result<Self, InvalidCapacity> {
        if capacity == 0 {
            return Err(InvalidCapacity);
        }
        Ok(Self { capacity, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeadLetters for MemoryDeadLetters {
    type Error = Infallible;

    async fn store(&self, letter: NewDeadLetter, now: Timestamp) -> Result<DeadLetterId, Infallible> {
        let mut state = self.state();
        state.figures.stored += 1;
        let key = key(&letter);
        let known = key.as_ref().and_then(|key| state.by_key.get(key).copied());
        if let Some(kept) = known.and_then(|id| state.alive(id, now)) {
            kept.letter.letter = letter;
            return Ok(kept.letter.id);
        }
        if let Some(id) = known {
            state.remove(id);
            state.figures.expired += 1;
        }
        if state.letters.len() >= self.capacity {
            state.sweep(now);
        }
        while state.letters.len() >= self.capacity {
            let Some(oldest) = state.letters.keys().next().copied() else { break };
            state.remove(oldest);
            state.figures.overflowed += 1;
        }
        state.next_id += 1;
        let id = DeadLetterId(state.next_id);
        if let Some(key) = key {
            state.by_key.insert(key, id);
        }
        let letter = DeadLetter { id, stored_at: now, letter, redrives: 0 };
        state.letters.insert(id, Kept { letter, leased_until: None });
        Ok(id)
    }

    async fn get(&self, id: DeadLetterId, now: Timestamp) -> Result<Option<DeadLetter>, Infallible> {
        Ok(self.state().alive(id, now).map(|kept| kept.letter.clone()))
    }

    async fn list(&self, filter: &Filter, page: Page, now: Timestamp) -> Result<Listing, Infallible> {
        let state = self.state();
        let total = state.matching(filter, now).count();
        let rest =
            state.matching(filter, now).filter(|letter| page.after.is_none_or(|after| letter.id > after));
        let mut rest = rest.peekable();
        let letters: Vec<_> = rest.by_ref().take(page.most).cloned().collect();
        let next = rest.peek().and(letters.last()).map(|last| last.id);
        Ok(Listing { letters, total, next })
    }

    async fn lease(
        &self,
        id: DeadLetterId,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Option<DeadLetter>, Infallible> {
        let mut state = self.state();
        let free = state.alive(id, now).filter(|kept| kept.leased_until.is_none_or(|until| until <= now));
        Ok(free.map(|kept| {
            kept.leased_until = Some(now.after(lease));
            kept.letter.clone()
        }))
    }

    async fn delivered(&self, id: DeadLetterId) -> Result<bool, Infallible> {
        let mut state = self.state();
        let removed = state.remove(id);
        state.figures.delivered += u64::from(removed);
        Ok(removed)
    }

    async fn failed(&self, id: DeadLetterId, error_type: &str, error: &str) -> Result<bool, Infallible> {
        let mut state = self.state();
        let Some(kept) = state.letters.get_mut(&id) else { return Ok(false) };
        kept.leased_until = None;
        kept.letter.redrives = kept.letter.redrives.saturating_add(1);
        kept.letter.letter.error_type = error_type.to_owned();
        kept.letter.letter.error = error.to_owned();
        Ok(true)
    }

    async fn discard(&self, id: DeadLetterId) -> Result<bool, Infallible> {
        let mut state = self.state();
        let removed = state.remove(id);
        state.figures.discarded += u64::from(removed);
        Ok(removed)
    }

    async fn discard_matching(&self, filter: &Filter, now: Timestamp) -> Result<usize, Infallible> {
        let mut state = self.state();
        let matching: Vec<_> = state.matching(filter, now).map(|letter| letter.id).collect();
        for id in &matching {
            state.remove(*id);
        }
        state.figures.discarded += matching.len() as u64;
        Ok(matching.len())
    }

    async fn sweep(&self, now: Timestamp) -> Result<usize, Infallible> {
        Ok(self.state().sweep(now))
    }

    async fn figures(&self, now: Timestamp) -> Result<DeadLetterFigures, Infallible> {
        let state = self.state();
        let mut organisations = BTreeMap::new();
        let mut error_types = BTreeMap::new();
        let mut figures = state.figures.clone();
        for letter in state.matching(&Filter::default(), now) {
            figures.kept += 1;
            figures.oldest = figures.oldest.max(Some(now.since(letter.stored_at)));
            *organisations.entry(letter.letter.organisation.clone()).or_default() += 1;
            *error_types.entry(letter.letter.error_type.clone()).or_default() += 1;
        }
        figures.by_organisation = organisations.into_iter().collect();
        figures.by_error_type = error_types.into_iter().collect();
        Ok(figures)
    }
}
