//! What a rollout learns of a request.

use rad_resilience::Timestamp;

use super::{Ending, Ticket, micros};
use crate::rollout::{ClientHash, Side};

/// The side of a rollout that a request is asked of.
#[derive(Clone, Copy, Debug)]
pub struct OnSide {
    pub rollout: usize,
    pub side: Side,
    /// Whether it was drawn.
    pub is_drawn: bool,
    /// When the side was first asked.
    pub since: Timestamp,
}

impl Ticket {
    /// A side was drawn for this client in this rollout.
    pub fn is_of(&mut self, drawn: Option<(usize, ClientHash)>) {
        self.drawn = drawn;
    }

    /// A side of a rollout is asked.
    pub fn on_side(&mut self, side: OnSide) {
        self.side = Some(side);
    }

    /// The side has answered, or has failed to.
    pub(super) fn count_side(&self, has_failed: bool, us: u64, now: Timestamp) {
        let Some(on) = self.side else { return };
        let side = &self.worker.shard.rollouts[on.rollout][on.side as usize];
        side.durations.record(us);
        side.count(has_failed, on.is_drawn);
        if on.is_drawn {
            side.heads.record(micros(self.head_at.unwrap_or(now).since(on.since)));
        }
    }

    /// The client was answered, from wherever, or has left.
    pub(super) fn note_client(&self, ending: Ending) {
        let Some((rollout, client)) = self.drawn else { return };
        let is_answered = match ending {
            Ending::Complete | Ending::Broken => true,
            Ending::Abandoned => false,
            Ending::ShortCircuited | Ending::Shed => return,
        };
        self.worker.shard.clients[rollout].note(client, is_answered);
    }
}
