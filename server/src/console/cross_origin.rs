//! What pages of other origins may use, and which: those that are named in the configuration, and of the API only what
//! they are meant to. Their browsers ask (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>); cookies are never
//! part of it. Everything else stays with the console's own pages, see [`super::origin`].

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower::{Layer, Service};
use tower_http::cors::{AllowOrigin, AllowPrivateNetwork, CorsLayer};

/// Beginnings of the paths that are open to named origins.
const OPEN: [&str; 2] = ["/api/client/", "/ofrep/"];
/// How long a browser remembers that it may.
const MAX_AGE: Duration = Duration::from_secs(600);

/// The origins that are named.
#[derive(Clone, Debug, Default)]
pub struct Origins(Arc<[HeaderValue]>);

impl Origins {
    #[must_use]
    pub fn new(origins: &[HeaderValue]) -> Self {
        Self(origins.into())
    }

    /// Whether this is a request for what is open to others, by one of them.
    #[must_use]
    pub fn admit(&self, request: &Request) -> bool {
        let origin = request.headers().get(header::ORIGIN);
        is_open(request.uri().path()) && origin.is_some_and(|origin| self.0.contains(origin))
    }
}

fn is_open(path: &str) -> bool {
    OPEN.iter().any(|open| path.starts_with(open))
}

/// Tells browsers which origins may read the answer, and answers their questions beforehand.
pub async fn share(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    if origins.0.is_empty() || !is_open(request.uri().path()) {
        return next.run(request).await;
    }
    let named = origins.clone();
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.0.iter().cloned()))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE, header::IF_NONE_MATCH, header::AUTHORIZATION])
        .expose_headers([header::ETAG, header::RETRY_AFTER])
        // A public page may call a console in its visitor's own network, if it is named.
        .allow_private_network(AllowPrivateNetwork::predicate(move |origin, _| named.0.contains(origin)))
        .max_age(MAX_AGE);
    match cors.layer(next).call(request).await {
        Ok(response) => response.into_response(),
        Err(never) => match never {},
    }
}
