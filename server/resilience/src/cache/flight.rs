//! One load for many equal requests.
//!
//! ```text
//!             begin_load                 insert, fail, decline
//!  (nothing) ───────────▶ LOADING ─────────────────────────────▶ ENDED: all followers hear of it
//!                          │   ▲
//!        the leader goes   ▼   │  a follower or a newcomer leads on
//!                        ABANDONED ──▶ (nothing), if nobody follows
//! ```

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::entry::{Claim, Entry};
use super::scope::Scope;
use super::{CacheKey, CachePolicy, Freshness, Shared};
use crate::Timestamp;

/// A part in the load of a key.
#[derive(Debug)]
pub enum Load<V, E> {
    /// Nobody loads it: the caller is to do so.
    Lead(Leader<V, E>),
    /// Somebody loads it already.
    Follow(Follower<V, E>),
    /// It has been loaded since it was missed.
    Found { value: V, age: Duration },
    /// Its answers are for their askers alone, as far as is known: the caller is to ask for itself, and to
    /// wait for nobody.
    Pass,
}

/// How somebody else's load ended.
#[derive(Debug)]
pub enum Followed<V, E> {
    Loaded(V),
    Failed(E),
    /// The answer is only for who asked: everybody has to ask for themselves.
    Declined,
    /// The leader went away: the caller is to load.
    Lead(Leader<V, E>),
}

#[derive(Debug)]
enum Phase<V, E> {
    Loading,
    Abandoned,
    Loaded(V),
    Failed(E),
    Declined,
}

struct State<V, E> {
    phase: Phase<V, E>,
    followers: usize,
    /// When the load began, in invalidations.
    epoch: u64,
}

struct Flight<V, E> {
    organisation: Arc<Scope>,
    policy: CachePolicy,
    state: Mutex<State<V, E>>,
    news: Notify,
}

type Shard<V, E> = HashMap<CacheKey, Arc<Flight<V, E>>, foldhash::fast::RandomState>;

const SHARDS: usize = 16;

/// All loads under way.
pub(super) struct Flights<V, E> {
    shards: [Mutex<Shard<V, E>>; SHARDS],
    hasher: foldhash::fast::RandomState,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<V, E> Flights<V, E> {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: foldhash::fast::RandomState::default(),
        }
    }

    fn shard(&self, key: &CacheKey) -> MutexGuard<'_, Shard<V, E>> {
        #[allow(clippy::cast_possible_truncation)] // The remainder is small.
        let at = (self.hasher.hash_one(key) % SHARDS as u64) as usize;
        lock(&self.shards[at])
    }

    /// Lets nobody follow the load of `key` that is under way, and does not keep its value.
    pub(super) fn detach(&self, key: &CacheKey) {
        self.shard(key).remove(key);
    }
}

fn remove<V, E>(shard: &mut Shard<V, E>, key: &CacheKey, flight: &Arc<Flight<V, E>>) -> bool {
    let ours = shard.get(key).is_some_and(|present| Arc::ptr_eq(present, flight));
    if ours {
        shard.remove(key);
    }
    ours
}

pub(super) fn begin<V, E>(shared: &Arc<Shared<V, E>>, key: &CacheKey, policy: &CachePolicy) -> Load<V, E> {
    let mut shard = shared.flights.shard(key);
    if let Some(flight) = shard.get(key) {
        let mut state = lock(&flight.state);
        // What was asked for before an invalidation is not for who comes after it.
        if shared.scopes.is_current(state.epoch, &flight.organisation, &flight.policy.tags) {
            match state.phase {
                Phase::Loading => {
                    state.followers += 1;
                    return Load::Follow(Follower(Some(Seat::new(shared, flight, key))));
                }
                Phase::Abandoned => {
                    return Load::Lead(Leader::take_over(Seat::new(shared, flight, key), &mut state));
                }
                // On its way out of the table.
                Phase::Loaded(_) | Phase::Failed(_) | Phase::Declined => {}
            }
        }
    }
    let flight = Arc::new(Flight {
        organisation: shared.scopes.organisation(key.organisation()),
        policy: policy.clone(),
        state: Mutex::new(State { phase: Phase::Abandoned, followers: 0, epoch: 0 }),
        news: Notify::new(),
    });
    shard.insert(*key, Arc::clone(&flight));
    let leader = Leader::take_over(Seat::new(shared, &flight, key), &mut lock(&flight.state));
    Load::Lead(leader)
}

/// Somebody's part in a flight.
struct Seat<V, E> {
    shared: Arc<Shared<V, E>>,
    flight: Arc<Flight<V, E>>,
    key: CacheKey,
}

impl<V, E> Seat<V, E> {
    fn new(shared: &Arc<Shared<V, E>>, flight: &Arc<Flight<V, E>>, key: &CacheKey) -> Self {
        Self { shared: Arc::clone(shared), flight: Arc::clone(flight), key: *key }
    }

    /// Says that nobody leads.
    fn abandon(&self) {
        let mut shard = self.shared.flights.shard(&self.key);
        let mut state = lock(&self.flight.state);
        state.phase = Phase::Abandoned;
        if state.followers == 0 {
            remove(&mut shard, &self.key, &self.flight);
        } else {
            self.flight.news.notify_one();
        }
    }

    fn stop_following(&self) {
        let mut shard = self.shared.flights.shard(&self.key);
        let mut state = lock(&self.flight.state);
        state.followers -= 1;
        if matches!(state.phase, Phase::Abandoned) {
            if state.followers == 0 {
                remove(&mut shard, &self.key, &self.flight);
            } else {
                // The news may have been for this one.
                self.flight.news.notify_one();
            }
        }
    }

    fn end(&self, phase: Phase<V, E>) {
        remove(&mut self.shared.flights.shard(&self.key), &self.key, &self.flight);
        lock(&self.flight.state).phase = phase;
        self.flight.news.notify_waiters();
    }
}

/// The one who loads a key. If it is dropped without an end, a follower leads on.
#[must_use = "who follows waits for the leader"]
pub struct Leader<V, E> {
    seat: Option<Seat<V, E>>,
    epoch: u64,
    claim: Option<Claim<V>>,
}

impl<V, E> Leader<V, E> {
    fn take_over(seat: Seat<V, E>, state: &mut State<V, E>) -> Self {
        seat.shared.counters.load();
        state.phase = Phase::Loading;
        state.epoch = seat.shared.scopes.now();
        Self { seat: Some(seat), epoch: state.epoch, claim: None }
    }

    pub(super) fn refreshing(mut self, claim: Claim<V>) -> Self {
        self.claim = Some(claim);
        self
    }

    /// Whether somebody waits for this load at the moment.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| lock(&seat.flight.state).followers > 0)
    }

    /// The load failed, at `now`: all who follow get `error`.
    pub fn fail(mut self, error: E, now: Timestamp) {
        if let Some(claim) = self.claim.take() {
            claim.failed(now);
        }
        if let Some(seat) = self.seat.take() {
            seat.shared.counters.load_failed();
            seat.end(Phase::Failed(error));
        }
    }
}

impl<V: Clone + Send + Sync + 'static, E> Leader<V, E> {
    /// The answer is only for who asked, or too large to keep: all who follow ask for themselves, at once. An old
    /// value is forgotten, if this load was to replace it or the next one is not to be kept either. For `pass_for`
    /// from `now` on, an hour at most, nobody waits for another's answer to the same ([`Load::Pass`]); zero if the
    /// next one may be kept.
    pub fn decline(mut self, pass_for: Duration, now: Timestamp) {
        let Some(seat) = self.seat.take() else { return };
        if !pass_for.is_zero() {
            seat.shared.passes.mark(&seat.key, pass_for, now);
        }
        if self.claim.is_some() || !pass_for.is_zero() {
            seat.shared.entries.invalidate(&seat.key);
        }
        seat.end(Phase::Declined);
    }

    /// Keeps `value`, and gives it to all who follow. Its age counts from `requested`, the moment at which
    /// it was asked for, because that is how old it may be. It is not kept if it was invalidated meanwhile.
    pub fn insert(self, value: V, requested: Timestamp) {
        self.insert_fresh(value, requested, None);
    }

    /// As [`Leader::insert`], but living as long as `freshness` says and not as long as the policy does: for
    /// an answer that says so itself.
    pub fn insert_for(self, value: V, requested: Timestamp, freshness: Freshness) {
        self.insert_fresh(value, requested, Some(freshness));
    }

    fn insert_fresh(mut self, value: V, requested: Timestamp, freshness: Option<Freshness>) {
        let Some(seat) = self.seat.take() else { return };
        let flight = &seat.flight;
        {
            // Under the lock, so that whoever invalidates the key comes before the check or after the store.
            let shard = seat.shared.flights.shard(&seat.key);
            let attached = shard.get(&seat.key).is_some_and(|present| Arc::ptr_eq(present, flight));
            let scopes = &seat.shared.scopes;
            if attached && scopes.is_current(self.epoch, &flight.organisation, &flight.policy.tags) {
                let organisation = Arc::clone(&flight.organisation);
                let mut entry =
                    Entry::new(value.clone(), &flight.policy, organisation, self.epoch, requested);
                entry.freshness = freshness.unwrap_or(entry.freshness);
                if let (true, Some(claim)) = (seat.shared.store(seat.key, entry), self.claim.take()) {
                    claim.done();
                }
            }
        }
        seat.end(Phase::Loaded(value));
    }

    /// Ends a load that turned out to be needless.
    pub(super) fn found(mut self, value: V) {
        if let Some(seat) = self.seat.take() {
            seat.shared.counters.load_spared();
            seat.end(Phase::Loaded(value));
        }
    }
}

impl<V, E> Drop for Leader<V, E> {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            seat.abandon();
        }
    }
}

/// One who waits for somebody else's load.
#[must_use = "a follower does nothing until it waits"]
pub struct Follower<V, E>(Option<Seat<V, E>>);

impl<V: Clone, E: Clone> Follower<V, E> {
    /// Waits for the end of the load. Who gives up just drops this.
    pub async fn wait(mut self) -> Followed<V, E> {
        loop {
            let Some(seat) = &self.0 else { return Followed::Declined };
            // Listens before it looks, so that nothing falls between.
            let news = seat.flight.news.notified();
            {
                let mut state = lock(&seat.flight.state);
                match &state.phase {
                    Phase::Loading => {}
                    Phase::Loaded(value) => {
                        seat.shared.counters.coalesced();
                        return Followed::Loaded(value.clone());
                    }
                    Phase::Failed(error) => return Followed::Failed(error.clone()),
                    Phase::Declined => {
                        seat.shared.counters.passed();
                        return Followed::Declined;
                    }
                    Phase::Abandoned => {
                        state.followers -= 1;
                        let seat = Seat::new(&seat.shared, &seat.flight, &seat.key);
                        let leader = Leader::take_over(seat, &mut state);
                        drop(state);
                        drop(news);
                        self.0 = None;
                        return Followed::Lead(leader);
                    }
                }
            }
            news.await;
        }
    }
}

impl<V, E> Drop for Follower<V, E> {
    fn drop(&mut self) {
        if let Some(seat) = self.0.take() {
            seat.stop_following();
        }
    }
}

impl<V, E> fmt::Debug for Leader<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leader").finish_non_exhaustive()
    }
}

impl<V, E> fmt::Debug for Follower<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").finish_non_exhaustive()
    }
}
