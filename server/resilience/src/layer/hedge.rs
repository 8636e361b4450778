//! Hedging around a Tower service.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::hedge::{HedgeDelay, hedge};
use crate::retry::RetryBudget;

/// Makes slow requests of a service a second time. `P` says which may be: those that change nothing.
///
/// Takes one allocation a request.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use rad_resilience::{hedge::HedgeDelay, layer::HedgeLayer};
/// use tower::{ServiceBuilder, service_fn};
///
/// let delay = Arc::new(HedgeDelay::new(Duration::from_millis(50))?);
/// let service = ServiceBuilder::new()
///     .layer(HedgeLayer::new(delay, |method: &&str| *method == "GET"))
///     .service(service_fn(|_method: &'static str| async { Ok::<u16, std::io::Error>(200) }));
/// # fn is_service<S: tower::Service<&'static str, Response = u16>>(_: S) {}
/// # is_service(service);
/// # Ok::<(), rad_resilience::retry::InvalidRetry>(())
/// ```
pub struct HedgeLayer<P> {
    delay: Arc<HedgeDelay>,
    budget: Option<Arc<RetryBudget>>,
    may_hedge: Arc<P>,
}

impl<P> HedgeLayer<P> {
    /// Hedges the requests that `may_hedge` allows.
    #[must_use]
    pub fn new(delay: Arc<HedgeDelay>, may_hedge: P) -> Self {
        Self { delay, budget: None, may_hedge: Arc::new(may_hedge) }
    }

    /// Stays within this budget.
    #[must_use]
    pub fn budget(self, budget: Arc<RetryBudget>) -> Self {
        Self { budget: Some(budget), ..self }
    }
}

impl<P> Clone for HedgeLayer<P> {
    fn clone(&self) -> Self {
        let (delay, may_hedge) = (Arc::clone(&self.delay), Arc::clone(&self.may_hedge));
        Self { delay, budget: self.budget.clone(), may_hedge }
    }
}

impl<P> fmt::Debug for HedgeLayer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeLayer").field("delay", &self.delay).finish_non_exhaustive()
    }
}

impl<S, P> Layer<S> for HedgeLayer<P> {
    type Service = HedgeService<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        HedgeService { inner, layer: self.clone() }
    }
}

/// A service whose slow requests are made a second time. Made by [`HedgeLayer`].
#[derive(Debug)]
pub struct HedgeService<S, P> {
    inner: S,
    layer: HedgeLayer<P>,
}

impl<S: Clone, P> Clone for HedgeService<S, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, P, Request> Service<Request> for HedgeService<S, P>
where
    S: Service<Request, Response: Send, Error: Send, Future: Send> + Clone + Send + 'static,
    P: Fn(&Request) -> bool + Send + Sync + 'static,
    Request: Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if !(self.layer.may_hedge)(&request) {
            return Box::pin(self.inner.call(request));
        }
        let spare = self.inner.clone();
        // The one that is ready makes the first attempt.
        let mut ready = Some(std::mem::replace(&mut self.inner, spare.clone()));
        let layer = self.layer.clone();
        Box::pin(async move {
            let mut hedge = hedge(&layer.delay);
            if let Some(budget) = &layer.budget {
                hedge = hedge.budget(budget);
            }
            let attempt = move |_| {
                let (request, ready) = (request.clone(), ready.take());
                let mut service = ready.unwrap_or_else(|| spare.clone());
                async move {
                    poll_fn(|cx| service.poll_ready(cx)).await?;
                    service.call(request).await
                }
            };
            hedge.run(attempt).await.result
        })
    }
}
