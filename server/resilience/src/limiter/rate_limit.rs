//! What every limiter can be asked, wherever it keeps its state.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, ready};
use std::hash::Hash;
use std::time::Duration;

use super::{Decision, Limiter};
use crate::Timestamp;

/// A limiter by key whose state may be elsewhere, as in a store that several programs share. What it has
/// to hold to is in [`conformance`](crate::conformance).
pub trait RateLimit<K> {
    /// Why there was no decision.
    type Error: fmt::Debug;

    /// The finest difference between two moments that it can tell.
    const RESOLUTION: Duration = Duration::from_nanos(1);

    /// Charges `n` requests of `key` to every window, or none to any.
    fn check_n(
        &self,
        key: &K,
        n: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<Decision, Self::Error>> + Send;

    /// What [`check_n`](Self::check_n) would decide, without charging.
    fn peek_n(
        &self,
        key: &K,
        n: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<Decision, Self::Error>> + Send;

    /// Gives `n` requests of `key` back to every window, none of which gets more than whole.
    fn refund(&self, key: &K, n: u32, now: Timestamp)
    -> impl Future<Output = Result<(), Self::Error>> + Send;
}

impl<K: Hash + Eq + Clone> RateLimit<K> for Limiter<K> {
    type Error = Infallible;

    fn check_n(
        &self,
        key: &K,
        n: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<Decision, Infallible>> + Send {
        ready(Ok(Limiter::check_n(self, key, n, now)))
    }

    fn peek_n(
        &self,
        key: &K,
        n: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<Decision, Infallible>> + Send {
        ready(Ok(Limiter::peek_n(self, key, n, now)))
    }

    fn refund(&self, key: &K, n: u32, now: Timestamp) -> impl Future<Output = Result<(), Infallible>> + Send {
        Limiter::refund(self, key, n, now);
        ready(Ok(()))
    }
}
