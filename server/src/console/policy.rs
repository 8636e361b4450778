//! What a browser may do with a page of the dashboard (Content Security Policy, level 3).
//!
//! Scripts run if they are files of this console, or carry the nonce that is drawn anew for each page: what
//! somebody smuggles into a page does not run. Charts place their labels by `style` attributes, which are
//! allowed; whole style sheets are treated as scripts are. Of handlers in attributes there is one, by which forms
//! are not sent before the code of their page is there; it is allowed by its hash.

use axum::http::{HeaderValue, header};
use leptos::nonce::use_nonce;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

/// The handler `onsubmit="return false"`.
const NOT_SENT: &str = "sha256-GZIcz60Uwd6wT3vaYke/atSr53TehbYAPepOa3d03Vw=";

/// Says so of the page that is being drawn.
pub fn declare() {
    let (Some(response), Some(nonce)) = (use_context::<ResponseOptions>(), use_nonce()) else { return };
    // While developing, pages listen for builds on another port.
    let reload = if std::env::var_os("LEPTOS_WATCH").is_some() { " ws:" } else { "" };
    if let Ok(policy) = HeaderValue::from_str(&policy(&nonce, reload)) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
}

fn policy(nonce: &str, reload: &str) -> String {
    format!(
        "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; \
         script-src-attr 'unsafe-hashes' '{NOT_SENT}'; \
         style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; connect-src 'self'{reload}; \
         img-src 'self' data:; object-src 'none'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
    )
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_one_handler_that_is_allowed_does_nothing() {
        assert_eq!(NOT_SENT, format!("sha256-{}", STANDARD.encode(Sha256::digest("return false"))));
    }

    #[test]
    fn no_script_runs_for_being_on_the_page() {
        let policy = policy("abc", "");
        let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src ")).unwrap();
        assert_eq!(scripts.trim(), "script-src 'self' 'nonce-abc' 'wasm-unsafe-eval'");
        assert!(!policy.contains("'unsafe-eval'") && !policy.contains('*'));
    }
}
