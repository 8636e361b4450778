//! `[gateway.block]`: when a client is blocked for its rejections, and for how long.

use std::time::Duration;

use rad_resilience::{BlockPolicy, InvalidBlockPolicy};

use super::read::{Problems, Table, duration, whole};

const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);

/// The table as it is written; what is absent is as in [`BlockPolicy::default`].
#[derive(Debug)]
pub struct Block {
    rejections: u32,
    window: Duration,
    block_for: Duration,
    factor: u32,
    at_most: Duration,
}

impl Block {
    pub fn read(table: &mut Table<'_>) -> Self {
        let second = Duration::from_secs(1);
        let block_for = table.value("block_for", &duration(second..=YEAR)).unwrap_or(Duration::from_mins(1));
        Self {
            rejections: table.value("rejections", &whole(1..=u32::MAX, None)).unwrap_or(100),
            window: table.value("window", &duration(second..=DAY)).unwrap_or(Duration::from_mins(1)),
            block_for,
            factor: table.value("factor", &whole(1..=100, None)).unwrap_or(2),
            at_most: table.value("at_most", &duration(second..=YEAR)).unwrap_or(block_for.max(DAY)),
        }
    }

    /// What the keys mean together.
    pub fn check(self, problems: &mut Problems) -> BlockPolicy {
        let Self { rejections, window, block_for, factor, at_most } = self;
        let policy = BlockPolicy::new(rejections, window, block_for)
            .and_then(|policy| policy.growing(factor, at_most));
        policy.unwrap_or_else(|wrong| {
            let key = match &wrong {
                InvalidBlockPolicy::NoRejections => "rejections",
                InvalidBlockPolicy::Factor { .. } => "factor",
                InvalidBlockPolicy::OutOfRange { name, .. } => name,
            };
            let detail = match key {
                "at_most" => "is shorter than block_for, the first time".to_owned(),
                _ => wrong.to_string(),
            };
            problems.add(format!("gateway.block.{key}"), detail);
            BlockPolicy::default()
        })
    }
}
