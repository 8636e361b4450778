//! Retries around a Tower service.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

use crate::retry::{
    AttemptError, Idempotency, OnError, RetryBudget, RetryIf, RetryPolicy, StopReason, retry,
};

/// What is told of a request that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryReport {
    /// Attempts that were made, at least one.
    pub attempts: u32,
    /// Why there was no further one.
    pub stopped: StopReason,
    /// Time spent waiting between attempts.
    pub waited: Duration,
}

type Observer = Arc<dyn Fn(RetryReport) + Send + Sync>;

/// Makes requests of a service again. All services that it makes share the budget.
///
/// `I` says which requests are idempotent, `J` which results are worth another attempt. Takes one
/// allocation a request.
///
/// ```
/// use std::sync::Arc;
/// use rad_resilience::layer::RetryLayer;
/// use rad_resilience::retry::{Idempotency, RetryBudget, RetryPolicy};
/// use tower::{ServiceBuilder, service_fn};
///
/// let reads = |_request: &&'static str| Idempotency::Idempotent;
/// let retries = RetryLayer::new(RetryPolicy::default(), reads).budget(Arc::new(RetryBudget::default()));
/// let service = ServiceBuilder::new()
///     .layer(retries)
///     .service(service_fn(|_path: &'static str| async { Ok::<u16, std::io::Error>(200) }));
/// # fn is_service<S: tower::Service<&'static str, Response = u16>>(_: S) {}
/// # is_service(service);
/// ```
pub struct RetryLayer<I, J = OnError> {
    policy: RetryPolicy,
    budget: Option<Arc<RetryBudget>>,
    idempotency: Arc<I>,
    retry_if: Arc<J>,
    seed: Option<u64>,
    observer: Option<Observer>,
}

impl<I> RetryLayer<I> {
    /// Retries after every error.
    #[must_use]
    pub fn new(policy: RetryPolicy, idempotency: I) -> Self {
        let (idempotency, retry_if) = (Arc::new(idempotency), Arc::new(OnError));
        Self { policy, budget: None, idempotency, retry_if, seed: None, observer: None }
    }
}

impl<I, J> RetryLayer<I, J> {
    /// Stays within this budget.
    #[must_use]
    pub fn budget(self, budget: Arc<RetryBudget>) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// With a say in what is worth another attempt.
    #[must_use]
    pub fn retry_if<K>(self, retry_if: K) -> RetryLayer<I, K> {
        let Self { policy, budget, idempotency, seed, observer, .. } = self;
        RetryLayer { policy, budget, idempotency, retry_if: Arc::new(retry_if), seed, observer }
    }

    /// Takes the jitter of every request from this seed, for tests.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Tells of every request that is over.
    #[must_use]
    pub fn on_finish(self, observer: impl Fn(RetryReport) + Send + Sync + 'static) -> Self {
        Self { observer: Some(Arc::new(observer)), ..self }
    }
}

impl<I, J> Clone for RetryLayer<I, J> {
    fn clone(&self) -> Self {
        Self {
            policy: self.policy,
            budget: self.budget.clone(),
            idempotency: Arc::clone(&self.idempotency),
            retry_if: Arc::clone(&self.retry_if),
            seed: self.seed,
            observer: self.observer.clone(),
        }
    }
}

impl<I, J> fmt::Debug for RetryLayer<I, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (policy, budget) = (&self.policy, &self.budget);
        f.debug_struct("RetryLayer").field("policy", policy).field("budget", budget).finish_non_exhaustive()
    }
}

impl<S, I, J> Layer<S> for RetryLayer<I, J> {
    type Service = RetryService<S, I, J>;

    fn layer(&self, inner: S) -> Self::Service {
        RetryService { inner, layer: self.clone() }
    }
}

/// A service whose requests are made again. Made by [`RetryLayer`].
#[derive(Debug)]
pub struct RetryService<S, I, J = OnError> {
    inner: S,
    layer: RetryLayer<I, J>,
}

impl<S: Clone, I, J> Clone for RetryService<S, I, J> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, I, J, Request> Service<Request> for RetryService<S, I, J>
where
    S: Service<Request, Response: Send, Error: Send, Future: Send> + Clone + Send + 'static,
    I: Fn(&Request) -> Idempotency + Send + Sync + 'static,
    J: RetryIf<S::Response, S::Error> + Send + Sync + 'static,
    Request: Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = AttemptError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(AttemptError::Failed)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let spare = self.inner.clone();
        // The one that is ready makes the first attempt.
        let mut ready = Some(std::mem::replace(&mut self.inner, spare.clone()));
        let layer = self.layer.clone();
        Box::pin(async move {
            let judge = |result: Result<&_, &_>| layer.retry_if.verdict(result);
            let mut retry = retry(&layer.policy, (layer.idempotency)(&request)).retry_if(judge);
            if let Some(budget) = &layer.budget {
                retry = retry.budget(budget);
            }
            if let Some(seed) = layer.seed {
                retry = retry.seed(seed);
            }
            let finished = retry
                .run(move |_| {
                    let (request, ready) = (request.clone(), ready.take());
                    let mut service = ready.unwrap_or_else(|| spare.clone());
                    async move {
                        poll_fn(|cx| service.poll_ready(cx)).await?;
                        service.call(request).await
                    }
                })
                .await;
            if let Some(tell) = &layer.observer {
                let (attempts, waited) = (finished.attempts, finished.waited);
                tell(RetryReport { attempts, stopped: finished.stopped, waited });
            }
            finished.result
        })
    }
}
