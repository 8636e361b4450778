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

/// The first target of an upstream, in rotation, whose breaker lets a request through; none of those that
/// were tried in vain.
///
/// # Errors
/// The shortest time after which one of them may.
pub fn admit(
    worker: &Worker,
    upstream: usize,
    now: Timestamp,
    tried: &[usize],
) -> Result<Admission, Duration> {
    let mut shortest = Duration::MAX;
    for target in worker.plan.upstreams[upstream].rotation().filter(|target| !tried.contains(target)) {
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
