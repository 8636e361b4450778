//! A clock that goes backwards.

use std::time::Duration;

use super::{START, Suite, Violation};
use crate::Timestamp;
use crate::limiter::{Policy, RateLimit};

impl<L: RateLimit<u64>, M: Fn(Policy) -> L> Suite<M> {
    pub(super) async fn a_step_back_gives_nothing(&self) -> Result<(), Violation> {
        const RULE: &str = "a clock that steps back gives nothing and keeps nobody out for long";
        let window = Duration::from_secs(10);
        let steps = [
            Duration::from_nanos(1),
            Duration::from_millis(500),
            window / 2,
            window,
            window * 3 / 2,
            window * 3,
            window * 90,
        ];
        for step in steps {
            for begin in [START, START.after(Duration::from_millis(200))] {
                let limiter = (self.make)(self.policy(&[(10, 10)])?);
                self.exhaust(&limiter, 1, begin).await?;
                let back = Timestamp::from_nanos(begin.as_nanos().saturating_sub(crate::clock::nanos(step)));
                let decision = self.check(&limiter, 1, 1, back).await?;
                self.must(!decision.allowed, RULE, || format!("{step:?} back: {decision:?}"))?;
                let wait = decision.retry_after;
                self.must(wait <= window * 3, RULE, || format!("{step:?} back: {decision:?}"))?;
                let then = self.check(&limiter, 1, 1, back.after(wait)).await?;
                self.must(then.allowed, RULE, || format!("{step:?} back, {wait:?} later: {then:?}"))?;
            }
        }
        Ok(())
    }
}
