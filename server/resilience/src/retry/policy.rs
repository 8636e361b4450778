//! How often, and after which time, to try again.

use std::fmt;
use std::time::Duration;

use rad_model::Share;

/// How retries are made, as written by an operator. [`RetryPolicy::new`] checks it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrySettings {
    /// Attempts in all, with the first, 1 to 100.
    pub max_attempts: u32,
    /// The wait before the first retry, 1 ms to 1 day.
    pub base: Duration,
    /// Each further wait is this many times longer, 1 to 100.
    pub multiplier: f64,
    /// The longest wait before jitter, `base` to 1 day.
    pub cap: Duration,
    /// How waits are spread, so that callers who failed together do not come back together.
    pub jitter: Jitter,
    /// The longest wait that a `Retry-After` can ask for, 1 ms to 1 day.
    pub retry_after_cap: Duration,
    /// The longest that one attempt may take, 1 ms to 1 day.
    pub attempt_deadline: Option<Duration>,
    /// The longest that all attempts and waits may take, 1 ms to 1 day.
    pub overall_deadline: Option<Duration>,
    /// Also try again what is not idempotent, though it may then be done twice.
    pub retry_non_idempotent: bool,
}

/// How waits are spread around the exponential one.
///
/// All but the first are those of *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Up to this share to either side: the mean stays.
    Proportional(Share),
    /// From nothing to the wait.
    Full,
    /// From half of the wait to the wait.
    Equal,
    /// From `base` to three times the wait before; does without `multiplier`.
    Decorrelated,
}

impl Default for RetrySettings {
    /// Three attempts, base 1 s, multiplier 2, cap 60 s, jitter ±10 %, no deadlines, idempotent calls only.
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base: Duration::from_secs(1),
            multiplier: 2.0,
            cap: Duration::from_secs(60),
            jitter: Jitter::Proportional(Share::from_basis_points(1_000).unwrap_or(Share::NONE)),
            retry_after_cap: Duration::from_secs(60),
            attempt_deadline: None,
            overall_deadline: None,
            retry_non_idempotent: false,
        }
    }
}

/// Settings that no retry, budget or hedge can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {value} is outside {allowed}")]
pub struct InvalidRetry {
    /// The name of the setting.
    pub setting: &'static str,
    /// What was asked for.
    pub value: String,
    /// What can be asked for.
    pub allowed: String,
}

pub(crate) fn invalid(setting: &'static str, value: impl fmt::Display, allowed: &str) -> InvalidRetry {
    InvalidRetry { setting, value: value.to_string(), allowed: allowed.to_owned() }
}

pub(crate) fn within_a_day(setting: &'static str, value: Duration) -> Result<(), InvalidRetry> {
    if value < Duration::from_millis(1) || value > RetrySettings::MAX_DURATION {
        return Err(invalid(setting, format_args!("{value:?}"), "1 ms to 1 day"));
    }
    Ok(())
}

impl RetrySettings {
    /// The most attempts that can be asked for.
    pub const MAX_ATTEMPTS: u32 = 100;
    /// The longest time that can be asked for: a day.
    pub const MAX_DURATION: Duration = Duration::from_secs(86_400);
}

/// Settings that are possible.
///
/// ```
/// use rad_resilience::retry::{RetryPolicy, RetrySettings};
///
/// let settings = RetrySettings { max_attempts: 0, ..RetrySettings::default() };
/// let error = RetryPolicy::new(settings).unwrap_err().to_string();
/// assert_eq!(error, "max_attempts: 0 is outside 1 to 100");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RetryPolicy(RetrySettings);

impl RetryPolicy {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`InvalidRetry`] for the first setting that is out of its bounds.
    pub fn new(settings: RetrySettings) -> Result<Self, InvalidRetry> {
        let set = &settings;
        if !(1..=RetrySettings::MAX_ATTEMPTS).contains(&set.max_attempts) {
            return Err(invalid("max_attempts", set.max_attempts, "1 to 100"));
        }
        within_a_day("base", set.base)?;
        if !(1.0..=100.0).contains(&set.multiplier) {
            return Err(invalid("multiplier", set.multiplier, "1 to 100"));
        }
        if set.cap < set.base || set.cap > RetrySettings::MAX_DURATION {
            let allowed = format!("{:?}, the base, to 1 day", set.base);
            return Err(invalid("cap", format_args!("{:?}", set.cap), &allowed));
        }
        within_a_day("retry_after_cap", set.retry_after_cap)?;
        set.attempt_deadline.map_or(Ok(()), |deadline| within_a_day("attempt_deadline", deadline))?;
        set.overall_deadline.map_or(Ok(()), |deadline| within_a_day("overall_deadline", deadline))?;
        Ok(Self(settings))
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &RetrySettings {
        &self.0
    }

    /// The wait before the `retry`th retry (1 is the first), for a `random` number in `0.0..1.0`, with the
    /// wait before that one (`base` for the first).
    ///
    /// Never over the cap, but for proportional jitter by its share of it.
    #[must_use]
    pub fn delay(&self, retry: u32, previous: Duration, random: f64) -> Duration {
        let RetrySettings { base, multiplier, cap, jitter, .. } = self.0;
        let (base, cap, random) = (base.as_secs_f64(), cap.as_secs_f64(), random.clamp(0.0, 1.0));
        let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
        let exponential = (base * multiplier.powi(exponent)).min(cap);
        let seconds = match jitter {
            Jitter::Proportional(share) => {
                exponential * (1.0 + share.percent() / 100.0 * (2.0 * random - 1.0))
            }
            Jitter::Full => exponential * random,
            Jitter::Equal => exponential * (0.5 + 0.5 * random),
            Jitter::Decorrelated => {
                let most = (previous.as_secs_f64() * 3.0).max(base);
                (base + (most - base) * random).min(cap)
            }
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(self.0.cap)
    }
}

impl TryFrom<RetrySettings> for RetryPolicy {
    type Error = InvalidRetry;

    fn try_from(settings: RetrySettings) -> Result<Self, InvalidRetry> {
        Self::new(settings)
    }
}
