//! Random settings, and what can happen to a breaker.

use std::time::Duration;

use proptest::prelude::*;
use rad_model::Share;

use crate::breaker::{BreakerSettings, Mode, OpenGrowth, Outcome, SlidingWindow};

pub const SLOW: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug)]
pub enum Step {
    Acquire,
    /// Ends one of the calls under way.
    Record {
        which: usize,
        outcome: Outcome,
        slow: bool,
    },
    /// Moves the clock, also backwards.
    Advance(i64),
    Expire,
    Reset,
    SetMode(Mode),
}

pub fn step() -> impl Strategy<Value = Step> {
    let outcome =
        prop_oneof![4 => Just(Outcome::Success), 4 => Just(Outcome::Failure), 1 => Just(Outcome::Ignored)];
    let mode = prop_oneof![
        4 => Just(Mode::Automatic),
        1 => Just(Mode::ForcedOpen),
        1 => Just(Mode::Disabled),
        2 => Just(Mode::MetricsOnly)
    ];
    prop_oneof![
        40 => Just(Step::Acquire),
        40 => (0_usize..64, outcome, prop::bool::weighted(0.3))
            .prop_map(|(which, outcome, slow)| Step::Record { which, outcome, slow }),
        12 => (0_i64..1_500).prop_map(Step::Advance),
        2 => (-8_000_i64..30_000).prop_map(Step::Advance),
        2 => Just(Step::Expire),
        1 => Just(Step::Reset),
        2 => mode.prop_map(Step::SetMode),
    ]
}

fn duration(ms: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    ms.prop_map(Duration::from_millis)
}

fn share() -> impl Strategy<Value = Share> {
    (1_u16..=10_000).prop_map(|points| Share::from_basis_points(points).unwrap())
}

prop_compose! {
    pub fn settings()(
        consecutive in prop::option::of(1_u32..6),
        failure_rate in prop::option::of(share()),
        slow_rate in prop::option::of(share()),
        (sliding_window, minimum) in prop_oneof![
            (1_u32..12).prop_flat_map(|calls| (Just(SlidingWindow::CountBased { calls }), 1..=calls)),
            (duration(1_000..20_000), 1_u32..12)
                .prop_map(|(duration, minimum)| (SlidingWindow::TimeBased { duration }, minimum)),
        ],
        open_for in duration(1..3_000),
        growth in prop::option::of((1.01_f64..4.0, 0_u64..20_000, 0_u64..20_000)),
        (successes, probes) in (1_u32..5).prop_flat_map(|most| (Just(most), prop::option::of(1..=most))),
        half_open_for in duration(1..3_000),
    ) -> BreakerSettings {
        BreakerSettings {
            consecutive_failures: consecutive.or(Some(3).filter(|_| failure_rate.or(slow_rate).is_none())),
            failure_rate_threshold: failure_rate,
            slow_call_rate_threshold: slow_rate,
            slow_call_duration_threshold: SLOW,
            sliding_window,
            minimum_number_of_calls: minimum,
            open_for,
            open_growth: growth.map(|(factor, more, stable)| OpenGrowth {
                factor,
                cap: open_for + Duration::from_millis(more),
                stable_after: Duration::from_millis(stable),
            }),
            permitted_probes: probes,
            successes_to_close: successes,
            half_open_for,
        }
    }
}
