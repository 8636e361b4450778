//! What lets rollouts go on by themselves, and takes them back.

use std::sync::Arc;
use std::time::Duration;

use rad_model::{BreakerMode, BreakerState, EventKind};
use rad_resilience::{Clock, SystemClock};

use super::{Cause, Changed, Rollout, Side, Step, Switches, words};
use crate::gateway::Plan;
use crate::storage::Storage;
use crate::telemetry::journal::Journal;
use crate::telemetry::log::{Level, Line, Log, Value};
use crate::telemetry::registry::Registry;
use crate::telemetry::unix_ms;

/// So often it looks: a candidate that breaks is out after this and the failures that show it.
const EVERY: Duration = Duration::from_millis(100);
/// So often it is tried again to store what could not be stored.
const KEEP_EVERY: Duration = Duration::from_secs(2);

/// Looks at what both sides of every rollout do, and acts on it.
#[derive(Clone, Debug)]
pub struct Controller {
    plan: Arc<Plan>,
    registry: Arc<Registry>,
    journal: Arc<Journal>,
    storage: Arc<Storage>,
    switches: Switches,
    log: Log,
    clock: SystemClock,
}

impl Controller {
    #[must_use]
    pub fn new(
        plan: Arc<Plan>,
        registry: Arc<Registry>,
        journal: Arc<Journal>,
        storage: Arc<Storage>,
        (switches, log): (Switches, Log),
        clock: SystemClock,
    ) -> Self {
        Self { plan, registry, journal, storage, switches, log, clock }
    }

    /// Looks again and again, forever.
    pub async fn run(self) {
        let mut interval = tokio::time::interval(EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let controller = self.clone();
            // A change waits for the disk, which this runtime must not.
            let _ = tokio::task::spawn_blocking(move || controller.look()).await;
        }
    }

    /// Tries again and again, forever, to store what could not be stored.
    pub async fn keep(self) {
        let mut interval = tokio::time::interval(KEEP_EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let controller = self.clone();
            let _ = tokio::task::spawn_blocking(move || controller.store_rest()).await;
        }
    }

    /// Tries to store what could not be stored. It blocks.
    pub fn store_rest(&self) {
        for rollout in self.plan.rollouts.iter().filter(|rollout| rollout.is_unstored()) {
            match rollout.store_rest(&self.storage) {
                Ok(()) => self.say(rollout, Level::Info, "rollout_stored"),
                Err(_) => self.say(rollout, Level::Error, "rollout_not_stored"),
            }
        }
    }

    fn say(&self, rollout: &Rollout, level: Level, event: &'static str) {
        self.log.line(&Line { level, event, fields: &[("rollout", Value::Text(rollout.name()))] });
    }

    /// Looks once.
    pub fn look(&self) {
        for (at, rollout) in self.plan.rollouts.iter().enumerate() {
            let is_shut = |side| self.is_shut(rollout.upstream(side));
            let is_shut = is_shut(Side::Candidate) && !is_shut(Side::Legacy);
            let now_ms = unix_ms();
            let Some((step, place, seen)) = rollout.look(&self.registry.evidence(at), is_shut, now_ms) else {
                continue;
            };
            // Somebody may have switched this off: the verdict is told all the same.
            let is_wanted = match step {
                Step::RollBack(_) => self.switches.rolls_back(rollout.name()),
                Step::Promote(_) | Step::Complete | Step::Start => self.switches.promotes(rollout.name()),
            };
            if !is_wanted {
                continue;
            }
            let cause = words::cause(step, seen, rollout.criteria(), now_ms);
            // One that cannot be stored is in force, and told, all the same.
            if let Some((changed, stored)) = rollout.take(step, place, &cause, &self.storage) {
                tell(&self.journal, rollout, changed, cause);
                if stored.is_err() {
                    self.say(rollout, Level::Error, "rollout_not_stored");
                }
            }
        }
    }

    /// Whether nothing of an upstream can be asked.
    fn is_shut(&self, upstream: usize) -> bool {
        let now = self.clock.now();
        let Some(upstream) = self.plan.upstreams.get(upstream) else { return false };
        let targets = self.plan.targets.get(upstream.targets.clone()).unwrap_or_default();
        !targets.is_empty()
            && targets.iter().all(|target| {
                let status = target.breaker.status(now);
                match status.mode {
                    BreakerMode::ForcedOpen => true,
                    BreakerMode::Automatic => status.state == BreakerState::Open,
                    BreakerMode::Disabled | BreakerMode::MetricsOnly => false,
                }
            })
    }
}

/// Tells of a change: of the share, or of where in its plan it is.
pub fn tell(journal: &Journal, rollout: &Rollout, changed: Changed, cause: Cause) {
    let Changed { from, to } = changed;
    if from.share == to.share && from.phase == to.phase {
        return;
    }
    let Cause { by, reason, .. } = cause;
    let phase = to.phase.words(to.share, rollout.stages());
    let (rollout, from, to) = (rollout.name().to_owned(), from.share, to.share);
    journal.event(EventKind::RolloutChanged { rollout, from, to, phase, by, reason });
}
