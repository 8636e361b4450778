//! What could not be delivered, kept until somebody delivers it again or gives it up.
//!
//! The words are Sidekiq's and SQS's: *redrive* for another delivery, *discard* for giving up. A letter lives
//! 30 days. [`DeadLetters`] is what every store can do; [`MemoryDeadLetters`] keeps a bounded number in memory;
//! [`conformance`] is the suite that each implementation must pass. [`redrive`](redrive()) delivers one or many, with a
//! rate cap and a dry run; a letter is leased while it is being delivered, so that two people who press the
//! button at once do not send it twice.
//!
//! ```
//! use rad_resilience::dead_letter::{DeadLetters, Filter, MemoryDeadLetters, NewDeadLetter, Page};
//! use rad_resilience::Timestamp;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let letters = MemoryDeadLetters::new(10_000)?;
//! let now = Timestamp::default();
//! let letter = NewDeadLetter { organisation: "acme".into(), error_type: "timeout".into(), ..Default::default() };
//! letters.store(letter, now).await?;
//! let timeouts = Filter { error_type: Some("timeout".into()), ..Default::default() };
//! assert_eq!(letters.list(&timeouts, Page::default(), now).await?.total, 1);
//! # Ok(()) }
//! ```

#[doc(hidden)]
pub mod conformance;
mod memory;
mod redrive;

use std::time::Duration;

use crate::Timestamp;
pub use memory::{InvalidCapacity, MemoryDeadLetters};
pub use redrive::{InvalidRate, RedriveReport, RedriveSettings, redrive};

/// How long a letter is kept: 30 days.
pub const LIFE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// What names a letter in its store. Later letters have higher ones; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeadLetterId(pub u64);

/// A letter that is to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewDeadLetter {
    pub organisation: String,
    /// What it is about, such as the id of an alert.
    pub reference: String,
    /// The kind of failure, of a small number of kinds, such as `timeout` or `rate_limited`.
    pub error_type: String,
    /// What was said about the failure.
    pub error: String,
    pub payload: Vec<u8>,
    /// Attempts after the first.
    pub retry_count: u32,
    /// The same for every attempt to deliver the same thing, so that the receiver can tell. A store keeps
    /// one letter for a key of an organisation; the empty key is no key.
    pub idempotency_key: String,
}

/// A stored letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub id: DeadLetterId,
    /// When it was stored first. For a store that outlives the process, a clock whose origin does so too.
    pub stored_at: Timestamp,
    pub letter: NewDeadLetter,
    /// Redrives that failed.
    pub redrives: u32,
}

/// Which letters. The default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub organisation: Option<String>,
    pub error_type: Option<String>,
    /// At least so old.
    pub older_than: Option<Duration>,
    /// At most so old.
    pub younger_than: Option<Duration>,
}

impl Filter {
    /// Whether `letter` is one of them.
    #[must_use]
    pub fn matches(&self, letter: &DeadLetter, now: Timestamp) -> bool {
        let age = now.since(letter.stored_at);
        self.organisation.as_ref().is_none_or(|wanted| *wanted == letter.letter.organisation)
            && self.error_type.as_ref().is_none_or(|wanted| *wanted == letter.letter.error_type)
            && self.older_than.is_none_or(|bound| age >= bound)
            && self.younger_than.is_none_or(|bound| age <= bound)
    }
}

/// Which part of a list: the oldest first, after `after`, at most `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub after: Option<DeadLetterId>,
    pub most: usize,
}

impl Default for Page {
    /// The first 100.
    fn default() -> Self {
        Self { after: None, most: 100 }
    }
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub letters: Vec<DeadLetter>,
    /// How many match altogether.
    pub total: usize,
    /// Where the next page starts; `None` after the last.
    pub next: Option<DeadLetterId>,
}

/// How many letters there are, and what became of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterFigures {
    pub kept: usize,
    /// By organisation, sorted by name.
    pub by_organisation: Vec<(String, usize)>,
    /// By error type, sorted by name.
    pub by_error_type: Vec<(String, usize)>,
    /// The age of the oldest.
    pub oldest: Option<Duration>,
    pub stored: u64,
    /// Delivered by a redrive.
    pub delivered: u64,
    pub discarded: u64,
    /// Gone after their life.
    pub expired: u64,
    /// Gone for want of room.
    pub overflowed: u64,
}

/// A store of letters. Letters over [`LIFE`] are as good as gone in every answer.
pub trait DeadLetters: Send + Sync {
    /// Why the store could not do it.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Keeps a letter. One with the idempotency key of a kept letter of the same organisation takes that one's
    /// place: id and time stay, everything else is the new one's.
    fn store(
        &self,
        letter: NewDeadLetter,
        now: Timestamp,
    ) -> impl Future<Output = Result<DeadLetterId, Self::Error>> + Send;

    /// One letter.
    fn get(
        &self,
        id: DeadLetterId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<DeadLetter>, Self::Error>> + Send;

    /// Those that match, the oldest first, by pages.
    fn list(
        &self,
        filter: &Filter,
        page: Page,
        now: Timestamp,
    ) -> impl Future<Output = Result<Listing, Self::Error>> + Send;

    /// Takes a letter for delivery, for as long as `lease`; `None` if there is none or somebody else has it.
    fn lease(
        &self,
        id: DeadLetterId,
        lease: Duration,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<DeadLetter>, Self::Error>> + Send;

    /// The leased letter was delivered: it goes. False if it is gone already.
    fn delivered(&self, id: DeadLetterId) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// The leased letter could not be delivered: it stays, may be leased again, and has one more redrive.
    fn failed(
        &self,
        id: DeadLetterId,
        error_type: &str,
        error: &str,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Gives up one letter. False if there is none.
    fn discard(&self, id: DeadLetterId) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Gives up all that match, and says how many.
    fn discard_matching(
        &self,
        filter: &Filter,
        now: Timestamp,
    ) -> impl Future<Output = Result<usize, Self::Error>> + Send;

    /// Removes letters over their life, and says how many. To be called now and then.
    fn sweep(&self, now: Timestamp) -> impl Future<Output = Result<usize, Self::Error>> + Send;

    /// How many there are.
    fn figures(&self, now: Timestamp) -> impl Future<Output = Result<DeadLetterFigures, Self::Error>> + Send;
}

#[cfg(test)]
mod tests;
