//! The step that asks the breakers.

use std::time::Duration;

use rad_model::{BreakerMode, BreakerState};
use rad_resilience::{Breaker, Permit, Timestamp};

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

/// Whether a target of an upstream would let a request through, as its breakers stand now, at a `moment` to come.
/// Takes nothing: who asks may find at that moment that others were faster.
pub fn would_admit(worker: &Worker, upstream: usize, moment: Timestamp) -> bool {
    let mut targets = worker.plan.upstreams[upstream].targets.clone();
    targets.any(|target| is_passable(&worker.plan.targets[target].breaker, moment))
}

fn is_passable(breaker: &Breaker, moment: Timestamp) -> bool {
    let (status, settings) = (breaker.status(moment), breaker.settings());
    match (status.mode, status.state) {
        (BreakerMode::ForcedOpen, _) => false,
        (BreakerMode::Disabled | BreakerMode::MetricsOnly, _) | (_, BreakerState::Closed) => true,
        (BreakerMode::Automatic, BreakerState::Open) => status.next.is_none_or(|left| left.is_zero()),
        (BreakerMode::Automatic, BreakerState::HalfOpen) => {
            let probes = settings.permitted_probes.unwrap_or(settings.successes_to_close);
            let is_late = status.next.is_none_or(|left| left.is_zero());
            !is_late
                && status.probes < probes
                && status.probes + status.successes < settings.successes_to_close
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rad_resilience::breaker::{BreakerPolicy, BreakerSettings};
    use rad_resilience::{Breaker, Outcome};

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::default().after(Duration::from_secs(seconds))
    }

    /// Opens at 0 s for 60 s, then probes twice, for 30 s.
    fn open() -> Breaker {
        let breaker = Breaker::new(BreakerPolicy::new(BreakerSettings::default()).unwrap());
        for _ in 0..5 {
            let (permit, _) = breaker.acquire(at(0)).unwrap();
            breaker.record(permit, Outcome::Failure, Duration::ZERO, at(0));
        }
        breaker
    }

    #[test]
    fn what_is_foretold_is_what_a_breaker_then_does() {
        assert!(is_passable(&Breaker::new(BreakerPolicy::default()), at(0)));
        for moment in [0, 1, 59, 60, 61, 1_000] {
            let breaker = open();
            let foretold = is_passable(&breaker, at(moment));
            assert_eq!(foretold, breaker.acquire(at(moment)).is_ok(), "after {moment} s");
        }
        for mode in
            [BreakerMode::ForcedOpen, BreakerMode::Disabled, BreakerMode::MetricsOnly, BreakerMode::Automatic]
        {
            let breaker = open();
            breaker.set_mode(mode, at(1));
            assert_eq!(is_passable(&breaker, at(2)), breaker.acquire(at(2)).is_ok(), "{mode:?}");
        }
    }

    #[test]
    fn probes_that_are_under_way_leave_no_room_for_others_and_what_is_foretold_takes_none() {
        let breaker = open();
        for _ in 0..2 {
            assert!(is_passable(&breaker, at(60)) && is_passable(&breaker, at(60)));
            let _permit = breaker.acquire(at(60)).unwrap();
        }
        assert!(!is_passable(&breaker, at(61)) && breaker.acquire(at(61)).is_err());
        // Half-open for too long, it opens.
        assert!(!is_passable(&breaker, at(90)) && breaker.acquire(at(90)).is_err());
    }
}
