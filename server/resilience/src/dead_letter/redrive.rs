//! Delivers letters again.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{DeadLetter, DeadLetters, Filter, Page};
use crate::Clock;

/// How to redrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RedriveSettings {
    most: usize,
    interval: Duration,
    lease: Duration,
    dry_run: bool,
}

/// A rate that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("rate is {0} a second; it must be 0.001 to 10,000")]
pub struct InvalidRate(f64);

impl Default for RedriveSettings {
    /// At most 1,000 letters, 10 a second, each leased for a minute.
    fn default() -> Self {
        let (interval, lease) = (Duration::from_millis(100), Duration::from_secs(60));
        Self { most: 1_000, interval, lease, dry_run: false }
    }
}

impl RedriveSettings {
    /// At most so many letters.
    #[must_use]
    pub fn most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// At most so many letters a second.
    ///
    /// # Errors
    /// [`InvalidRate`] unless it is 0.001 to 10,000.
    pub fn per_second(self, rate: f64) -> Result<Self, InvalidRate> {
        if !(0.001..=10_000.0).contains(&rate) {
            return Err(InvalidRate(rate));
        }
        Ok(Self { interval: Duration::from_secs_f64(1.0 / rate), ..self })
    }

    /// For so long nobody else takes a letter; longer than a delivery takes.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Only says what would be delivered.
    #[must_use]
    pub fn dry_run(self) -> Self {
        Self { dry_run: true, ..self }
    }
}

/// What a redrive did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedriveReport {
    /// Letters that match the filter, up to the most that were asked for.
    pub matched: usize,
    pub delivered: usize,
    pub failed: usize,
    /// Somebody else had them, or they had gone.
    pub skipped: usize,
    pub dry_run: bool,
}

/// Delivers the letters that match, the oldest first, each by `deliver`, which fails with an error type and
/// what there is to say about it. Each letter is tried once, no matter how it ends. It is safe to drop this
/// at any point: a letter that was being delivered can be redriven when its lease is over.
///
/// # Errors
/// What the store failed with. Letters delivered until then are gone from it.
pub async fn redrive<S, C, D, F, T, M>(
    store: &S,
    filter: &Filter,
    settings: RedriveSettings,
    clock: &C,
    mut deliver: D,
) -> Result<RedriveReport, S::Error>
where
    S: DeadLetters,
    C: Clock,
    D: FnMut(DeadLetter) -> F,
    F: Future<Output = Result<(), (T, M)>>,
    T: AsRef<str>,
    M: Display,
{
    let mut report = RedriveReport { dry_run: settings.dry_run, ..RedriveReport::default() };
    let mut page = Page::default();
    let mut next_at = Instant::now();
    loop {
        page.most = (settings.most - report.matched).min(Page::default().most);
        if page.most == 0 {
            return Ok(report);
        }
        let listing = store.list(filter, page, clock.now()).await?;
        report.matched += listing.letters.len();
        let letters = if settings.dry_run { Vec::new() } else { listing.letters };
        for letter in letters {
            sleep_until(next_at).await;
            let Some(letter) = store.lease(letter.id, settings.lease, clock.now()).await? else {
                report.skipped += 1;
                continue;
            };
            next_at = Instant::now() + settings.interval;
            let id = letter.id;
            match deliver(letter).await {
                Ok(()) => {
                    store.delivered(id).await?;
                    report.delivered += 1;
                }
                Err((error_type, error)) => {
                    store.failed(id, error_type.as_ref(), &error.to_string()).await?;
                    report.failed += 1;
                }
            }
        }
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(report),
        }
    }
}
