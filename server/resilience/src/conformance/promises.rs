//! What a decision promises, and what a refund gives back.

use super::{Calls, START, Suite, Violation};
use crate::Timestamp;
use crate::limiter::{Policy, RateLimit};

impl<L: RateLimit<u64>, M: Fn(Policy) -> L> Suite<M> {
    pub(super) async fn retry_after_is_honest(&self) -> Result<(), Violation> {
        const RULE: &str = "retry_after is honest";
        let limiter = (self.make)(self.two_windows()?);
        let mut calls = Calls(0x4e4);
        let mut now = START;
        let mut rejected = 0;
        for _ in 0..2_000 {
            now = now.after(calls.pause());
            let n = calls.cost();
            let decision = self.check(&limiter, 1, n, now).await?;
            let wait = decision.retry_after;
            self.must(decision.allowed == wait.is_zero(), RULE, || format!("{decision:?}"))?;
            if decision.allowed {
                continue;
            }
            rejected += 1;
            if let Some(just_before) = wait.checked_sub(L::RESOLUTION).filter(|wait| !wait.is_zero()) {
                let early = self.peek(&limiter, 1, n, now.after(just_before)).await?;
                self.must(!early.allowed, RULE, || format!("{decision:?}, but {just_before:?} were enough"))?;
            }
            let then = self.peek(&limiter, 1, n, now.after(wait)).await?;
            self.must(then.allowed, RULE, || format!("{decision:?}, but then {then:?}"))?;
            if calls.below(8) == 0 {
                now = now.after(wait);
                let then = self.check(&limiter, 1, n, now).await?;
                self.must(then.allowed, RULE, || format!("{decision:?}, but then {then:?}"))?;
            }
        }
        self.must(rejected > 100, RULE, || format!("only {rejected} were rejected"))
    }

    pub(super) async fn a_refund_undoes_a_charge(&self) -> Result<(), Violation> {
        const RULE: &str = "a refund undoes a charge";
        let (limiter, twin) = ((self.make)(self.two_windows()?), (self.make)(self.two_windows()?));
        let mut calls = Calls(0x7ef);
        let mut now = START;
        for _ in 0..1_000 {
            now = now.after(calls.pause());
            let n = calls.cost();
            if self.check(&limiter, 1, n, now).await?.allowed {
                self.refund(&limiter, 1, n, now).await?;
            }
            let (refunded, never) =
                (self.check(&limiter, 1, 1, now).await?, self.check(&twin, 1, 1, now).await?);
            self.must(refunded == never, RULE, || format!("refunded {refunded:?}, never charged {never:?}"))?;
        }
        Ok(())
    }

    pub(super) async fn a_refund_gives_no_more_than_whole(&self) -> Result<(), Violation> {
        const RULE: &str = "a refund gives no window more than whole";
        let limiter = (self.make)(self.two_windows()?);
        self.refund(&limiter, 1, u32::MAX, START).await?;
        let whole = self.exhaust(&limiter, 1, START).await?;
        for n in [1, 3, u32::MAX] {
            self.refund(&limiter, 1, n, START).await?;
            let again = self.exhaust(&limiter, 1, START).await?;
            self.must(again == n.min(whole), RULE, || format!("{n} given back to {whole}: {again} passed"))?;
        }
        Ok(())
    }

    pub(super) async fn the_edges_are_ordinary(&self) -> Result<(), Violation> {
        const RULE: &str = "the edges are ordinary";
        let policy = self.policy(&[(10, 1), (u32::MAX, 60), (1_000, 31_536_000)])?;
        let limiter = (self.make)(policy);
        let never = self.check(&limiter, 1, u32::MAX, START).await?;
        self.must(!never.allowed && never.retry_after == std::time::Duration::MAX, RULE, || {
            format!("a cost that never fits: {never:?}")
        })?;
        let whole = self.peek(&limiter, 1, 1, START).await?.remaining;
        self.exhaust(&limiter, 1, START).await?;
        let year = START.after(std::time::Duration::from_hours(2 * 365 * 24));
        let idle = self.peek(&limiter, 1, 1, year).await?;
        self.must(idle.allowed && idle.remaining == whole, RULE, || format!("after two years: {idle:?}"))?;
        // Whatever these answer, they answer.
        for nanos in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX, 0, u64::MAX] {
            let now = Timestamp::from_nanos(nanos);
            for key in [1, 2] {
                for n in [0, 1, 2, u32::MAX] {
                    self.check(&limiter, key, n, now).await?;
                    self.peek(&limiter, key, n, now).await?;
                    self.refund(&limiter, key, n, now).await?;
                }
            }
        }
        Ok(())
    }
}
