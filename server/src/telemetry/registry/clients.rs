//! A sample of the clients for whom a side was drawn.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::rollout::ClientHash;
use crate::rollout::verdict::sample_ratio::{BINS, place};

/// Of each part of all clients the one with the least rank: those that were answered, and those that went away first.
/// What is stored in place of what is there is always less, so that a client that comes again changes nothing: most
/// requests cost a comparison.
#[derive(Debug)]
pub struct ClientSamples {
    answered: Box<[AtomicU64]>,
    left: Box<[AtomicU64]>,
}

impl Default for ClientSamples {
    fn default() -> Self {
        let empty = || (0..BINS).map(|_| AtomicU64::new(u64::MAX)).collect();
        Self { answered: empty(), left: empty() }
    }
}

impl ClientSamples {
    /// Notes a client. Only the shard's own worker may call this.
    pub fn note(&self, client: ClientHash, is_answered: bool) {
        let (bin, rank) = place(client);
        let of = if is_answered { &self.answered } else { &self.left };
        if let Some(least) = of.get(bin)
            && rank < least.load(Ordering::Relaxed)
        {
            least.store(rank, Ordering::Relaxed);
        }
    }

    /// Each part with its least rank of those that were answered, and of those that went away.
    pub fn least(&self) -> impl Iterator<Item = (usize, u64, u64)> {
        let of = |ranks: &[AtomicU64], bin: usize| {
            ranks.get(bin).map_or(u64::MAX, |rank| rank.load(Ordering::Relaxed))
        };
        (0..BINS).map(move |bin| (bin, of(&self.answered, bin), of(&self.left, bin)))
    }

    /// Begins anew. A worker that is just noting somebody may bring him back; he has asked, after all.
    pub fn forget(&self) {
        for rank in self.answered.iter().chain(&self.left) {
            rank.store(u64::MAX, Ordering::Relaxed);
        }
    }
}
