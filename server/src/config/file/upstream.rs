//! The keys of an upstream and of its breakers.

use std::time::Duration;

use rad_model::Share;
use rad_resilience::BreakerSettings;
use rad_resilience::breaker::{OpenGrowth, SlidingWindow};

use super::super::read::{Kind, Table, Wrong, number, text, whole};
use super::super::tree::Value;
use super::{MAX_DURATION, some_time};

#[derive(Debug)]
pub struct Upstream {
    pub targets: Vec<String>,
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub breaker: Breaker,
}

impl Upstream {
    pub fn read(table: &mut Table<'_>) -> Self {
        let target = text("write http://HOST:PORT, such as \"http://127.0.0.1:9200\"").hidden();
        Self {
            targets: table.required_list("targets", &target).unwrap_or_default(),
            timeout: table.value("timeout", &some_time()).unwrap_or(Duration::from_secs(30)),
            connect_timeout: table.value("connect_timeout", &some_time()).unwrap_or(Duration::from_secs(5)),
            breaker: table.table("breaker", Breaker::read).unwrap_or_default(),
        }
    }
}

#[derive(Debug, Default)]
pub struct Breaker {
    pub settings: BreakerSettings,
    /// From when on a call is slow, where it is said.
    pub slow_call_duration: Option<Duration>,
}

impl Breaker {
    fn read(table: &mut Table<'_>) -> Self {
        let slow_call_duration = table.value("slow_call_duration_threshold", &some_time());
        let settings = breaker(table);
        Self {
            settings: BreakerSettings {
                slow_call_duration_threshold: slow_call_duration
                    .unwrap_or(settings.slow_call_duration_threshold),
                ..settings
            },
            slow_call_duration,
        }
    }
}

fn breaker(table: &mut Table<'_>) -> BreakerSettings {
    let default = BreakerSettings::default();
    let failures = whole(1..=BreakerSettings::MAX_FAILURES, None);
    let probes = whole(1..=BreakerSettings::MAX_PROBES, None);
    let calls = whole(1..=BreakerSettings::MAX_WINDOW_CALLS, None);
    let failure_rate_threshold = table.value("failure_rate_threshold", &rate());
    let slow_call_rate_threshold = table.value("slow_call_rate_threshold", &rate());
    let consecutive = table.value("consecutive_failures", &failures);
    // Who asks for a rate of failures and does not name a number in a row means the rate.
    let has_rate = failure_rate_threshold.is_some();
    let sliding_window = table.value("sliding_window", &sliding_window()).unwrap_or(default.sliding_window);
    let fewest = match sliding_window {
        SlidingWindow::CountBased { calls } => calls.min(default.minimum_number_of_calls),
        SlidingWindow::TimeBased { .. } => default.minimum_number_of_calls,
    };
    BreakerSettings {
        consecutive_failures: if has_rate {
            consecutive
        } else {
            consecutive.or(default.consecutive_failures)
        },
        failure_rate_threshold,
        slow_call_rate_threshold,
        slow_call_duration_threshold: default.slow_call_duration_threshold,
        sliding_window,
        minimum_number_of_calls: table.value("minimum_number_of_calls", &calls).unwrap_or(fewest),
        open_for: table.value("open_for", &some_time()).unwrap_or(default.open_for),
        open_growth: table.table("open_growth", open_growth),
        permitted_probes: table.value("permitted_probes", &probes),
        successes_to_close: table.value("successes_to_close", &probes).unwrap_or(default.successes_to_close),
        half_open_for: table.value("half_open_for", &some_time()).unwrap_or(default.half_open_for),
    }
}

/// A share above which something happens: of nothing, it would always.
fn rate() -> Kind<Share> {
    number("a rate", "write a number of percent, 0.01 to 100", |percent| {
        Share::from_percent(percent).filter(|share| *share != Share::NONE)
    })
}

fn open_growth(table: &mut Table<'_>) -> OpenGrowth {
    let factor = number("a factor", "write a number of 1.01 to 100, such as 2", |factor| {
        (1.01..=100.0).contains(&factor).then_some(factor)
    });
    OpenGrowth {
        factor: table.value("factor", &factor).unwrap_or(2.0),
        cap: table.value("cap", &some_time()).unwrap_or(Duration::from_secs(3_600)),
        stable_after: table.value("stable_after", &some_time()).unwrap_or(Duration::from_secs(600)),
    }
}

fn sliding_window() -> Kind<SlidingWindow> {
    let how = "write a number of calls, 1 to 100000, or a time with a unit, such as \"60s\" (1s to 1day)";
    Kind::new("a window", how, |value| match value {
        Value::Integer(calls) => u32::try_from(*calls)
            .ok()
            .filter(|calls| (1..=BreakerSettings::MAX_WINDOW_CALLS).contains(calls))
            .map(|calls| SlidingWindow::CountBased { calls })
            .ok_or(Wrong::Outside),
        Value::Text(text) => {
            let duration = humantime::parse_duration(text).map_err(|_| Wrong::Kind)?;
            if (Duration::from_secs(1)..=MAX_DURATION).contains(&duration) {
                Ok(SlidingWindow::TimeBased { duration })
            } else {
                Err(Wrong::Outside)
            }
        }
        _ => Err(Wrong::Kind),
    })
}
