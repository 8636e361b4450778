//! Who waits, and who is next.

use std::collections::VecDeque;

/// How urgent a request is. More urgent requests are served first, equal ones in the order of their
/// arrival; every fourth place goes to whoever has waited longest, so that nobody starves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// May be given up first, such as pre-warming or a crawler.
    Low,
    #[default]
    Normal,
    /// Somebody waits for the answer.
    High,
    /// Health checks and what an operator does by hand.
    Critical,
}

impl Priority {
    /// All priorities, the least urgent first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// The place of this priority in [`Priority::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// One place in this many goes to the request that has waited longest, whatever its priority: with `n`
/// requests in the queue before it, a request of the lowest priority is served after at most `4 (n + 1)`
/// places, however many urgent ones arrive meanwhile.
const FAIR_TURN: u8 = 4;

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) priority: Priority,
    number: u64,
}

/// Waiting requests, by priority and arrival.
#[derive(Debug)]
pub(super) struct Queue<T> {
    lanes: [VecDeque<(u64, T)>; Priority::ALL.len()],
    next_number: u64,
    turn: u8,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { lanes: [const { VecDeque::new() }; Priority::ALL.len()], next_number: 0, turn: 0 }
    }

    pub(super) fn push(&mut self, priority: Priority, entry: T) -> Ticket {
        let number = self.next_number;
        self.next_number += 1;
        self.lanes[priority.index()].push_back((number, entry));
        Ticket { priority, number }
    }

    /// Takes out the one whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.turn = (self.turn + 1) % FAIR_TURN;
        let waiting = self.lanes.iter_mut().filter(|lane| !lane.is_empty());
        let lane = if self.turn == 0 {
            waiting.min_by_key(|lane| lane.front().map(|(number, _)| *number))
        } else {
            waiting.last()
        };
        lane?.pop_front().map(|(_, entry)| entry)
    }

    /// Takes out the request with this ticket, if it still waits.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let lane = &mut self.lanes[ticket.priority.index()];
        let at = lane.binary_search_by_key(&ticket.number, |(number, _)| *number).ok()?;
        lane.remove(at).map(|(_, entry)| entry)
    }

    /// Takes out the latest of the least urgent, if it is less urgent than `priority`.
    pub(super) fn shed_below(&mut self, priority: Priority) -> Option<T> {
        let lane = self.lanes[..priority.index()].iter_mut().find(|lane| !lane.is_empty())?;
        lane.pop_back().map(|(_, entry)| entry)
    }

    /// How many wait, by priority.
    pub(super) fn lengths(&self) -> [usize; Priority::ALL.len()] {
        std::array::from_fn(|at| self.lanes[at].len())
    }

    /// How many would be served before a newcomer of this priority, the fair turns left out.
    pub(super) fn ahead(&self, priority: Priority) -> usize {
        self.lanes[priority.index()..].iter().map(VecDeque::len).sum()
    }
}
