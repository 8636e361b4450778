use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Waker};

use tokio::time::Instant;

use super::*;
use crate::dead_letter::{Filter, Page};
use crate::{Breaker, BreakerPolicy, BreakerSettings, MemoryDeadLetters};

/// tokio's clock, which tests stop and move.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::default().after(self.0.elapsed())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Timeout,
    /// Says nothing about the target.
    BadRequest,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it was a {self:?}")
    }
}

impl CallError for Problem {
    fn error_type(&self) -> &str {
        match self {
            Self::Timeout => "timeout",
            Self::BadRequest => "bad_request",
        }
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Timeout => Outcome::Failure,
            Self::BadRequest => Outcome::Ignored,
        }
    }
}

fn letter() -> NewDeadLetter {
    NewDeadLetter { organisation: "acme".into(), reference: "alert-7".into(), ..Default::default() }
}

fn retry(error: Problem, attempts: u32) -> Option<Duration> {
    (error == Problem::Timeout && attempts < 3).then_some(Duration::from_secs(1))
}

fn breaker(consecutive_failures: u32) -> Breaker {
    let consecutive_failures = Some(consecutive_failures);
    let settings = BreakerSettings { consecutive_failures, ..BreakerSettings::default() };
    Breaker::new(BreakerPolicy::new(settings).unwrap())
}

async fn only_letter(letters: &MemoryDeadLetters) -> NewDeadLetter {
    let listing = letters.list(&Filter::default(), Page::default(), Timestamp::default()).await.unwrap();
    let [kept] = &listing.letters[..] else { panic!("{listing:?}") };
    kept.letter.clone()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_succeeds_at_last_leaves_no_letter() {
    let letters = MemoryDeadLetters::new(10).unwrap();
    let safe = SafeCall::new(&letters, Paused(Instant::now()))
        .breaker(breaker(5))
        .retry(|attempts, error: &Problem| retry(*error, attempts));
    let start = Instant::now();
    let third = async |attempt| if attempt == 3 { Ok(attempt) } else { Err(Problem::Timeout) };
    assert_eq!(safe.call(|| panic!("nothing to keep"), third).await, Ok(3));
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert_eq!(letters.figures(Timestamp::default()).await.unwrap().stored, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_for_good_becomes_a_letter_with_its_reason() {
    let letters = MemoryDeadLetters::new(10).unwrap();
    let safe = SafeCall::new(&letters, Paused(Instant::now()))
        .retry(FixedAttempts { attempts: 3, delay: Duration::from_secs(1) });
    let error = safe.call(letter, async |_| Err::<(), _>(Problem::Timeout)).await.unwrap_err();
    assert_eq!((&error.cause, error.attempts), (&Cause::Failed(Problem::Timeout), 3));
    assert_eq!(error.to_string(), "it was a Timeout (3 attempts); kept as dead letter 1");
    let kept = only_letter(&letters).await;
    assert_eq!((kept.error_type.as_str(), kept.retry_count), ("timeout", 2));
    assert_eq!((kept.error.as_str(), kept.reference.as_str()), ("it was a Timeout", "alert-7"));
}

#[tokio::test(start_paused = true)]
async fn a_call_over_the_limit_does_not_reach_the_target_and_is_kept() {
    let letters = MemoryDeadLetters::new(10).unwrap();
    let safe = SafeCall::new(&letters, Paused(Instant::now())).limit(|_| Err(Duration::from_secs(9)));
    let attempt = async |_| -> Result<(), Problem> { panic!("it must not be asked") };
    let error = safe.call(letter, attempt).await.unwrap_err();
    assert_eq!((error.cause, error.attempts), (Cause::Limited { retry_after: Duration::from_secs(9) }, 0));
    assert_eq!(only_letter(&letters).await.error_type, "rate_limited");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_in_the_middle_ends_the_attempts() {
    let letters = MemoryDeadLetters::new(10).unwrap();
    let safe = SafeCall::new(&letters, Paused(Instant::now()))
        .breaker(breaker(2))
        .retry(FixedAttempts { attempts: 9, delay: Duration::from_secs(1) });
    let error = safe.call(letter, async |_| Err::<(), _>(Problem::Timeout)).await.unwrap_err();
    let cause = Cause::Open { retry_after: Duration::from_secs(59), last: Some(Problem::Timeout) };
    assert_eq!((error.cause, error.attempts), (cause, 2));
    let kept = only_letter(&letters).await;
    assert_eq!(kept.error_type, "circuit_open");
    assert_eq!(kept.error, "the circuit breaker is open for another 59s, after: it was a Timeout");
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_about_the_target_opens_no_breaker() {
    let letters = MemoryDeadLetters::new(10).unwrap();
    let safe = SafeCall::new(&letters, Paused(Instant::now())).breaker(breaker(1));
    for _ in 0..3 {
        let error = safe.call(letter, async |_| Err::<(), _>(Problem::BadRequest)).await.unwrap_err();
        assert_eq!(error.cause, Cause::Failed(Problem::BadRequest));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_gives_its_permit_back() {
    struct Counted(Cell<i32>);
    impl Guard for &Counted {
        type Permit = ();
        fn acquire(&self, _: Timestamp) -> Result<(), Duration> {
            self.0.set(self.0.get() + 1);
            Ok(())
        }
        fn record(&self, (): (), outcome: Outcome, _: Duration, _: Timestamp) {
            assert_eq!(outcome, Outcome::Ignored);
            self.0.set(self.0.get() - 1);
        }
    }
    let letters = MemoryDeadLetters::new(10).unwrap();
    let counted = Counted(Cell::new(0));
    let safe = SafeCall::new(&letters, Paused(Instant::now())).breaker(&counted);
    {
        let mut call = pin!(safe.call(letter, |_| std::future::pending::<Result<(), Problem>>()));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(counted.0.get(), 1);
    }
    assert_eq!(counted.0.get(), 0);
}

#[test]
fn a_call_can_be_made_on_any_thread() {
    fn on_any_thread<T: Send>(_: T) {}
    let letters = MemoryDeadLetters::new(10).unwrap();
    let safe = SafeCall::new(&letters, crate::SystemClock::new()).breaker(breaker(5));
    on_any_thread(safe.call(letter, async |_| Err::<(), _>(Problem::Timeout)));
}
