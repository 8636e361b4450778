//! The step that asks the breakers.

use std::time::Duration;

use rad_resilience::{Permit, Timestamp};

use super::worker::Worker;

/// Leave to ask a target.
#[derive(Debug)]
pub struct Admission {
    /// Position in the plan's targets.
    pub target: usize,
    pub permit: Permit,
}

/// Targets that a request has been to in vain, the last one last.
#[derive(Clone, Debug, Default)]
pub struct Tried(Vec<usize>);

impl Tried {
    /// A target has failed, perhaps not for the first time.
    pub fn fails(&mut self, target: usize) {
        self.0.retain(|failed| *failed != target);
        self.0.push(target);
    }
}

/// The first target of an upstream, in rotation, whose breaker lets a request through: one that was `tried`
/// only if there is no other, the one that failed longest ago first; one of `never` not at all.
///
/// # Errors
/// The shortest time after which one of them may.
pub fn admit(
    worker: &Worker,
    upstream: usize,
    now: Timestamp,
    tried: &Tried,
    never: &[usize],
) -> Result<Admission, Duration> {
    let mut shortest = Duration::MAX;
    let rotation = worker.plan.upstreams[upstream].rotation(tried.0.last().copied());
    let fresh = rotation.filter(|target| !tried.0.contains(target));
    for target in fresh.chain(tried.0.iter().copied()) {
        if never.contains(&target) {
            continue;
        }
        let transition = match worker.plan.targets[target].breaker.acquire(now) {
            Ok((permit, transition)) => {
                worker.announce(target, transition.as_ref());
                return Ok(Admission { target, permit });
            }
            Err(rejection) => {
                worker.shard.targets[target].rejected.add();
                shortest = shortest.min(rejection.retry_after);
                rejection.transition
            }
        };
        worker.announce(target, transition.as_ref());
    }
    Err(shortest)
}
