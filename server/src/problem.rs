//! Errors in the form of RFC 9457, `application/problem+json`, for who asks for it by `Accept`. Everybody else
//! gets the JSON that this program has always answered with.
//!
//! An error carries its [`Problem`] as an extension of the response; where the response leaves, [`tell`] puts
//! it into words.

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use rad_model::Quota;
use serde_json::{Map, Value, json};

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What went wrong.
#[derive(Clone, Debug)]
pub enum Problem {
    /// Nothing that the status does not say, in other words.
    Plain(std::borrow::Cow<'static, str>),
    /// A limit rejects.
    QuotaExceeded(Quota),
    /// A client would not stop.
    AbnormalUsage(&'static str),
    /// There is no room at this moment.
    ReducedCapacity(&'static str),
}

impl Problem {
    /// Type and title; the types are those of draft-ietf-httpapi-ratelimit-headers-10.
    fn kind(&self, status: StatusCode) -> (&'static str, &'static str) {
        match self {
            Self::Plain(_) => ("about:blank", status.canonical_reason().unwrap_or("Error")),
            Self::QuotaExceeded(_) => (
                "https://iana.org/assignments/http-problem-types#quota-exceeded",
                "Request cannot be satisfied as assigned quota has been exceeded",
            ),
            Self::AbnormalUsage(_) => (
                "https://iana.org/assignments/http-problem-types#abnormal-usage-detected",
                "Request not satisfied due to detection of abnormal request pattern",
            ),
            Self::ReducedCapacity(_) => (
                "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
                "Request cannot be satisfied due to temporary server capacity constraints",
            ),
        }
    }

    fn text(&self, status: StatusCode) -> String {
        let (kind, title) = self.kind(status);
        let mut members = Map::new();
        let mut member = |name: &str, value: Value| members.insert(name.to_owned(), value);
        member("type", kind.into());
        member("title", title.into());
        member("status", status.as_u16().into());
        match self {
            Self::Plain(detail) => member("detail", detail.as_ref().into()),
            Self::AbnormalUsage(detail) | Self::ReducedCapacity(detail) => member("detail", (*detail).into()),
            Self::QuotaExceeded(quota) => {
                member("violated-policies", json!([quota.window_name()]));
                member("detail", format!("Rate limit exceeded: {}", quota.in_words()).into())
            }
        };
        Value::Object(members).to_string()
    }
}

/// Says a problem in the form of RFC 9457, if the response has one and it `is_wanted`.
pub fn tell<B>(response: &mut Response<B>, is_wanted: bool, body: impl FnOnce(String) -> B) {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return };
    response.headers_mut().append(VARY, HeaderValue::from_static("accept"));
    if is_wanted {
        let text = problem.text(response.status());
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = body(text);
    }
}

/// Whether `Accept` names `application/problem+json`, and does not like plain JSON better (RFC 9110 §12.5.1).
#[must_use]
pub fn is_wanted(headers: &HeaderMap) -> bool {
    let (mut problem, mut plain) = (0.0, (0, 0.0));
    for value in headers.get_all(ACCEPT) {
        // What hardly anybody sends need not be understood for everybody.
        if !value.as_bytes().contains(&b'+') {
            continue;
        }
        for range in value.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let Some(quality) = quality(parts) else { continue };
            let is = |name: &str| kind.eq_ignore_ascii_case(name);
            let precedence = match () {
                () if is("application/problem+json") => {
                    problem = quality;
                    continue;
                }
                () if is("application/json") => 3,
                () if is("application/*") => 2,
                () if is("*/*") => 1,
                () => continue,
            };
            if precedence >= plain.0 {
                plain = (precedence, quality);
            }
        }
    }
    problem > 0.0 && problem >= plain.1
}

/// The weight of a media range, 0 to 1; none if it is none.
fn quality<'a>(mut parameters: impl Iterator<Item = &'a str>) -> Option<f32> {
    let weight = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let Some(weight) = weight else { return Some(1.0) };
    weight.parse().ok().filter(|weight| (0.0..=1.0).contains(weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(accept: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, HeaderValue::from_str(value).unwrap());
        }
        is_wanted(&headers)
    }

    #[test]
    fn problem_json_is_for_those_who_name_it_and_like_it_no_less() {
        for accept in [
            "application/problem+json",
            "Application/Problem+JSON",
            "application/json, application/problem+json",
            "application/problem+json;q=0.9, */*;q=0.1",
            "application/problem+json; q=0.2, text/html",
            "application/json;q=0, application/problem+json;q=0.1, */*",
        ] {
            assert!(wants(&[accept]), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/*",
            "application/json",
            "application/xhtml+xml, text/html",
            "application/problem+xml",
            "application/problem+json;q=0",
            "application/problem+json;q=0.5, application/json",
            "application/problem+json;q=0.5, */*;q=0.8",
            "application/problem+json;q=2",
            "application/problem+json;q=much",
        ] {
            assert!(!wants(&[accept]), "{accept}");
        }
        assert!(!wants(&[]));
        assert!(wants(&["application/json", "application/problem+json"]));
    }

    #[test]
    fn a_limit_is_named_as_the_fields_name_it() {
        let quota: Quota = "10/minute".parse().unwrap();
        let mut response = Response::builder().status(429).body(String::new()).unwrap();
        response.extensions_mut().insert(Problem::QuotaExceeded(quota));
        tell(&mut response, true, |text| text);
        let problem: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(problem["violated-policies"], json!(["minute"]));
        assert_eq!(problem["detail"], "Rate limit exceeded: 10 per 1 minute");
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
    }
}
