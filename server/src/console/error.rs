//! Errors of the console's API. Handlers return [`ApiError`]; each carries a sentence for the person at
//! the other end, and never an address, a path of this machine or a secret.

use axum::Json;
use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::problem::{self, Problem};

/// A status and a sentence: `{"detail": "…"}`.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    detail: String,
}

impl ApiError {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    /// 400: the request is wrong.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: what is asked for does not exist.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409: a change was wanted of something that is not any more what its asker believes.
    pub fn overtaken(now: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, format!("{now}: somebody else has decided so. Nothing was changed."))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({"detail": self.detail}))).into_response();
        response.extensions_mut().insert(Problem::Plain(self.detail.into()));
        response
    }
}

/// Says errors in the form that their asker wants.
pub async fn negotiate(request: Request, next: Next) -> Response {
    let is_wanted = problem::is_wanted(request.headers());
    let mut response = next.run(request).await;
    problem::tell(&mut response, is_wanted, Body::from);
    response
}

/// Reads a JSON body.
///
/// # Errors
/// 400 with what is wrong and where.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the body is not valid: {error}")))
}

/// A 404 for what the API does not have, which says what it has.
pub fn no_such_endpoint(uri: &Uri, known: &[&str]) -> ApiError {
    let known = known.iter().map(|path| format!("/api{path}")).collect::<Vec<_>>().join(", ");
    ApiError::not_found(format!("there is no {}; the API has {known}", uri.path()))
}

/// Answers other methods than these (as `Allow` lists them) with a 405 that names them.
pub fn only<S: Clone + Send + Sync + 'static>(
    allowed: &'static str,
    methods: MethodRouter<S>,
) -> MethodRouter<S> {
    methods.fallback(move |method: Method, OriginalUri(uri): OriginalUri| async move {
        let detail = format!("{} does not answer {method}, but {allowed}", uri.path());
        ([(header::ALLOW, allowed)], ApiError::new(StatusCode::METHOD_NOT_ALLOWED, detail))
    })
}

/// What a panic says is for the log of the process, not for the browser.
pub fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here").into_response()
}
