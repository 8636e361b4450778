//! The pages of the login: plain HTML and forms, for a browser that has nothing of the dashboard yet and may
//! run no script.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use html_escape::encode_double_quoted_attribute as escaped;
use serde::Deserialize;

use super::Moment;
use super::identity::{Access, Identity};
use super::login::{Attempt, Denied};
use super::password::SHORTEST;
use super::secret::Secret;
use crate::console::Console;
use crate::console::error::{ApiError, only};
use crate::console::take::Asked;

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
        Ok(entered) => with_cookie(auth.cookies.set(&entered.id), Redirect::to(local(&to))),
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

/// A path of this console, and no other place: what stands behind `?to=` is for everybody to write.
fn local(to: &str) -> &str {
    let is_local = to.starts_with('/')
        // A browser takes // and /\ as the beginning of another host, and skips tabs and line ends on its way.
        && !to[1..].starts_with(['/', '\\'])
        && to.len() <= 2_048
        && to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && !["/login", "/logout", "/api", "/ws"].iter().any(|page| to.starts_with(page));
    if is_local { to } else { "/" }
}

fn login_form(account: &str, to: &str, says: &str) -> String {
    // The cursor stands where something is missing.
    let (first, second) = if account.is_empty() { (" autofocus", "") } else { ("", " autofocus") };
    format!(
        "<h1>Log in</h1>\
         <form method=\"post\" action=\"/login\" aria-describedby=\"wrong\">{wrong}\
         <label>Name <input type=\"text\" name=\"account\" value=\"{account}\" autocomplete=\"username\" \
         autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"64\" required{first}></label>\
         <label>Password <input type=\"password\" name=\"password\" autocomplete=\"current-password\" \
         maxlength=\"256\" required{second}></label>\
         <input type=\"hidden\" name=\"to\" value=\"{to}\">\
         <button class=\"primary\">Log in</button></form>",
        wrong = wrong(says),
        account = escaped(account),
        to = escaped(local(to)),
    )
}

fn password_form(who: &Identity, to: &str, says: &str) -> String {
    let why = match who.must_change {
        true => "The first password is good for one login. Choose another now.",
        false => "All other sessions of yours end with it.",
    };
    let account = escaped(&who.account);
    let new = |name: &str, label: &str| {
        format!(
            "<label>{label} <input type=\"password\" name=\"{name}\" autocomplete=\"new-password\" \
             minlength=\"{SHORTEST}\" maxlength=\"256\" required></label>"
        )
    };
    format!(
        "<h1>Change the password of {account}</h1><p class=\"muted\">{why}</p>\
         <form method=\"post\" action=\"/login/password\" aria-describedby=\"wrong\">{wrong}\
         <input type=\"text\" name=\"account\" value=\"{account}\" autocomplete=\"username\" readonly hidden>\
         <label>Present password <input type=\"password\" name=\"password\" autocomplete=\"current-password\" \
         maxlength=\"256\" required autofocus></label>{chosen}{repeated}\
         <input type=\"hidden\" name=\"to\" value=\"{to}\">\
         <button class=\"primary\">Change it</button></form>\
         <form method=\"post\" action=\"/logout\"><button>Log out</button></form>",
        wrong = wrong(says),
        chosen = new("new-password", &format!("New password <small>{SHORTEST} characters at least</small>")),
        repeated = new("repeated-password", "New password once more"),
        to = escaped(local(to)),
    )
}

fn wrong(says: &str) -> String {
    match says {
        "" => String::new(),
        says => format!(
            "<p class=\"bad-text\" id=\"wrong\" role=\"alert\">{}</p>",
            html_escape::encode_text(says)
        ),
    }
}

/// Who is logged in, for the header of the dashboard.
#[must_use]
pub fn visitor(who: &Identity) -> app::Visitor {
    let (account, role) = (escaped(&who.account), who.role.word());
    let html = format!(
        "<a href=\"/login/password\" rel=\"external\" title=\"{account} is {role}: change the password\">\
         {account}</a><form method=\"post\" action=\"/logout\">\
         <button class=\"out\" title=\"Log out\" aria-label=\"Log out {account}\">\
         <svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"M7 2H3v12h4M6 8h8M11 5l3 3-3 3\"/></svg>\
         </button></form>"
    );
    app::Visitor { html, role }
}

/// A page with the dashboard's look and nothing of its code.
fn document(status: StatusCode, title: &str, content: &str) -> Response {
    let Ok(nonce) = Secret::password() else {
        return ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here").into_response();
    };
    let nonce = nonce.reveal();
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · RAD Monitor</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"dark light\"><script nonce=\"{nonce}\">{theme}</script>\
         <link rel=\"stylesheet\" href=\"/pkg/rad-monitor.css\">\
         <link rel=\"icon\" type=\"image/svg+xml\" href=\"/favicon.svg\"></head>\
         <body><main class=\"login\"><div class=\"brand\"><svg viewBox=\"0 0 20 20\" aria-hidden=\"true\">\
         <circle cx=\"10\" cy=\"10\" r=\"8.2\"></circle><path d=\"M2 10h4l2-5 4 10 2-5h4\"></path></svg>\
         <b>RAD Monitor</b></div>{content}</main></body></html>",
        theme = app::THEME,
    );
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'nonce-{nonce}'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'"
    );
    let mut response = (status, axum::response::Html(html)).into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_login_one_stays_on_this_console() {
        for to in ["/", "/limits?range=1m", "/breakers/search%202", "/query?q=//x"] {
            assert_eq!(local(to), to);
        }
        for to in [
            "",
            "limits",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            "/x\r\nset-cookie: a=b",
            "/a\\..\\b",
            "/ü",
            "/login?to=/login",
            "/logout",
            "/api/metrics",
        ] {
            assert_eq!(local(to), "/", "{to:?}");
        }
        assert_eq!(local(&format!("/{}", "a".repeat(3_000))), "/");
    }

    #[test]
    fn what_was_written_comes_back_as_text() {
        let form = login_form("\"><script>alert(1)</script>", "/a\"><b>", "<i>no</i>");
        for tag in ["<script", "<i>", "<b>"] {
            assert!(!form.contains(tag), "{form}");
        }
        assert!(form.contains("value=\"&quot;&gt;") || form.contains("value=\"&quot;>"), "{form}");
    }

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
