//! What is left out.

/// Why a request that was drawn is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// Too many copies are under way.
    InFlight,
    /// Enough were copied in this second.
    Rate,
    /// A breaker that the copies would have to pass is not closed.
    Breaker,
    /// The rollout was rolled back after the copies were last switched on.
    RolledBack,
    /// Its body is too large to be said again.
    Body,
    /// Legacy gave no answer to compare with.
    NoAnswer,
    /// The client left before it had the whole answer, took too long to read it, or got what stands in for it.
    Unfinished,
}

impl Skipped {
    pub const ALL: [Self; 7] = [
        Self::InFlight,
        Self::Rate,
        Self::Breaker,
        Self::RolledBack,
        Self::Body,
        Self::NoAnswer,
        Self::Unfinished,
    ];

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Rate => "rate",
            Self::Breaker => "breaker",
            Self::RolledBack => "rolled_back",
            Self::Body => "body",
            Self::NoAnswer => "no_answer",
            Self::Unfinished => "unfinished",
        }
    }
}
