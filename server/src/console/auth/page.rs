//! The pages of the login: plain HTML and forms, for a browser that has nothing of the dashboard yet and may
//! run no script.

mod html;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;

use super::Moment;
use super::identity::{Access, Identity};
use super::login::{Attempt, Denied};
use crate::console::audit::Deed;
use crate::console::error::{ApiError, only};
use crate::console::take::Asked;
use crate::console::{Console, origin};

pub use html::visitor;
use html::{document, local, login_form, password_form};

type Peer = ConnectInfo<std::net::SocketAddr>;
type Shared = State<Arc<Console>>;

/// Where somebody wants to go afterwards.
#[derive(Debug, Deserialize)]
pub struct Way {
    #[serde(default)]
    to: String,
}

/// What is written into the forms.
#[derive(Debug, Default)]
struct Form {
    account: String,
    password: String,
    chosen: String,
    repeated: String,
    to: String,
}

impl Form {
    fn read(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in url::form_urlencoded::parse(body) {
            match name.as_ref() {
                "account" => form.account = value.into_owned(),
                "password" => form.password = value.into_owned(),
                "new-password" => form.chosen = value.into_owned(),
                "repeated-password" => form.repeated = value.into_owned(),
                "to" => form.to = value.into_owned(),
                _ => {}
            }
        }
        form
    }
}

/// The longest form that is read.
const MAX_FORM: usize = 16 << 10;

/// The pages.
pub fn router() -> Router<Arc<Console>> {
    Router::new()
        .route("/login", only("GET, HEAD, POST", get(login).post(log_in)))
        .route("/login/password", only("GET, HEAD, POST", get(password).post(change_password)))
        .route("/logout", only("POST", post(log_out)))
        .layer(DefaultBodyLimit::max(MAX_FORM))
}

async fn login(
    State(console): Shared,
    Extension(access): Extension<Access>,
    Asked(way): Asked<Way>,
) -> Response {
    if console.auth.is_none() || access.known().is_some() {
        return Redirect::to(local(&way.to)).into_response();
    }
    document(StatusCode::OK, "Log in", &login_form("", &way.to, ""))
}

async fn log_in(
    State(console): Shared,
    Extension(access): Extension<Access>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(auth) = &console.auth else { return Redirect::to("/").into_response() };
    let Form { account, password, to, .. } = Form::read(&body);
    if auth.cookies.secure && lacks_tls(&headers) {
        // The browser would drop the cookie without a word, and one would log in again and again.
        let says = "This page came without TLS, and the session's cookie goes over TLS only. Use https, or set \
                    console.auth.secure_cookies to false.";
        return document(StatusCode::BAD_REQUEST, "Log in", &login_form(&account, &to, says));
    }
    let before = access.known().and_then(Identity::session).copied();
    let attempt =
        Attempt { account: account.clone(), password, address: console.client(peer.ip(), &headers) };
    match auth.log_in(attempt, before, Moment::of(&console.clock)).await {
        Ok(entered) if entered.must_change => {
            let to: String = url::form_urlencoded::byte_serialize(local(&to).as_bytes()).collect();
            with_cookie(auth.cookies.set(&entered.id), Redirect::to(&format!("/login/password?to={to}")))
        }
        Ok(entered) => with_cookie(auth.cookies.set(&entered.id), Redirect::to(local(&to))),
        Err(denied) => refusal(&denied, "Log in", |says| login_form(&account, &to, says)),
    }
}

async fn password(Extension(access): Extension<Access>, Asked(way): Asked<Way>) -> Response {
    match access.known() {
        Some(who) => document(StatusCode::OK, "Change the password", &password_form(who, &way.to, "")),
        None => Redirect::to("/").into_response(),
    }
}

async fn change_password(
    State(console): Shared,
    Extension(access): Extension<Access>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    deed: Deed,
    body: Bytes,
) -> Response {
    let (Some(auth), Some(who)) = (&console.auth, access.known()) else {
        return Redirect::to("/").into_response();
    };
    if who.session().is_none() {
        return ApiError::new(StatusCode::FORBIDDEN, "a token cannot change a password").into_response();
    }
    let Form { password, chosen, repeated, to, .. } = Form::read(&body);
    let attempt =
        Attempt { account: who.account.clone(), password, address: console.client(peer.ip(), &headers) };
    let changed = match chosen == repeated {
        true => auth.change_password(attempt, chosen, Moment::of(&console.clock)).await,
        false => Err(Denied::Unfit("the two new passwords are not the same".to_owned())),
    };
    match changed {
        Ok(entered) => {
            if let Err(unwritten) = super::api::password_changed(&console, &deed, &who.account).await {
                return unwritten.into_response();
            }
            with_cookie(auth.cookies.set(&entered.id), Redirect::to(local(&to)))
        }
        Err(denied) => refusal(&denied, "Change the password", |says| password_form(who, &to, says)),
    }
}

async fn log_out(State(console): Shared, Extension(access): Extension<Access>) -> Response {
    let Some(auth) = &console.auth else { return Redirect::to("/").into_response() };
    if let Some(session) = access.known().and_then(Identity::session)
        && auth.log_out(*session).await.is_err()
    {
        let detail = "the session is over, but that could not be stored: a restart would bring it back";
        return ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response();
    }
    with_cookie(auth.cookies.clear(), Redirect::to("/login"))
}

/// Whether the page that was sent came without TLS. Of this machine's own names browsers keep the cookie even so.
fn lacks_tls(headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    origin.and_then(|origin| origin.strip_prefix("http://")).is_some_and(|host| !origin::is_local(host))
}

fn with_cookie(cookie: Option<HeaderValue>, to: Redirect) -> Response {
    let mut response = to.into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The form once more, with what was wrong.
fn refusal(denied: &Denied, title: &str, form: impl FnOnce(&str) -> String) -> Response {
    let mut response = document(denied.status(), title, &form(&denied.says()));
    if let Some(wait) = denied.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, wait);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_by_its_names_and_nothing_else() {
        let form = Form::read(b"account=ada&password=a%26b+c&to=%2Flimits&x=1");
        assert_eq!(
            (form.account.as_str(), form.password.as_str(), form.to.as_str()),
            ("ada", "a&b c", "/limits")
        );
        assert_eq!(Form::read(b"%ff%00&&=&==").account, "");
    }
}
