//! Who is served by the candidate.

mod assignment;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU16, Ordering};

use rad_model::Share;

pub use assignment::Seed;

use crate::storage::{Storage, StorageError};

/// The cookie by which a browser that is in legacy mode asks to be served by legacy.
pub const PIN_COOKIE: &str = "rad_mode";
/// Its value.
pub const PIN_LEGACY: &str = "legacy";

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Legacy,
    Candidate,
}

/// A rollout in force. The share is one atomic that every worker reads for every request: a change holds
/// for all requests that begin after it.
#[derive(Debug)]
pub struct Rollout {
    name: String,
    /// Positions of the upstreams.
    legacy: usize,
    candidate: usize,
    seed: Seed,
    basis_points: AtomicU16,
    /// Held while a change is made and stored, so that two changes are stored in the order in which they
    /// took force.
    change: Mutex<()>,
}

/// A change that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    pub from: Share,
    pub to: Share,
}

impl Rollout {
    #[must_use]
    pub fn new(name: String, legacy: usize, candidate: usize, seed: Seed, share: Share) -> Self {
        let basis_points = AtomicU16::new(share.basis_points());
        Self { name, legacy, candidate, seed, basis_points, change: Mutex::new(()) }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The candidate's share.
    #[must_use]
    pub fn share(&self) -> Share {
        Share::from_basis_points(self.basis_points.load(Ordering::Acquire)).unwrap_or(Share::NONE)
    }

    /// The side that serves a client, and the position of its upstream. A client stays on its side while
    /// the share rises.
    #[must_use]
    pub fn choose(&self, client: &[u8]) -> (Side, usize) {
        let share = self.share();
        if share != Share::NONE && self.seed.bucket(client) < share.basis_points() {
            (Side::Candidate, self.candidate)
        } else {
            (Side::Legacy, self.legacy)
        }
    }

    /// The upstream of legacy.
    #[must_use]
    pub fn legacy(&self) -> usize {
        self.legacy
    }

    /// Changes the share: at once, and then for the next start too. Where it is `expected` to be another one
    /// than it is, nothing is changed.
    ///
    /// # Errors
    /// The share in force, if another one was expected. Within what is answered: if the change cannot be stored.
    /// It is in force nevertheless: a rollback must not fail because a disk is full.
    pub fn set_share(
        &self,
        to: Share,
        expected: Option<Share>,
        storage: &Storage,
    ) -> Result<(Changed, Result<(), StorageError>), Share> {
        let _order = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let from = self.share();
        if expected.is_some_and(|expected| expected != from) {
            return Err(from);
        }
        self.basis_points.store(to.basis_points(), Ordering::Release);
        Ok((Changed { from, to }, storage.save_share(&self.name, to)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(percent: f64) -> Rollout {
        Rollout::new("r".to_owned(), 0, 1, Seed::new(7), Share::from_percent(percent).unwrap())
    }

    fn candidates(rollout: &Rollout) -> Vec<u32> {
        (0..20_000)
            .filter(|client: &u32| rollout.choose(&client.to_be_bytes()).0 == Side::Candidate)
            .collect()
    }

    #[test]
    fn raising_the_share_never_moves_anyone_back() {
        let (ten, half) = (candidates(&rollout(10.0)), candidates(&rollout(50.0)));
        assert!(ten.iter().all(|client| half.binary_search(client).is_ok()));
    }

    #[test]
    fn the_share_of_clients_is_the_share_that_was_asked_for() {
        for percent in [0.0, 0.5, 10.0, 25.0, 50.0, 100.0] {
            let seen = f64::from(u32::try_from(candidates(&rollout(percent)).len()).unwrap()) / 200.0;
            // Four standard deviations of a fair draw of 20,000.
            let allowed = 4.0 * (percent * (100.0 - percent) / 20_000.0).sqrt();
            assert!((seen - percent).abs() <= allowed, "{percent} % asked, {seen} % seen");
        }
    }
}
