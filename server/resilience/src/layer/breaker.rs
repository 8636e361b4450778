//! A circuit breaker around a Tower service.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::breaker::{Breaker, CallError, Classify, ErrorsAreFailures, Guard, Rejection};
use crate::{Clock, SystemClock};

/// Puts a breaker before a service. All services that it makes share the breaker.
///
/// ```
/// use std::sync::Arc;
/// use rad_resilience::breaker::{Breaker, BreakerPolicy, Outcome};
/// use rad_resilience::layer::BreakerLayer;
/// use tower::{ServiceBuilder, service_fn};
///
/// let breaker = Arc::new(Breaker::new(BreakerPolicy::default()));
/// let by_status = |result: Result<&u16, &std::io::Error>| {
///     result.map_or(Outcome::Failure, |status| Outcome::of_status(*status))
/// };
/// let service = ServiceBuilder::new()
///     .layer(BreakerLayer::new(breaker).classify(by_status))
///     .service(service_fn(|_path: &'static str| async { Ok::<u16, std::io::Error>(200) }));
/// # fn is_service<S: tower::Service<&'static str, Response = u16>>(_: S) {}
/// # is_service(service);
/// ```
pub struct BreakerLayer<K = ErrorsAreFailures, C = SystemClock> {
    breaker: Arc<Breaker>,
    classify: Arc<K>,
    clock: Arc<C>,
}

impl BreakerLayer {
    /// Every error is a failure; time is the system's.
    #[must_use]
    pub fn new(breaker: Arc<Breaker>) -> Self {
        Self { breaker, classify: Arc::new(ErrorsAreFailures), clock: Arc::new(SystemClock::new()) }
    }
}

impl<K, C> BreakerLayer<K, C> {
    /// With a say in what counts.
    #[must_use]
    pub fn classify<L>(self, classify: L) -> BreakerLayer<L, C> {
        BreakerLayer { breaker: self.breaker, classify: Arc::new(classify), clock: self.clock }
    }

    /// With the clock that others use who look at the breaker.
    #[must_use]
    pub fn clock<D: Clock>(self, clock: Arc<D>) -> BreakerLayer<K, D> {
        BreakerLayer { breaker: self.breaker, classify: self.classify, clock }
    }
}

impl<K, C> Clone for BreakerLayer<K, C> {
    fn clone(&self) -> Self {
        let (breaker, classify) = (Arc::clone(&self.breaker), Arc::clone(&self.classify));
        Self { breaker, classify, clock: Arc::clone(&self.clock) }
    }
}

impl<K, C> fmt::Debug for BreakerLayer<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerLayer").field("breaker", &self.breaker).finish_non_exhaustive()
    }
}

impl<S, K, C> Layer<S> for BreakerLayer<K, C> {
    type Service = BreakerService<S, K, C>;

    fn layer(&self, inner: S) -> Self::Service {
        BreakerService { inner, layer: self.clone() }
    }
}

/// A service behind a breaker. Made by [`BreakerLayer`].
#[derive(Debug)]
pub struct BreakerService<S, K = ErrorsAreFailures, C = SystemClock> {
    inner: S,
    layer: BreakerLayer<K, C>,
}

impl<S: Clone, K, C> Clone for BreakerService<S, K, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, K, C, Request> Service<Request> for BreakerService<S, K, C>
where
    S: Service<Request>,
    K: Classify<S::Response, S::Error>,
    C: Clock,
{
    type Response = S::Response;
    type Error = CallError<S::Error>;
    type Future = BreakerFuture<S::Future, K, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // A breaker that is open is asked when there is a request: only then can it let a probe through.
        self.inner.poll_ready(cx).map_err(CallError::Failed)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let classify = Arc::clone(&self.layer.classify);
        match self.layer.breaker.permit_owned(&self.layer.clock) {
            Ok(guard) => {
                let call = Some(self.inner.call(request));
                BreakerFuture { call, guard: Some(guard), rejection: None, classify }
            }
            Err(rejection) => BreakerFuture { call: None, guard: None, rejection: Some(rejection), classify },
        }
    }
}

pin_project! {
    /// The answer of a service behind a breaker.
    #[derive(Debug)]
    pub struct BreakerFuture<F, K, C: Clock> {
        #[pin]
        call: Option<F>,
        guard: Option<Guard<Arc<Breaker>, Arc<C>>>,
        rejection: Option<Rejection>,
        classify: Arc<K>,
    }
}

impl<F, K, C, T, E> Future for BreakerFuture<F, K, C>
where
    F: Future<Output = Result<T, E>>,
    K: Classify<T, E>,
    C: Clock,
{
    type Output = Result<T, CallError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(rejection) = this.rejection.take() {
            return Poll::Ready(Err(CallError::Rejected(rejection)));
        }
        let Some(call) = this.call.as_pin_mut() else { return Poll::Pending };
        let result = ready!(call.poll(cx));
        if let Some(guard) = this.guard.take() {
            guard.record(this.classify.classify(result.as_ref()));
        }
        Poll::Ready(result.map_err(CallError::Failed))
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::time::Duration;

    use rad_model::BreakerState;
    use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

    use super::*;
    use crate::breaker::{BreakerPolicy, Outcome};
    use crate::{ManualClock, Timestamp};

    #[tokio::test]
    async fn the_layer_counts_by_its_classifier_rejects_while_open_and_lets_probes_through() {
        let breaker = Arc::new(Breaker::new(BreakerPolicy::default()));
        let clock = Arc::new(ManualClock::default());
        let by_status =
            |result: Result<&u16, &()>| result.map_or(Outcome::Failure, |status| Outcome::of_status(*status));
        let layer = BreakerLayer::new(Arc::clone(&breaker)).classify(by_status).clock(Arc::clone(&clock));
        let mut service =
            ServiceBuilder::new().layer(layer).service(service_fn(|status: u16| async move { Ok(status) }));
        for _ in 0..5 {
            assert_eq!(service.ready().await.unwrap().call(503).await, Ok(503));
        }
        let rejected = service.ready().await.unwrap().call(200).await;
        assert!(matches!(rejected, Err(CallError::Rejected(_))));
        clock.advance(Duration::from_secs(60));
        for _ in 0..2 {
            assert_eq!(service.ready().await.unwrap().call(200).await, Ok(200));
        }
        assert_eq!(breaker.status(clock.now()).state, BreakerState::Closed);
    }

    #[tokio::test]
    async fn an_answer_that_nobody_waits_for_gives_its_probe_back() {
        let breaker = Arc::new(Breaker::new(BreakerPolicy::default()));
        let clock = Arc::new(ManualClock::default());
        for _ in 0..5 {
            breaker.permit(&*clock).unwrap().record(Outcome::Failure);
        }
        clock.advance(Duration::from_secs(60));
        let layer = BreakerLayer::new(Arc::clone(&breaker)).clock(Arc::clone(&clock));
        let hangs = service_fn(|()| std::future::pending::<Result<(), ()>>());
        let mut service = ServiceBuilder::new().layer(layer).service(hangs);
        let probe = service.ready().await.unwrap().call(());
        assert_eq!(breaker.status(clock.now()).probes, 1);
        drop(probe);
        assert_eq!(breaker.status(Timestamp::default()).probes, 0);
    }
}
