//! What to answer when the call itself failed.
//!
//! A chain of levels, asked in order until one has an answer: an old one from a cache, another function (such
//! as another upstream), a fixed one. Polly's and resilience4j's word; what those leave out is the figure that
//! operators watch: which share of calls was answered by which level.
//!
//! ```
//! use rad_resilience::fallback::{Fallback, Level};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let fallback = Fallback::new()
//!     .stale(|path: &&str, _: &&str| (*path == "/news").then_some("yesterday's news"))
//!     .fixed("come back later");
//! let answer = fallback.call(&"/news", async || Err("timeout")).await;
//! assert_eq!(answer.map(|answer| (answer.value, answer.level)), Ok(("yesterday's news", Level::Stale)));
//! assert_eq!(fallback.figures().share(), 1.0);
//! # }
//! ```

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// The call itself.
    Primary,
    /// A cache, with an old answer.
    Stale,
    /// Another function.
    Function,
    /// The fixed answer.
    Fixed,
}

impl Level {
    /// All levels, in the order of [`FallbackFigures::answered`].
    pub const ALL: [Self; 4] = [Self::Primary, Self::Stale, Self::Function, Self::Fixed];
}

/// An answer, and who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered<T> {
    pub value: T,
    pub level: Level,
}

/// How many calls were answered by whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FallbackFigures {
    /// In the order of [`Level::ALL`].
    pub answered: [u64; Level::ALL.len()],
    /// Calls for which no level had an answer.
    pub unanswered: u64,
}

impl FallbackFigures {
    /// All calls.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.answered.iter().fold(self.unanswered, |sum, part| sum.saturating_add(*part))
    }

    /// The share of calls that were answered by a fallback, 0 to 1; 0 if there were none.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // A share for people.
    pub fn share(&self) -> f64 {
        let by_fallback = self.answered[1..].iter().fold(0, |sum: u64, part| sum.saturating_add(*part));
        if by_fallback == 0 { 0.0 } else { by_fallback as f64 / self.calls() as f64 }
    }
}

/// A future that a fallback function returns.
pub type FallbackFuture<'a, T> = Pin<Box<dyn Future<Output = Option<T>> + Send + 'a>>;

type Find<R, T, E> = Box<dyn Fn(&R, &E) -> Option<T> + Send + Sync>;
type Call<R, T, E> = Box<dyn for<'a> Fn(&'a R, &'a E) -> FallbackFuture<'a, T> + Send + Sync>;

enum Step<R, T, E> {
    Stale(Find<R, T, E>),
    Function(Call<R, T, E>),
    Fixed(Find<R, T, E>),
}

/// Levels that answer a request `R` with a `T` when the call failed with `E`.
pub struct Fallback<R, T, E> {
    steps: Vec<Step<R, T, E>>,
    answered: [AtomicU64; Level::ALL.len()],
    unanswered: AtomicU64,
}

impl<R, T, E> fmt::Debug for Fallback<R, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").field("levels", &self.steps.len()).finish_non_exhaustive()
    }
}

impl<R, T, E> Default for Fallback<R, T, E> {
    fn default() -> Self {
        Self { steps: Vec::new(), answered: Default::default(), unanswered: AtomicU64::new(0) }
    }
}

impl<R, T, E> Fallback<R, T, E> {
    /// No level: failures stay failures.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Then an old answer, such as from [`Cache::stale_if_error`](crate::Cache::stale_if_error).
    #[must_use]
    pub fn stale(mut self, find: impl Fn(&R, &E) -> Option<T> + Send + Sync + 'static) -> Self {
        self.steps.push(Step::Stale(Box::new(find)));
        self
    }

    /// Then what `function` answers; `None` leaves it to the next level.
    #[must_use]
    pub fn function(
        mut self,
        function: impl for<'a> Fn(&'a R, &'a E) -> FallbackFuture<'a, T> + Send + Sync + 'static,
    ) -> Self {
        self.steps.push(Step::Function(Box::new(function)));
        self
    }

    /// Then always this answer.
    #[must_use]
    pub fn fixed(mut self, answer: T) -> Self
    where
        T: Clone + Send + Sync + 'static,
    {
        self.steps.push(Step::Fixed(Box::new(move |_, _| Some(answer.clone()))));
        self
    }

    /// Calls `primary`, and the levels if it fails.
    ///
    /// # Errors
    /// What `primary` failed with, if no level has an answer.
    pub async fn call<F>(&self, request: &R, primary: impl FnOnce() -> F) -> Result<Answered<T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        match primary().await {
            Ok(value) => {
                self.succeeded();
                Ok(Answered { value, level: Level::Primary })
            }
            Err(error) => self.answer(request, error).await,
        }
    }

    /// Counts a call that needed no fallback, for callers that make it themselves.
    pub fn succeeded(&self) {
        self.answered[Level::Primary as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Answers `request`, which failed with `error`.
    ///
    /// # Errors
    /// `error`, if no level has an answer.
    pub async fn answer(&self, request: &R, error: E) -> Result<Answered<T>, E> {
        for step in &self.steps {
            let (level, value) = match step {
                Step::Stale(find) => (Level::Stale, find(request, &error)),
                Step::Function(function) => (Level::Function, function(request, &error).await),
                Step::Fixed(fixed) => (Level::Fixed, fixed(request, &error)),
            };
            if let Some(value) = value {
                self.answered[level as usize].fetch_add(1, Ordering::Relaxed);
                return Ok(Answered { value, level });
            }
        }
        self.unanswered.fetch_add(1, Ordering::Relaxed);
        Err(error)
    }

    /// Who answered so far.
    #[must_use]
    pub fn figures(&self) -> FallbackFigures {
        FallbackFigures {
            answered: std::array::from_fn(|at| self.answered[at].load(Ordering::Relaxed)),
            unanswered: self.unanswered.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Fallback<u32, &'static str, &'static str> {
        Fallback::new().stale(|request, _| (*request == 1).then_some("old")).function(|request, error| {
            Box::pin(async move { (*request == 2 && *error == "down").then_some("other") })
        })
    }

    #[tokio::test]
    async fn the_first_level_with_an_answer_gives_it_and_the_share_is_counted() {
        let fallback = chain();
        let level = async |request, result: Result<&'static str, &'static str>| {
            fallback.call(&request, async || result).await.map(|answer| (answer.level, answer.value))
        };
        assert_eq!(level(0, Ok("fresh")).await, Ok((Level::Primary, "fresh")));
        assert_eq!(level(1, Err("down")).await, Ok((Level::Stale, "old")));
        assert_eq!(level(2, Err("down")).await, Ok((Level::Function, "other")));
        assert_eq!(level(3, Err("down")).await, Err("down"));
        let figures = fallback.figures();
        assert_eq!((figures.answered, figures.unanswered, figures.share()), ([1, 1, 1, 0], 1, 0.5));
    }

    #[tokio::test]
    async fn a_fixed_answer_is_the_last_resort() {
        let fallback = chain().fixed("sorry");
        let answer = fallback.call(&3, async || Err("down")).await.unwrap();
        assert_eq!((answer.value, answer.level), ("sorry", Level::Fixed));
    }

    #[test]
    fn without_calls_the_share_is_nothing() {
        assert_eq!(chain().figures().share(), 0.0);
    }
}
