//! What the log is asked for: `?actor=&action=&object=&text=&from=&to=&before=&limit=`.

use std::time::UNIX_EPOCH;

use serde::Deserialize;

use super::super::error::ApiError;
use crate::storage::Filter;

/// So many entries are told, unless more or fewer are asked for.
const FEW: u32 = 50;
const MOST: u32 = 500;

/// As it stands behind the `?`. What is empty is not asked for: so forms send what nobody has filled in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    actor: String,
    action: String,
    object: String,
    text: String,
    from: String,
    to: String,
    before: String,
    limit: String,
}

impl Wanted {
    /// # Errors
    /// 400 that says what is allowed.
    pub fn read(self) -> Result<(Filter, u32), ApiError> {
        let limit = match self.limit.as_str() {
            "" => FEW,
            text => text.parse().ok().filter(|limit| (1..=MOST).contains(limit)).ok_or_else(|| {
                ApiError::bad_request(format!("limit={text} is not allowed: it is a number from 1 to {MOST}"))
            })?,
        };
        let before = match self.before.as_str() {
            "" => None,
            text => Some(text.parse().ok().filter(|id| *id > 0).ok_or_else(|| {
                ApiError::bad_request(format!(
                    "before={text} is not allowed: it is the number of an entry, from 1"
                ))
            })?),
        };
        let (from_ms, to_ms) = (moment("from", &self.from)?, moment("to", &self.to)?);
        if from_ms.zip(to_ms).is_some_and(|(from, to)| from > to) {
            return Err(ApiError::bad_request("from is after to: nothing can lie between them"));
        }
        let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let filter = Filter {
            actor: some(self.actor),
            action: some(self.action),
            object: some(self.object),
            text: some(self.text),
            from_ms,
            to_ms,
            before,
            only: None,
        };
        Ok((filter, limit))
    }
}

/// A moment as milliseconds since 1970, or as RFC 3339 has it.
fn moment(name: &str, text: &str) -> Result<Option<i64>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().ok().filter(|ms| *ms >= 0);
    let written = || {
        let time = humantime::parse_rfc3339_weak(text).ok()?;
        i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
    };
    number.or_else(written).map(Some).ok_or_else(|| {
        ApiError::bad_request(format!(
            "{name}={text} is not allowed: it is a moment such as 2026-01-31T20:41:30Z, or milliseconds since 1970"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_taken_in_both_forms_and_nothing_is_no_wish() {
        let wanted = Wanted {
            from: "2023-11-14T22:13:20Z".to_owned(),
            to: "1700000000001".to_owned(),
            actor: " ada ".to_owned(),
            ..Wanted::default()
        };
        let (filter, limit) = wanted.read().unwrap();
        assert_eq!(
            (filter.from_ms, filter.to_ms, limit),
            (Some(1_700_000_000_000), Some(1_700_000_000_001), FEW)
        );
        assert_eq!((filter.actor.as_deref(), filter.action), (Some("ada"), None));
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        let none = Wanted::default;
        let text = |text: &str| text.to_owned();
        for wanted in [
            Wanted { limit: text("0"), ..none() },
            Wanted { limit: text("501"), ..none() },
            Wanted { before: text("0"), ..none() },
            Wanted { before: text("last"), ..none() },
            Wanted { from: text("yesterday"), ..none() },
            Wanted { to: text("-1"), ..none() },
            Wanted { from: text("2"), to: text("1"), ..none() },
        ] {
            assert!(wanted.read().is_err());
        }
    }
}
