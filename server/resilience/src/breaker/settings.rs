//! What an operator can ask of a breaker, and the proof that it is possible.

use std::fmt;
use std::time::Duration;

use rad_model::Share;

use super::word;

/// When a breaker opens and closes, as written by an operator. [`BreakerPolicy::new`] checks it.
///
/// The words are resilience4j's. Any combination of the three triggers is possible; the first that is met
/// opens the breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerSettings {
    /// Opens after this many failures in a row, 1 to 16,383.
    pub consecutive_failures: Option<u32>,
    /// Opens when this share of the calls in the window failed, over 0 %.
    pub failure_rate_threshold: Option<Share>,
    /// Opens when this share of the calls in the window was slow, over 0 %. A slow probe then counts as a
    /// failed one.
    pub slow_call_rate_threshold: Option<Share>,
    /// A call that takes this long is slow, however it ends: even if the caller went away first. 1 ms to
    /// 1 day.
    pub slow_call_duration_threshold: Duration,
    /// The calls that rates are taken from.
    pub sliding_window: SlidingWindow,
    /// Rates mean nothing before the window holds this many calls, 1 to what the window can hold.
    pub minimum_number_of_calls: u32,
    /// How long it stays open, 1 ms to 1 day.
    pub open_for: Duration,
    /// Stays open longer each time that it opens again soon.
    pub open_growth: Option<OpenGrowth>,
    /// Probes that may be under way at once while half-open, 1 to `successes_to_close`; as many as those if
    /// not set.
    pub permitted_probes: Option<u32>,
    /// Successful probes that close it, 1 to 127.
    pub successes_to_close: u32,
    /// How long it may stay half-open, 1 ms to 1 day.
    pub half_open_for: Duration,
}

/// The calls that rates are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlidingWindow {
    /// The last `calls` calls, 1 to 100,000. Takes eight bytes a call.
    CountBased { calls: u32 },
    /// The calls of the last `duration`, 1 s to 1 day, to a tenth of it.
    TimeBased { duration: Duration },
}

/// Open times that grow while a target does not become stable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenGrowth {
    /// Each further open time is this many times longer, 1.01 to 100; thirty times at most.
    pub factor: f64,
    /// The longest open time, `open_for` to 1 day.
    pub cap: Duration,
    /// After this long in the closed state the open time is back at `open_for`, up to 1 day.
    pub stable_after: Duration,
}

impl Default for BreakerSettings {
    /// Five failures in a row, open for 60 s, two successes to close, half-open for 30 s at most. Rates are
    /// off; once on, they are taken from the last 100 calls, 20 at least (as in Hystrix), and a call is slow
    /// after 60 s.
    fn default() -> Self {
        Self {
            consecutive_failures: Some(5),
            failure_rate_threshold: None,
            slow_call_rate_threshold: None,
            slow_call_duration_threshold: Duration::from_secs(60),
            sliding_window: SlidingWindow::CountBased { calls: 100 },
            minimum_number_of_calls: 20,
            open_for: Duration::from_secs(60),
            open_growth: None,
            permitted_probes: None,
            successes_to_close: 2,
            half_open_for: Duration::from_secs(30),
        }
    }
}

impl BreakerSettings {
    /// The most failures in a row that can be asked for.
    pub const MAX_FAILURES: u32 = word::MAX_COUNT;
    /// The most successful probes that can be asked for.
    pub const MAX_PROBES: u32 = word::MAX_PROBES;
    /// The most calls that a count-based window can hold.
    pub const MAX_WINDOW_CALLS: u32 = 100_000;
    /// The longest time that can be asked for: a day.
    pub const MAX_DURATION: Duration = Duration::from_secs(86_400);
}

/// Settings that no breaker can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {value} is outside {allowed}")]
pub struct InvalidBreaker {
    /// The name of the setting, as in [`BreakerSettings`].
    pub setting: &'static str,
    /// What was asked for.
    pub value: String,
    /// What can be asked for.
    pub allowed: String,
}

/// Settings that are possible.
///
/// ```
/// use rad_model::Share;
/// use rad_resilience::breaker::{BreakerPolicy, BreakerSettings};
///
/// let settings = BreakerSettings {
///     failure_rate_threshold: Share::from_percent(50.0),
///     minimum_number_of_calls: 200,
///     ..BreakerSettings::default()
/// };
/// let error = BreakerPolicy::new(settings).unwrap_err().to_string();
/// assert_eq!(error, "minimum_number_of_calls: 200 is outside 1 to 100, what the window holds");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BreakerPolicy(BreakerSettings);

impl BreakerPolicy {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`InvalidBreaker`] for the first setting that is out of its bounds.
    pub fn new(settings: BreakerSettings) -> Result<Self, InvalidBreaker> {
        let set = &settings;
        if let Some(failures) = set.consecutive_failures {
            within("consecutive_failures", failures, BreakerSettings::MAX_FAILURES, "")?;
        }
        for (setting, threshold) in [
            ("failure_rate_threshold", set.failure_rate_threshold),
            ("slow_call_rate_threshold", set.slow_call_rate_threshold),
        ] {
            if threshold == Some(Share::NONE) {
                return Err(invalid(setting, "0 %", "0.01 % to 100 %"));
            }
        }
        if set.consecutive_failures.is_none() && !set.has_window() {
            let allowed = "what can open it: set this, failure_rate_threshold or slow_call_rate_threshold";
            return Err(invalid("consecutive_failures", "no trigger at all", allowed));
        }
        within_a_day("slow_call_duration_threshold", set.slow_call_duration_threshold)?;
        within_a_day("open_for", set.open_for)?;
        within_a_day("half_open_for", set.half_open_for)?;
        if set.has_window() {
            check_window(set)?;
        }
        if let Some(growth) = &set.open_growth {
            check_growth(growth, set.open_for)?;
        }
        within("successes_to_close", set.successes_to_close, BreakerSettings::MAX_PROBES, "")?;
        if let Some(probes) = set.permitted_probes {
            within("permitted_probes", probes, set.successes_to_close, ", the successes_to_close")?;
        }
        Ok(Self(settings))
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &BreakerSettings {
        &self.0
    }

    pub(super) fn permitted_probes(&self) -> u32 {
        self.0.permitted_probes.unwrap_or(self.0.successes_to_close)
    }

    /// How long it stays open when it opens for the `streak`th time (1 is the first) without having been
    /// stable since.
    #[must_use]
    pub fn open_for(&self, streak: u32) -> Duration {
        let Some(OpenGrowth { factor, cap, .. }) = self.0.open_growth else { return self.0.open_for };
        let exponent = i32::try_from(streak.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = (self.0.open_for.as_secs_f64() * factor.powi(exponent)).min(cap.as_secs_f64());
        Duration::try_from_secs_f64(seconds).unwrap_or(cap)
    }

    /// The streak of a breaker that opens after having been closed for `age`.
    pub(super) fn next_streak(&self, streak: u32, age: Duration) -> u32 {
        match self.0.open_growth {
            Some(growth) if age >= growth.stable_after => 1,
            Some(_) => streak.saturating_add(1),
            None => 1,
        }
    }
}

impl TryFrom<BreakerSettings> for BreakerPolicy {
    type Error = InvalidBreaker;

    fn try_from(settings: BreakerSettings) -> Result<Self, InvalidBreaker> {
        Self::new(settings)
    }
}

impl BreakerSettings {
    pub(super) fn has_window(&self) -> bool {
        self.failure_rate_threshold.is_some() || self.slow_call_rate_threshold.is_some()
    }
}

fn invalid(setting: &'static str, value: impl fmt::Display, allowed: &str) -> InvalidBreaker {
    InvalidBreaker { setting, value: value.to_string(), allowed: allowed.to_owned() }
}

fn within(setting: &'static str, value: u32, most: u32, why: &str) -> Result<(), InvalidBreaker> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(invalid(setting, value, &format!("1 to {most}{why}")))
}

fn within_a_day(setting: &'static str, value: Duration) -> Result<(), InvalidBreaker> {
    if value < Duration::from_millis(1) || value > BreakerSettings::MAX_DURATION {
        return Err(invalid(setting, format_args!("{value:?}"), "1 ms to 1 day"));
    }
    Ok(())
}

fn check_window(settings: &BreakerSettings) -> Result<(), InvalidBreaker> {
    match settings.sliding_window {
        SlidingWindow::CountBased { calls } => {
            within("sliding_window", calls, BreakerSettings::MAX_WINDOW_CALLS, " calls")?;
            within(
                "minimum_number_of_calls",
                settings.minimum_number_of_calls,
                calls,
                ", what the window holds",
            )
        }
        SlidingWindow::TimeBased { duration } => {
            if duration < Duration::from_secs(1) || duration > BreakerSettings::MAX_DURATION {
                return Err(invalid("sliding_window", format_args!("{duration:?}"), "1 s to 1 day"));
            }
            within("minimum_number_of_calls", settings.minimum_number_of_calls, 1_000_000, "")
        }
    }
}

fn check_growth(growth: &OpenGrowth, open_for: Duration) -> Result<(), InvalidBreaker> {
    // Written so that NaN is refused.
    if !(growth.factor >= 1.01 && growth.factor <= 100.0) {
        return Err(invalid("open_growth.factor", growth.factor, "1.01 to 100"));
    }
    if growth.cap < open_for || growth.cap > BreakerSettings::MAX_DURATION {
        let allowed = format!("{open_for:?}, the open_for, to 1 day");
        return Err(invalid("open_growth.cap", format_args!("{:?}", growth.cap), &allowed));
    }
    if growth.stable_after > BreakerSettings::MAX_DURATION {
        let value = format_args!("{:?}", growth.stable_after).to_string();
        return Err(invalid("open_growth.stable_after", value, "0 s to 1 day"));
    }
    Ok(())
}
