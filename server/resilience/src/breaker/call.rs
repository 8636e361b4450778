//! A call through a breaker in one expression.

use std::future::Future;

use super::{Breaker, Classify, ErrorsAreFailures, Rejection};
use crate::Clock;

/// Why a call through a breaker has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError<E> {
    /// The breaker let it not through.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The call was made and failed.
    #[error("{0}")]
    Failed(#[source] E),
}

impl Breaker {
    /// Makes a call if the breaker allows it. An error counts as a failure; a call that is dropped before
    /// its end does not count, unless it was slow by then.
    ///
    /// # Errors
    /// [`CallError::Rejected`] if the breaker does not let it through, [`CallError::Failed`] with the call's
    /// own error.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// use rad_resilience::breaker::{Breaker, BreakerPolicy, CallError};
    /// use rad_resilience::SystemClock;
    ///
    /// let (breaker, clock) = (Breaker::new(BreakerPolicy::default()), SystemClock::new());
    /// for _ in 0..5 {
    ///     let answer = breaker.call(&clock, async { Err::<(), _>(std::fmt::Error) }).await;
    ///     assert_eq!(answer, Err(CallError::Failed(std::fmt::Error)));
    /// }
    /// let answer = breaker.call(&clock, async { Ok::<_, std::fmt::Error>(()) }).await;
    /// assert!(matches!(answer, Err(CallError::Rejected(_))));
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn call<T, E>(
        &self,
        clock: &impl Clock,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CallError<E>> {
        self.call_with(clock, &ErrorsAreFailures, call).await
    }

    /// As [`Breaker::call`], with a say in what counts.
    ///
    /// # Errors
    /// As [`Breaker::call`].
    pub async fn call_with<T, E>(
        &self,
        clock: &impl Clock,
        classify: &impl Classify<T, E>,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CallError<E>> {
        let guard = self.permit(clock)?;
        let result = call.await;
        guard.record(classify.classify(result.as_ref()));
        result.map_err(CallError::Failed)
    }
}
