//! What can be invalidated in one stroke, as generations.
//!
//! The cache has one epoch, which each invalidation raises. A scope (a tag, an organisation) remembers the
//! epoch of its latest invalidation, a value the epoch at which its load began; the value is valid while none
//! of its scopes has a later one. So invalidation is one store, whatever it concerns, and also reaches what is
//! still being loaded.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::entry::Entry;

/// A tag or an organisation.
#[derive(Debug, Default)]
pub(super) struct Scope {
    invalidated: AtomicU64,
}

impl Scope {
    pub(super) fn invalidated(&self) -> u64 {
        self.invalidated.load(Ordering::Acquire)
    }
}

#[derive(Debug)]
pub(super) struct Scopes {
    epoch: AtomicU64,
    all: Scope,
    tags: Mutex<HashMap<Box<str>, Arc<Scope>>>,
    organisations: Mutex<Organisations>,
}

#[derive(Debug, Default)]
struct Organisations {
    scopes: HashMap<u64, Arc<Scope>>,
    /// The latest invalidation among those that have been forgotten: what a new scope starts with.
    forgotten: u64,
    /// The number of scopes at which those without values are forgotten.
    crowded: usize,
}

impl Scopes {
    pub(super) fn new() -> Self {
        Self {
            epoch: AtomicU64::new(1),
            all: Scope::default(),
            tags: Mutex::default(),
            organisations: Mutex::default(),
        }
    }

    /// The present epoch: what is loaded from now on is later than every invalidation so far.
    pub(super) fn now(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(super) fn tag(&self, name: &str) -> Arc<Scope> {
        let mut tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scope) = tags.get(name) {
            return Arc::clone(scope);
        }
        let scope = Arc::<Scope>::default();
        tags.insert(name.into(), Arc::clone(&scope));
        scope
    }

    pub(super) fn organisation(&self, id: u64) -> Arc<Scope> {
        let mut organisations = self.organisations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scope) = organisations.scopes.get(&id) {
            return Arc::clone(scope);
        }
        organisations.make_room();
        let scope = Arc::new(Scope { invalidated: AtomicU64::new(organisations.forgotten) });
        organisations.scopes.insert(id, Arc::clone(&scope));
        scope
    }

    /// How many organisations are remembered.
    #[cfg(test)]
    pub(super) fn organisations(&self) -> usize {
        self.organisations.lock().unwrap_or_else(PoisonError::into_inner).scopes.len()
    }

    pub(super) fn invalidate_all(&self) {
        self.invalidate(&self.all);
    }

    pub(super) fn invalidate_tag(&self, name: &str) {
        self.invalidate(&self.tag(name));
    }

    pub(super) fn invalidate_organisation(&self, id: u64) {
        self.invalidate(&self.organisation(id));
    }

    fn invalidate(&self, scope: &Scope) {
        // The epoch first: a load that begins in between began after the call, and sees what the call is about.
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        scope.invalidated.fetch_max(epoch, Ordering::AcqRel);
    }

    pub(super) fn is_valid<V>(&self, entry: &Entry<V>) -> bool {
        self.is_current(entry.epoch, &entry.organisation, &entry.tags)
    }

    /// Whether what began at `epoch` is later than every invalidation of its scopes.
    pub(super) fn is_current(&self, epoch: u64, organisation: &Scope, tags: &[Arc<Scope>]) -> bool {
        self.all.invalidated() <= epoch
            && organisation.invalidated() <= epoch
            && tags.iter().all(|tag| tag.invalidated() <= epoch)
    }
}

impl Organisations {
    /// Forgets organisations without values, whenever there are twice as many as the last time.
    fn make_room(&mut self) {
        if self.scopes.len() < self.crowded.max(1_024) {
            return;
        }
        let forgotten = &mut self.forgotten;
        self.scopes.retain(|_, scope| {
            let in_use = Arc::strong_count(scope) > 1;
            if !in_use {
                *forgotten = (*forgotten).max(scope.invalidated());
            }
            in_use
        });
        self.crowded = self.scopes.len() * 2;
    }
}
