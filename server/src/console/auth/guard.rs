//! The one gate of the console: who sends a request, and whether they may.
//!
//! [`guard`] stands before everything and lets in nobody but who is known, except to what it names;
//! [`takes`] stands before each endpoint and compares who it is with what the endpoint takes. What neither of
//! them knows about a request is a refusal.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::MethodRouter;
use url::form_urlencoded::byte_serialize;

use super::Shown;
use super::identity::{Access, Identity, Refusal};
use super::role::{Needs, Scope, reads};
use crate::console::Console;
use crate::console::act::Actor;
use crate::console::error::ApiError;
use crate::telemetry::unix_ms;

/// What speaks to programs: they are told, and not led to the login page.
const FOR_PROGRAMS: [&str; 3] = ["/api", "/ws", "/ofrep"];
/// What is for everybody: the login page has to be drawn before anybody is known.
const FOR_EVERYBODY: [&str; 5] = ["/health", "/login", "/login.css", "/favicon.svg", "/client.js"];
const FILES: &str = "/pkg/";
/// What somebody may do whose password is still the first one.
const BEFORE_CHANGE: [&str; 4] = ["/login/password", "/logout", "/api/session", "/api/session/password"];

/// What the gate has to know.
#[derive(Clone, Debug)]
pub struct Gate {
    pub console: Arc<Console>,
    /// Paths of endpoints that take nothing.
    pub open: Arc<[String]>,
}

pub async fn guard(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Some(auth) = &gate.console.auth else {
        request.extensions_mut().insert(Access::Open);
        return next.run(request).await;
    };
    let access = match auth.authenticate(request.headers(), unix_ms()) {
        Shown::Nothing | Shown::BadToken if gate.is_open(&request) => Access::Nobody,
        Shown::BadToken => return unknown("this token is none, or has expired", true),
        Shown::Nothing => return gate.who_are_you(&request),
        Shown::Known(who) => {
            if let Some(refused) = refuse(&who, &request) {
                return refused;
            }
            request.extensions_mut().insert(Actor { name: who.shown() });
            Access::Known(Arc::new(who))
        }
    };
    request.extensions_mut().insert(access);
    let mut response = next.run(request).await;
    // What was told to somebody who is known is not for whoever sits down there next.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refuses somebody who is known, for what holds whatever they want.
fn refuse(who: &Identity, request: &Request) -> Option<Response> {
    let path = request.uri().path();
    let is_socket = request.headers().contains_key(header::UPGRADE);
    // A browser sends its cookie by itself, whoever made it do so; it also says who did. What says nothing is no
    // browser, and then it has no business with a cookie.
    let says_from_where = [header::ORIGIN, header::HeaderName::from_static("sec-fetch-site")];
    if who.session().is_some()
        && (is_socket || !reads(request.method()))
        && !says_from_where.iter().any(|name| request.headers().contains_key(name))
    {
        let detail = "a change with a cookie must say where it comes from (Origin, Sec-Fetch-Site), as browsers do; \
                      programs use a token";
        return Some(ApiError::new(StatusCode::FORBIDDEN, detail).into_response());
    }
    let is_for_everybody = FOR_EVERYBODY.contains(&path) || is_file(request);
    if !is_for_everybody && !is_for_programs(path) {
        // What is no endpoint is a page, which shows everything that can be read.
        if let Err(detail) = who.may(Scope::Read) {
            return Some(ApiError::new(StatusCode::FORBIDDEN, detail).into_response());
        }
    }
    if who.must_change && !is_for_everybody && !BEFORE_CHANGE.contains(&path) {
        return Some(if is_for_programs(path) {
            let detail =
                "the first password has to be changed before anything else: POST /api/session/password";
            ApiError::new(StatusCode::FORBIDDEN, detail).into_response()
        } else {
            lead(request, "/login/password")
        });
    }
    None
}

impl Gate {
    /// Whether a request is for everybody.
    fn is_open(&self, request: &Request) -> bool {
        let path = request.uri().path();
        FOR_EVERYBODY.contains(&path)
            || is_file(request)
            || self.open.iter().any(|open| is_at(open, path))
            // A browser does not tell its page why a WebSocket was refused; it does tell why one was closed.
            || (path == "/ws" && request.headers().contains_key(header::ORIGIN))
    }

    /// The answer to nobody.
    fn who_are_you(&self, request: &Request) -> Response {
        if is_for_programs(request.uri().path()) {
            return unknown(
                "log in first: POST /api/session, or send a token (Authorization: Bearer rad_…)",
                false,
            );
        }
        lead(request, "/login")
    }
}

/// Whether a path is one of an endpoint's, in whose own names stand in braces.
fn is_at(endpoint: &str, path: &str) -> bool {
    let (mut wanted, mut parts) = (endpoint.split('/'), path.split('/'));
    loop {
        match (wanted.next(), parts.next()) {
            (None, None) => return true,
            (Some(wanted), Some(part)) if wanted == part || (wanted.starts_with('{') && !part.is_empty()) => {
            }
            _ => return false,
        }
    }
}

fn is_file(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && request.uri().path().starts_with(FILES)
}

fn is_for_programs(path: &str) -> bool {
    FOR_PROGRAMS
        .iter()
        .any(|start| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Leads a browser to a page, and back afterwards.
fn lead(request: &Request, page: &str) -> Response {
    let uri = request.uri();
    let from = uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    if !matches!(*request.method(), Method::GET | Method::HEAD) || from == "/" {
        return Redirect::to(page).into_response();
    }
    let to: String = byte_serialize(from.as_bytes()).collect();
    Redirect::to(&format!("{page}?to={to}")).into_response()
}

/// 401, as RFC 9110 §15.5.2 and RFC 6750 §3 want it.
pub fn unknown(detail: &str, is_bad: bool) -> Response {
    let challenge = match is_bad {
        true => "Bearer realm=\"RAD Monitor\", error=\"invalid_token\"",
        false => "Bearer realm=\"RAD Monitor\"",
    };
    let challenge = [(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))];
    (challenge, ApiError::new(StatusCode::UNAUTHORIZED, detail)).into_response()
}

/// An endpoint that takes something.
pub fn takes<S: Clone + Send + Sync + 'static>(needs: Needs, methods: MethodRouter<S>) -> MethodRouter<S> {
    methods.layer(from_fn(move |request: Request, next: Next| async move {
        // Without the guard before it, nobody is known.
        let access = request.extensions().get().unwrap_or(&Access::Nobody);
        match access.may(needs, request.method()) {
            Ok(()) => next.run(request).await,
            Err(Refusal::Unknown) => unknown("log in first", false),
            Err(Refusal::Forbidden(detail)) => ApiError::new(StatusCode::FORBIDDEN, detail).into_response(),
        }
    }))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn asks(method: &str, path: &str) -> Request {
        Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
    }

    #[test]
    fn a_browser_is_led_to_the_login_and_back_and_only_to_where_it_was() {
        let location =
            |request: &Request| lead(request, "/login").headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(location(&asks("GET", "/")), "/login");
        assert_eq!(
            location(&asks("GET", "/limits?range=1m&a=b")),
            "/login?to=%2Flimits%3Frange%3D1m%26a%3Db"
        );
        assert_eq!(location(&asks("POST", "/limits")), "/login");
    }

    #[test]
    fn programs_are_told_apart_by_what_they_ask_for() {
        for path in ["/api", "/api/", "/api/metrics", "/ws", "/ofrep/v1/evaluate/flags"] {
            assert!(is_for_programs(path), "{path}");
        }
        for path in ["/", "/apis", "/wsx", "/limits", "/x/api"] {
            assert!(!is_for_programs(path), "{path}");
        }
    }

    #[test]
    fn files_are_read_by_everybody_and_nothing_is_sent_to_them() {
        assert!(is_file(&asks("GET", "/pkg/rad-monitor.wasm")));
        for (method, path) in [("POST", "/pkg/rad-monitor.wasm"), ("GET", "/pkgs/x"), ("GET", "/limits")] {
            assert!(!is_file(&asks(method, path)), "{method} {path}");
        }
    }
}
