//! What cannot be asked for.

use std::time::Duration;

use rad_model::Share;

use super::{MINUTE, rates};
use crate::breaker::{BreakerPolicy, BreakerSettings, OpenGrowth, SlidingWindow};

#[test]
fn impossible_settings_are_refused_with_name_value_and_range() {
    let base = BreakerSettings::default();
    let windowed = rates(Some(50.0), None);
    let growth = |factor| Some(OpenGrowth { factor, cap: MINUTE * 2, stable_after: MINUTE });
    for (settings, expected) in [
        (
            BreakerSettings { consecutive_failures: Some(0), ..base },
            "consecutive_failures: 0 is outside 1 to 16383",
        ),
        (
            BreakerSettings { consecutive_failures: None, ..base },
            "consecutive_failures: no trigger at all is outside what can open it: \
             set this, failure_rate_threshold or slow_call_rate_threshold",
        ),
        (
            BreakerSettings { failure_rate_threshold: Some(Share::NONE), ..base },
            "failure_rate_threshold: 0 % is outside 0.01 % to 100 %",
        ),
        (BreakerSettings { open_for: Duration::ZERO, ..base }, "open_for: 0ns is outside 1 ms to 1 day"),
        (BreakerSettings { successes_to_close: 128, ..base }, "successes_to_close: 128 is outside 1 to 127"),
        (
            BreakerSettings { permitted_probes: Some(3), ..base },
            "permitted_probes: 3 is outside 1 to 2, the successes_to_close",
        ),
        (
            BreakerSettings {
                sliding_window: SlidingWindow::TimeBased { duration: Duration::ZERO },
                ..windowed
            },
            "sliding_window: 0ns is outside 1 s to 1 day",
        ),
        (
            BreakerSettings { minimum_number_of_calls: 21, ..windowed },
            "minimum_number_of_calls: 21 is outside 1 to 20, what the window holds",
        ),
        (
            BreakerSettings { open_growth: growth(f64::NAN), ..base },
            "open_growth.factor: NaN is outside 1.01 to 100",
        ),
        (
            BreakerSettings { open_for: MINUTE * 3, open_growth: growth(2.0), ..base },
            "open_growth.cap: 120s is outside 180s, the open_for, to 1 day",
        ),
    ] {
        assert_eq!(BreakerPolicy::new(settings).unwrap_err().to_string(), expected);
    }
}
