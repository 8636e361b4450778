//! The API of the login: one's own session, accounts and tokens.

pub mod accounts;
pub mod tokens;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::guard::unknown;
use super::identity::{Access, By, Identity};
use super::login::{Attempt, Denied, Entered};
use super::{Auth, Moment, Refused};
use crate::console::Console;
use crate::console::audit::{Deed, alone};
use crate::console::error::{ApiError, parse};
use crate::console::take::Body;
use crate::storage::NewEntry;

type Peer = ConnectInfo<std::net::SocketAddr>;
type Shared = State<Arc<Console>>;

/// All that one does with one's own session.
pub fn routes() -> MethodRouter<Arc<Console>> {
    // Whoever comes here is not known yet: they are not given room for more than a name and a password.
    get(session).post(log_in).delete(log_out).layer(DefaultBodyLimit::max(16 << 10))
}

/// Who asks, and how long that holds.
async fn session(State(console): Shared, Extension(access): Extension<Access>) -> Response {
    match (&console.auth, access.known()) {
        (None, _) => Json(json!({"login": false})).into_response(),
        (Some(_), None) => unknown("nobody is logged in", false),
        (Some(auth), Some(who)) => Json(described(auth, who)).into_response(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    account: String,
    password: String,
}

async fn log_in(
    State(console): Shared,
    Extension(access): Extension<Access>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, ApiError> {
    let auth = offered(&console)?;
    let Login { account, password } = parse(&body)?;
    let before = access.known().and_then(Identity::session).copied();
    let attempt = Attempt { account, password, address: console.client(peer.ip(), &headers) };
    Ok(entered(auth, auth.log_in(attempt, before, Moment::of(&console.clock)).await))
}

async fn log_out(State(console): Shared, Extension(access): Extension<Access>) -> Result<Response, ApiError> {
    let auth = offered(&console)?;
    let Some(session) = access.known().and_then(Identity::session) else {
        return Ok(unknown("nobody is logged in", false));
    };
    auth.log_out(*session).await.map_err(ApiError::from)?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(auth.cookies.clear().map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    current: String,
    new: String,
}

pub async fn change_password(
    State(console): Shared,
    Extension(access): Extension<Access>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    deed: Deed,
    Body(body): Body,
) -> Result<Response, ApiError> {
    let auth = offered(&console)?;
    let Some(who) = access.known().filter(|who| who.session().is_some()) else {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "a token cannot change a password: log in"));
    };
    let NewPassword { current, new } = parse(&body)?;
    let address = console.client(peer.ip(), &headers);
    let attempt = Attempt { account: who.account.clone(), password: current, address };
    let outcome = auth.change_password(attempt, new, Moment::of(&console.clock)).await;
    if outcome.is_ok() {
        password_changed(&console, &deed, &who.account).await?;
    }
    Ok(entered(auth, outcome))
}

/// Writes down what was done with accounts and tokens.
async fn written(console: &Arc<Console>, entry: NewEntry) -> Result<(), ApiError> {
    alone(Arc::clone(console), move |console| console.record(&entry)).await
}

/// Writes down that somebody has another password.
pub(super) async fn password_changed(
    console: &Arc<Console>,
    deed: &Deed,
    account: &str,
) -> Result<(), ApiError> {
    let change = (Value::Null, json!({"has_new_password": true}));
    written(console, deed.entry(("account.password", account), change, "", None)).await
}

/// The answer to who wants in, with the cookie if they are.
fn entered(auth: &Arc<Auth>, outcome: Result<Entered, Denied>) -> Response {
    match outcome {
        Ok(Entered { id, account, must_change }) => {
            let mut response = Json(json!({
                "login": true,
                "account": account,
                "must_change_password": must_change,
            }))
            .into_response();
            response.headers_mut().extend(auth.cookies.set(&id).map(|cookie| (header::SET_COOKIE, cookie)));
            response
        }
        Err(denied) => {
            let mut response = ApiError::new(denied.status(), denied.says()).into_response();
            let wait = denied.retry_after().map(|wait| (header::RETRY_AFTER, wait));
            response.headers_mut().extend(wait);
            response
        }
    }
}

fn described(auth: &Auth, who: &Identity) -> Value {
    let mut described = json!({
        "login": true,
        "account": who.account,
        "role": who.role,
        "must_change_password": who.must_change,
    });
    match &who.by {
        By::Session(digest) => {
            let ends = auth.state().sessions.ends(digest);
            described["by"] = "session".into();
            described["ends_ms"] = ends.map(|ends| ends.at_ms).into();
            described["idle_ends_ms"] = ends.map(|ends| ends.idle_at_ms).into();
        }
        By::Token { digest, name, scopes } => {
            described["by"] = "token".into();
            described["token"] = name.as_str().into();
            described["scopes"] = scopes.iter().map(|scope| scope.word()).collect();
            described["ends_ms"] = auth.state().tokens.get(digest).map(|token| token.expires_ms).into();
        }
    }
    described
}

/// The login, where there is one.
fn offered(console: &Console) -> Result<&Arc<Auth>, ApiError> {
    console.auth.as_ref().ok_or_else(|| {
        ApiError::not_found("nobody has to log in here: the configuration has no table [console.auth]")
    })
}

impl Denied {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Wrong => StatusCode::UNAUTHORIZED,
            Self::Wait(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unfit(_) => StatusCode::BAD_REQUEST,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A sentence for people.
    pub(super) fn says(&self) -> String {
        match self {
            Self::Wrong => "Wrong name or password.".to_owned(),
            Self::Wait(wait) => {
                let wait = humantime::format_duration(Duration::from_secs(seconds(*wait)));
                format!("Too many attempts. Try again in {wait}.")
            }
            Self::Busy(_) => "Too many log in at this moment. Try again in a few seconds.".to_owned(),
            Self::Unfit(why) => {
                let mut letters = why.chars();
                let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                first.into_iter().chain(letters).chain(['.']).collect()
            }
            Self::Broken => "This did not work: the change could not be stored.".to_owned(),
        }
    }

    pub(super) fn retry_after(&self) -> Option<HeaderValue> {
        match self {
            Self::Wait(wait) | Self::Busy(wait) => Some(seconds(*wait).into()),
            _ => None,
        }
    }
}

/// Whole seconds, rounded up: who comes back then is not too early.
fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Missing(why) => Self::not_found(why),
            Refused::Invalid(why) => Self::bad_request(why),
            Refused::Conflict(why) => Self::new(StatusCode::CONFLICT, why),
            Refused::Broken => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "this could not be stored; nothing was changed")
            }
        }
    }
}
