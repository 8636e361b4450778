//! `[rollouts.NAME.override]`: by what testers choose their side.

use http::header;

use super::super::super::read::{Kind, Table, Wrong, parsed};
use super::super::super::tree::Value;
use super::super::limit::is_token;
use crate::rollout::{Overrides, PIN_COOKIE, Secret};

/// What a secret in the environment is named like.
const VARIABLE: &str = "RAD_SECRET_";

/// Headers by which nobody chooses a side.
const TAKEN: [header::HeaderName; 7] = [
    header::HOST,
    header::AUTHORIZATION,
    header::COOKIE,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
];

pub fn read(table: &mut Table<'_>) -> Overrides {
    let header = parsed(
        "the name of a header of its own",
        "write it as in \"X-Rad-Side\"; HTTP's own headers, such as Host, mean something else",
        |text| text.parse().ok().filter(|name| !TAKEN.contains(name)),
    );
    let cookie = parsed(
        "the name of a cookie of its own",
        "write it as in \"rad_side\"; rad_mode is the kill switch's",
        |text| (is_token(text) && text != PIN_COOKIE).then(|| text.to_owned()),
    );
    Overrides {
        header: table.value("header", &header),
        cookie: table.value("cookie", &cookie),
        secret: table.value("secret", &secret()),
    }
}

/// A secret, by where it is: it does not stand in the configuration itself.
fn secret() -> Kind<Secret> {
    const HOW: &str = "write \"env:RAD_SECRET_NAME\" or \"file:PATH\"";
    let kind = Kind::new("where a secret is", HOW, |value| {
        let Value::Text(text) = value else { return Err(Wrong::Kind) };
        let (found, place) = match text.split_once(':') {
            Some(("env", name)) if name.starts_with(VARIABLE) => {
                (std::env::var(name).ok().map(String::into_bytes), name)
            }
            Some(("file", path)) if !path.is_empty() => (std::fs::read(path).ok(), path),
            _ => return Err(Wrong::Kind),
        };
        let Some(secret) = found else {
            return Err(Wrong::Because(format!("{place} is not there, or cannot be read; {HOW}")));
        };
        Secret::new(secret.trim_ascii()).ok_or_else(|| {
            Wrong::Because(format!(
                "what stands in {place} is too short to be a secret: {} bytes are the least",
                Secret::SHORTEST
            ))
        })
    });
    // Whoever writes the secret itself here does not want to read it in an error.
    kind.hidden()
}
