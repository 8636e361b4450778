//! Never more than allowed, and nothing for nothing.

use std::time::Duration;

use super::{Calls, START, Suite, Violation, most_in_window};
use crate::Timestamp;
use crate::limiter::{Policy, RateLimit, Strategy};

const LARGEST: u32 = 4;

impl<L: RateLimit<u64>, M: Fn(Policy) -> L> Suite<M> {
    pub(super) async fn no_more_than_allowed(&self) -> Result<(), Violation> {
        self.no_more(self.two_windows()?).await
    }

    pub(super) async fn no_more_with_one_window(&self) -> Result<(), Violation> {
        self.no_more(self.policy(&[(7, 3)])?).await
    }

    async fn no_more(&self, policy: Policy) -> Result<(), Violation> {
        const RULE: &str = "no more than allowed pass in any window";
        let limiter = (self.make)(policy.clone());
        let mut calls = Calls(0x5eed);
        let mut now = START;
        let mut passed: Vec<(Timestamp, u64)> = Vec::new();
        for _ in 0..3_000 {
            now = now.after(calls.pause());
            let n = calls.cost();
            if self.check(&limiter, 1, n, now).await?.allowed {
                passed.push((now, u64::from(n)));
            }
        }
        let aligned = matches!(self.strategy, Strategy::SlidingWindow | Strategy::FixedWindow);
        for quota in policy.quotas() {
            let window = Duration::from_secs(u64::from(quota.window_s()));
            let most = most_in_window(self.strategy, *quota, policy.capacity(*quota), LARGEST);
            for (at, (end, _)) in passed.iter().enumerate() {
                let recent = passed[..=at].iter().rev().take_while(|(moment, _)| end.since(*moment) < window);
                let sum: u64 = recent.map(|(_, n)| n).sum();
                self.must(sum <= most, RULE, || format!("{sum} within {window:?}; {most} may"))?;
                let number =
                    |moment: Timestamp| moment.since(Timestamp::default()).as_secs() / window.as_secs();
                let same =
                    passed[..=at].iter().rev().take_while(|(moment, _)| number(*moment) == number(*end));
                let sum: u64 = same.map(|(_, n)| n).sum();
                let quota = u64::from(quota.requests());
                self.must(!aligned || sum <= quota, RULE, || format!("{sum} in one aligned window"))?;
            }
        }
        // A limiter that rejects all of the time would be right too.
        let sum: u64 = passed.iter().map(|(_, n)| n).sum();
        self.must(sum > 400, RULE, || format!("only {sum} passed at all"))?;
        Ok(())
    }

    pub(super) async fn rejected_and_asked_change_nothing(&self) -> Result<(), Violation> {
        const RULE: &str = "a rejected request, a question and a cost of 0 change nothing";
        let (asked, twin) = ((self.make)(self.two_windows()?), (self.make)(self.two_windows()?));
        let mut calls = Calls(0xa11);
        let mut now = START;
        let mut rejected = 0;
        for _ in 0..2_000 {
            now = now.after(calls.pause());
            let n = calls.cost();
            let foreseen = self.peek(&asked, 1, n, now).await?;
            let before = self.peek(&asked, 1, 1, now).await?;
            self.check(&asked, 1, 0, now).await?;
            let decision = self.check(&asked, 1, n, now).await?;
            self.must(foreseen.allowed == decision.allowed, RULE, || {
                format!("foreseen {foreseen:?}, then {decision:?}")
            })?;
            if decision.allowed {
                let same = self.check(&twin, 1, n, now).await?;
                self.must(same == decision, RULE, || {
                    format!("{decision:?}, but without questions {same:?}")
                })?;
            } else {
                rejected += 1;
                let after = self.peek(&asked, 1, 1, now).await?;
                self.must(before == after, RULE, || format!("before {before:?}, after {after:?}"))?;
            }
        }
        self.must(rejected > 100, RULE, || format!("only {rejected} were rejected"))
    }

    pub(super) async fn keys_are_independent(&self) -> Result<(), Violation> {
        const RULE: &str = "keys are independent";
        let (shared, alone) = ((self.make)(self.two_windows()?), (self.make)(self.two_windows()?));
        let mut calls = Calls(0xbee);
        let mut now = START;
        for _ in 0..1_000 {
            now = now.after(calls.pause());
            for other in 2..6 {
                self.check(&shared, other, 1, now).await?;
            }
            let (with, without) =
                (self.check(&shared, 1, 1, now).await?, self.check(&alone, 1, 1, now).await?);
            self.must(with == without, RULE, || format!("among others {with:?}, alone {without:?}"))?;
        }
        Ok(())
    }

    pub(super) async fn a_shadow_counts_alike(&self) -> Result<(), Violation> {
        const RULE: &str = "a shadow rejects nothing and counts as if it had";
        let policy = self.two_windows()?;
        let (shadow, real) = ((self.make)(policy.clone().in_shadow()), (self.make)(policy));
        let mut calls = Calls(0x5ad);
        let mut now = START;
        for _ in 0..1_000 {
            now = now.after(calls.pause());
            let (n, what) = (calls.cost(), "decisions differ");
            let (shadowed, decision) =
                (self.check(&shadow, 1, n, now).await?, self.check(&real, 1, n, now).await?);
            self.must(shadowed.allowed, RULE, || format!("{shadowed:?}"))?;
            let alike = shadowed.within_limit() == decision.allowed
                && shadowed.retry_after == decision.retry_after
                && shadowed.remaining == decision.remaining;
            self.must(alike, RULE, || format!("{what}: {shadowed:?}, {decision:?}"))?;
        }
        Ok(())
    }
}
