//! Rate limits as a Tower layer.

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::limiter::{Decision, Limiter};
use crate::{Clock, SystemClock};

/// Rejects requests over a limit with a [`LimitError`]. All services of one layer, and of its clones,
/// share the limit.
///
/// ```
/// use rad_resilience::layer::LimitLayer;
/// use rad_resilience::{Limiter, Policy, Strategy};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let policy = Policy::new(Strategy::SlidingWindow, &["1/minute".parse()?])?;
/// let layer = LimitLayer::new(Limiter::new(policy, 10_000), |name: &String| name.clone());
/// let hello = layer.layer(service_fn(async |name: String| Ok::<_, std::io::Error>(format!("Hello, {name}"))));
/// assert_eq!(hello.clone().oneshot("ada".to_owned()).await?, "Hello, ada");
/// assert!(hello.oneshot("ada".to_owned()).await.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LimitLayer<K, F, C = SystemClock> {
    shared: Arc<Shared<K, F, C>>,
}

struct Shared<K, F, C> {
    limiter: Limiter<K>,
    key: F,
    clock: C,
}

impl<K, F> LimitLayer<K, F> {
    /// A layer that asks `limiter` for each request, by the key that `key` finds in it.
    pub fn new(limiter: Limiter<K>, key: F) -> Self {
        Self::with_clock(limiter, key, SystemClock::new())
    }
}

impl<K, F, C> LimitLayer<K, F, C> {
    /// The same with the time of another clock.
    pub fn with_clock(limiter: Limiter<K>, key: F, clock: C) -> Self {
        Self { shared: Arc::new(Shared { limiter, key, clock }) }
    }

    /// The limiter, to sweep it and to show it.
    #[must_use]
    pub fn limiter(&self) -> &Limiter<K> {
        &self.shared.limiter
    }
}

impl<K, F, C> Clone for LimitLayer<K, F, C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K, F, C> fmt::Debug for LimitLayer<K, F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitLayer").finish_non_exhaustive()
    }
}

impl<S, K, F, C> Layer<S> for LimitLayer<K, F, C> {
    type Service = Limit<S, K, F, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Limit { inner, shared: Arc::clone(&self.shared) }
    }
}

/// A service behind a limit.
pub struct Limit<S, K, F, C = SystemClock> {
    inner: S,
    shared: Arc<Shared<K, F, C>>,
}

impl<S: Clone, K, F, C> Clone for Limit<S, K, F, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: fmt::Debug, K, F, C> fmt::Debug for Limit<S, K, F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Why a limited service did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitError<E> {
    /// The limit rejected the request; the service did not see it.
    Rejected(Decision),
    /// The service failed.
    Inner(E),
}

impl<E: fmt::Display> fmt::Display for LimitError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(decision) => write!(f, "Rate limit exceeded: {}", decision.quota.in_words()),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for LimitError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rejected(_) => None,
            Self::Inner(error) => error.source(),
        }
    }
}

impl<S, K, F, C, R> Service<R> for Limit<S, K, F, C>
where
    S: Service<R>,
    K: Hash + Eq + Clone,
    F: Fn(&R) -> K,
    C: Clock,
{
    type Response = S::Response;
    type Error = LimitError<S::Error>;
    type Future = LimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(LimitError::Inner)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let Shared { limiter, key, clock } = &*self.shared;
        let decision = limiter.check(&key(&request), clock.now());
        // A rejected request is dropped here; the inner service stays as ready as it was.
        let passed = decision.allowed.then(|| self.inner.call(request));
        LimitFuture { decision, passed }
    }
}

pin_project! {
    /// The answer to come.
    #[derive(Debug)]
    pub struct LimitFuture<T> {
        decision: Decision,
        #[pin]
        passed: Option<T>,
    }
}

impl<T, A, E> Future for LimitFuture<T>
where
    T: Future<Output = Result<A, E>>,
{
    type Output = Result<A, LimitError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.passed.as_pin_mut() {
            Some(passed) => passed.poll(cx).map_err(LimitError::Inner),
            None => Poll::Ready(Err(LimitError::Rejected(*this.decision))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::{Policy, Strategy, TokioClock};

    #[tokio::test(start_paused = true)]
    async fn a_rejected_request_does_not_reach_the_service() {
        let policy = Policy::new(Strategy::TokenBucket, &["2/minute".parse().unwrap()]).unwrap();
        let layer = LimitLayer::with_clock(Limiter::new(policy, 10), |key: &u32| *key, TokioClock::new());
        let reached = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&reached);
        let service = layer.layer(service_fn(move |_: u32| {
            count.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok::<_, Infallible>(()))
        }));
        for allowed in [true, true, false] {
            assert_eq!(service.clone().oneshot(1).await.is_ok(), allowed);
        }
        let Err(LimitError::Rejected(decision)) = service.clone().oneshot(1).await else {
            panic!("the limit is used up")
        };
        assert_eq!(decision.retry_after, Duration::from_secs(30));
        assert!(service.clone().oneshot(2).await.is_ok());
        tokio::time::advance(decision.retry_after).await;
        assert!(service.clone().oneshot(1).await.is_ok());
        assert_eq!((reached.load(Ordering::Relaxed), layer.limiter().len()), (4, 2));
    }
}
