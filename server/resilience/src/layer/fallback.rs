//! A fallback behind a service.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::fallback::Fallback;

/// Answers by a [`Fallback`] when the service fails. Requests are cloned, because a fallback wants to see
/// them. Only errors are failures: a service that answers failures as responses must turn them into errors
/// first.
///
/// ```
/// use std::sync::Arc;
/// use rad_resilience::layer::FallbackLayer;
/// use rad_resilience::Fallback;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let fallback = Arc::new(Fallback::new().fixed("sorry"));
/// let broken = service_fn(async |_: u32| Err::<&str, _>("timeout"));
/// let service = FallbackLayer::new(Arc::clone(&fallback)).layer(broken);
/// assert_eq!(service.oneshot(7).await, Ok("sorry"));
/// assert_eq!(fallback.figures().share(), 1.0);
/// # }
/// ```
pub struct FallbackLayer<R, T, E> {
    fallback: Arc<Fallback<R, T, E>>,
}

impl<R, T, E> FallbackLayer<R, T, E> {
    /// Answers by `fallback`, which counts.
    #[must_use]
    pub fn new(fallback: Arc<Fallback<R, T, E>>) -> Self {
        Self { fallback }
    }
}

impl<R, T, E> Clone for FallbackLayer<R, T, E> {
    fn clone(&self) -> Self {
        Self { fallback: Arc::clone(&self.fallback) }
    }
}

impl<R, T, E> fmt::Debug for FallbackLayer<R, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackLayer").finish_non_exhaustive()
    }
}

impl<S, R, T, E> Layer<S> for FallbackLayer<R, T, E> {
    type Service = FallbackService<S, R, T, E>;

    fn layer(&self, inner: S) -> Self::Service {
        FallbackService { inner, fallback: Arc::clone(&self.fallback) }
    }
}

/// The service that [`FallbackLayer`] makes.
pub struct FallbackService<S, R, T, E> {
    inner: S,
    fallback: Arc<Fallback<R, T, E>>,
}

impl<S: Clone, R, T, E> Clone for FallbackService<S, R, T, E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), fallback: Arc::clone(&self.fallback) }
    }
}

impl<S: fmt::Debug, R, T, E> fmt::Debug for FallbackService<S, R, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, R, T, E> Service<R> for FallbackService<S, R, T, E>
where
    S: Service<R, Response = T, Error = E>,
    R: Clone + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Response = T;
    type Error = E;
    type Future = FallbackFuture<S::Future, R, T, E>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let kept = Some((request.clone(), Arc::clone(&self.fallback)));
        FallbackFuture { primary: self.inner.call(request), kept, answer: None }
    }
}

type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

pin_project! {
    /// The response of the service, or of the fallback.
    pub struct FallbackFuture<F, R, T, E> {
        #[pin]
        primary: F,
        kept: Option<(R, Arc<Fallback<R, T, E>>)>,
        answer: Option<Answer<T, E>>,
    }
}

impl<F, R, T, E> fmt::Debug for FallbackFuture<F, R, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackFuture").finish_non_exhaustive()
    }
}

impl<F, R, T, E> Future for FallbackFuture<F, R, T, E>
where
    F: Future<Output = Result<T, E>>,
    R: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(answer) = this.answer {
            return answer.as_mut().poll(cx);
        }
        let result = ready!(this.primary.poll(cx));
        let Some((request, fallback)) = this.kept.take() else { return Poll::Ready(result) };
        match result {
            Ok(value) => {
                fallback.succeeded();
                Poll::Ready(Ok(value))
            }
            Err(error) => {
                let answer = this.answer.insert(Box::pin(async move {
                    fallback.answer(&request, error).await.map(|answered| answered.value)
                }));
                answer.as_mut().poll(cx)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tower::{ServiceExt, service_fn};

    use super::*;

    #[tokio::test]
    async fn only_failures_are_answered_by_the_fallback() {
        let fallback = Fallback::new().function(|number: &u32, _: &&str| {
            Box::pin(async move {
                tokio::task::yield_now().await;
                (*number == 2).then_some("other")
            })
        });
        let fallback = Arc::new(fallback);
        let flaky = service_fn(async |number: u32| if number == 1 { Ok("fresh") } else { Err("down") });
        let service = FallbackLayer::new(Arc::clone(&fallback)).layer(flaky);
        assert_eq!(service.clone().oneshot(1).await, Ok("fresh"));
        assert_eq!(service.clone().oneshot(2).await, Ok("other"));
        assert_eq!(service.oneshot(3).await, Err("down"));
        let figures = fallback.figures();
        assert_eq!((figures.answered, figures.unanswered), ([1, 0, 1, 0], 1));
    }
}
