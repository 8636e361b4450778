//! The tables `[rollouts.NAME]`.

use std::time::Duration;

use rad_model::Share;

use super::super::read::{Kind, Table, duration, number, parsed, text, whole};
use super::{flag, limit, shadow, share};
use crate::rollout::shadow::ShadowSettings;
use crate::rollout::{AssignBy, Calendar, LatencyGuard, Overrides, Target};

mod latency;
mod overrides;
mod schedule;

const MIN_BAKE: Duration = Duration::from_secs(1);
const MAX_BAKE: Duration = Duration::from_hours(24 * 30);
/// Evidence beyond this adds nothing.
const MOST: u32 = 1_000_000;

#[derive(Debug)]
pub struct Rollout {
    pub legacy: String,
    pub candidate: String,
    pub percent: Share,
    pub stages: Vec<Share>,
    pub bake: Duration,
    pub gated: bool,
    pub rolls_back: bool,
    pub least: u32,
    pub target: Target,
    pub assign: AssignBy,
    pub overrides: Option<Overrides>,
    pub latency: Option<LatencyGuard>,
    pub start_at: Option<u64>,
    pub calendar: Calendar,
    pub shadow: ShadowSettings,
}

impl Rollout {
    pub fn read(table: &mut Table<'_>) -> Self {
        let upstream = text("write the name of an upstream");
        let target =
            number("a share of requests", "write a number from 0.5 to 0.99999, such as 0.995", |share| {
                Target::new(share).ok()
            });
        let (start_at, calendar) = schedule::read(table);
        Self {
            legacy: table.required("legacy", &upstream).unwrap_or_default(),
            candidate: table.required("candidate", &upstream).unwrap_or_default(),
            percent: table.value("percent", &share()).unwrap_or_default(),
            stages: table.list("stages", &share()).unwrap_or_else(default_stages),
            bake: table.value("bake", &duration(MIN_BAKE..=MAX_BAKE)).unwrap_or(Duration::from_mins(10)),
            gated: table.value("promotion", &gated()).unwrap_or_default(),
            rolls_back: table.value("automatic_rollback", &flag()).unwrap_or(true),
            least: table.value("minimum_requests", &whole(1..=MOST, None)).unwrap_or(100),
            target: table.value("target_success", &target).unwrap_or_default(),
            assign: table.value("assign", &limit::assign_by()).unwrap_or_default(),
            overrides: table.table("override", overrides::read),
            latency: table.table("latency", latency::read),
            start_at,
            calendar,
            shadow: table.table("shadow", shadow::read).unwrap_or_default(),
        }
    }
}

fn default_stages() -> Vec<Share> {
    [10, 25, 50, 100].into_iter().filter_map(|percent| Share::from_percent(f64::from(percent))).collect()
}

fn gated() -> Kind<bool> {
    parsed("a kind of promotion", "write automatic or manual", |text| match text {
        "automatic" => Some(false),
        "manual" => Some(true),
        _ => None,
    })
}
