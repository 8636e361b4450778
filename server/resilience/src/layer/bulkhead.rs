//! A bulkhead around a service.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::bulkhead::{Bulkhead, BulkheadRejection, Place, Priority};

/// Lets so many requests through at once as its [`Bulkhead`] says; the others wait or are rejected. A request
/// has its place until its response comes, or its future is dropped; a body that streams on after that has none.
///
/// ```
/// use rad_resilience::layer::BulkheadLayer;
/// use rad_resilience::{Bulkhead, BulkheadSettings};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bulkhead = Bulkhead::new(BulkheadSettings { limit: 10, ..Default::default() })?;
/// let echo = service_fn(async |word: &'static str| Ok::<_, std::io::Error>(word));
/// let service = BulkheadLayer::new(bulkhead).layer(echo);
/// assert_eq!(service.oneshot("hello").await?, "hello");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct BulkheadLayer<P = Always> {
    bulkhead: Bulkhead,
    priority: P,
}

/// How urgent a request is.
pub trait PriorityOf<Request> {
    /// The priority of `request`.
    fn priority(&self, request: &Request) -> Priority;
}

impl<Request, F: Fn(&Request) -> Priority> PriorityOf<Request> for F {
    fn priority(&self, request: &Request) -> Priority {
        self(request)
    }
}

/// The same priority for every request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Always(pub Priority);

impl<Request> PriorityOf<Request> for Always {
    fn priority(&self, _: &Request) -> Priority {
        self.0
    }
}

impl BulkheadLayer {
    /// All requests are [`Priority::Normal`].
    #[must_use]
    pub fn new(bulkhead: Bulkhead) -> Self {
        Self { bulkhead, priority: Always::default() }
    }

    /// Requests are as urgent as `priority` says.
    #[must_use]
    pub fn with_priority<P>(self, priority: P) -> BulkheadLayer<P> {
        BulkheadLayer { bulkhead: self.bulkhead, priority }
    }
}

impl<S, P: Clone> Layer<S> for BulkheadLayer<P> {
    type Service = BulkheadService<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        BulkheadService { inner, bulkhead: self.bulkhead.clone(), priority: self.priority.clone() }
    }
}

/// The service that [`BulkheadLayer`] makes.
#[derive(Clone, Debug)]
pub struct BulkheadService<S, P = Always> {
    inner: S,
    bulkhead: Bulkhead,
    priority: P,
}

/// A request that was rejected, or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BulkheadError<E> {
    #[error(transparent)]
    Rejected(BulkheadRejection),
    #[error(transparent)]
    Inner(E),
}

impl<S, P, Request> Service<Request> for BulkheadService<S, P>
where
    S: Service<Request> + Clone,
    P: PriorityOf<Request>,
{
    type Response = S::Response;
    type Error = BulkheadError<S::Error>;
    type Future = BulkheadFuture<S, Request>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(BulkheadError::Inner)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if let Some(place) = self.bulkhead.try_acquire() {
            let response = self.inner.call(request);
            return BulkheadFuture { state: State::Running { response, _place: place } };
        }
        let (bulkhead, priority) = (self.bulkhead.clone(), self.priority.priority(&request));
        // The one that was found ready must be the one that is called.
        let next = self.inner.clone();
        let service = std::mem::replace(&mut self.inner, next);
        let place: Waiting = Box::pin(async move { bulkhead.acquire(priority).await });
        BulkheadFuture { state: State::Waiting { place, call: Some((service, request)) } }
    }
}

type Waiting = Pin<Box<dyn Future<Output = Result<Place, BulkheadRejection>> + Send>>;

pin_project! {
    /// The response, once there is a place.
    pub struct BulkheadFuture<S: Service<Request>, Request> {
        #[pin]
        state: State<S, Request, S::Future>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, Request, F> {
        Waiting { place: Waiting, call: Option<(S, Request)> },
        Running { #[pin] response: F, _place: Place },
    }
}

impl<S: Service<Request>, Request> fmt::Debug for BulkheadFuture<S, Request> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkheadFuture").finish_non_exhaustive()
    }
}

impl<S: Service<Request>, Request> Future for BulkheadFuture<S, Request> {
    type Output = Result<S::Response, BulkheadError<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Running { response, .. } => {
                    return response.poll(cx).map_err(BulkheadError::Inner);
                }
                StateProjection::Waiting { place, call } => {
                    let place = ready!(place.as_mut().poll(cx)).map_err(BulkheadError::Rejected)?;
                    // Gone only if it was polled after its end.
                    let Some((mut service, request)) = call.take() else { return Poll::Pending };
                    state.set(State::Running { response: service.call(request), _place: place });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::bulkhead::{BulkheadSettings, RejectReason};

    #[tokio::test(start_paused = true)]
    async fn requests_wait_for_a_place_by_priority_and_those_beyond_the_queue_are_rejected() {
        let settings = BulkheadSettings { limit: 1, queue: 2, ..BulkheadSettings::default() };
        let bulkhead = Bulkhead::new(settings).unwrap();
        let layer = BulkheadLayer::new(bulkhead.clone())
            .with_priority(|urgent: &bool| if *urgent { Priority::High } else { Priority::Low });
        let order = std::sync::Mutex::new(Vec::new());
        let service = layer.layer(service_fn(|urgent: bool| {
            order.lock().unwrap().push(urgent);
            async {
                sleep(Duration::from_secs(1)).await;
                Ok::<_, std::convert::Infallible>(())
            }
        }));
        let call = |urgent| service.clone().oneshot(urgent);
        let (first, second, third, fourth) = tokio::join!(call(false), call(false), call(true), call(false));
        assert_eq!((first, second, third), (Ok(()), Ok(()), Ok(())));
        let Err(BulkheadError::Rejected(rejection)) = fourth else { panic!("the queue is full") };
        assert_eq!(rejection.reason, RejectReason::Full);
        assert_eq!(*order.lock().unwrap(), [false, true, false]);
        assert_eq!(bulkhead.figures().in_flight, 0);
    }
}
