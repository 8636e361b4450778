//! The HTML of the login's pages.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use html_escape::encode_double_quoted_attribute as escaped;

use super::super::identity::Identity;
use super::super::password::SHORTEST;
use super::super::secret::Secret;
use crate::console::error::ApiError;

/// A path of this console, and no other place: what stands behind `?to=` is for everybody to write.
pub fn local(to: &str) -> &str {
    let is_local = to.starts_with('/')
        // A browser takes // and /\ as the beginning of another host, and skips tabs and line ends on its way.
        && !to[1..].starts_with(['/', '\\'])
        && to.len() <= 2_048
        && to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && !["/login", "/logout", "/api", "/ws"].iter().any(|page| to.starts_with(page));
    if is_local { to } else { "/" }
}

/// The form of the login, with what was written and what was wrong with it.
pub fn login_form(account: &str, to: &str, says: &str) -> String {
    // The cursor stands where something is missing.
    let (first, second) = if account.is_empty() { (" autofocus", "") } else { ("", " autofocus") };
    format!(
        "<h1>Log in</h1>\
         <form method=\"post\" action=\"/login\">{wrong}\
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

/// The form by which one changes one's own password.
pub fn password_form(who: &Identity, to: &str, says: &str) -> String {
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
         <form method=\"post\" action=\"/login/password\">{wrong}\
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
        says => format!("<p class=\"bad-text\" role=\"alert\">{}</p>", html_escape::encode_text(says)),
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
pub fn document(status: StatusCode, title: &str, content: &str) -> Response {
    let Ok(nonce) = Secret::password() else {
        return ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here").into_response();
    };
    let nonce = nonce.reveal();
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · RAD Monitor</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"dark light\"><script nonce=\"{nonce}\">{theme}</script>\
         <link rel=\"stylesheet\" href=\"/pkg/rad-monitor.css\">\
         <link rel=\"stylesheet\" href=\"/login.css\">\
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
}
