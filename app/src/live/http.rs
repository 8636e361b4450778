//! The console's JSON API, as the page uses it.

use crate::json;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
#[cfg(feature = "hydrate")]
use wasm_bindgen::JsValue;

/// The error of a request that nobody answered.
pub const UNANSWERED: &str = "The server did not answer.";

/// Reads a resource; the error is a sentence for people.
pub async fn get<T: DeserializeOwned>(url: &str) -> Result<T, String> {
    understood(&ask("GET", url, None).await?)
}

/// Sends JSON and reads the answer; the error is a sentence for people.
pub async fn send<T: DeserializeOwned>(method: &str, url: &str, body: String) -> Result<T, String> {
    understood(&ask(method, url, Some(body)).await?)
}

/// Reads an answer; the error is a sentence for people.
pub fn understood<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    json::read(text).map_err(|error| format!("The answer was not understood: {error}."))
}

/// The text of an answer that says yes. Apart from what reads it, which is there once for each type.
pub async fn ask(method: &str, url: &str, body: Option<String>) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }

    let Answer { status, text, .. } = fetch(method, url, body, None).await.ok_or(UNANSWERED)?;
    #[cfg(feature = "hydrate")]
    if status == 401 {
        super::leave();
    }
    if (200..300).contains(&status) {
        return Ok(text);
    }
    let problem = json::read::<Problem>(&text).map(|problem| problem.detail);
    Err(problem.unwrap_or_else(|_| format!("The server answered {status}.")))
}

/// An answer, whatever it says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub status: u16,
    pub text: String,
    /// What the gateway says of its cache: `HIT`, `MISS`, …; empty if it did not ask it.
    pub cache: String,
    /// Requests that the limit still allows; empty if there is none.
    pub remaining: String,
    pub limit: String,
    /// Seconds; empty if it may be asked at once.
    pub retry_after: String,
    /// How old it is, seconds; empty if it is new.
    pub age: String,
}

/// Breaks a request off that it was given to.
#[derive(Clone, Debug)]
pub struct Abort(#[cfg(feature = "hydrate")] web_sys::AbortController);

impl Abort {
    /// None in a browser that cannot.
    #[must_use]
    pub fn new() -> Option<Self> {
        #[cfg(feature = "hydrate")]
        return web_sys::AbortController::new().ok().map(Self);
        #[cfg(not(feature = "hydrate"))]
        None
    }

    /// The request ends without an answer, unless it has one.
    pub fn abort(&self) {
        #[cfg(feature = "hydrate")]
        self.0.abort();
    }
}

/// Asks; none if nobody answered.
#[cfg(feature = "hydrate")]
pub async fn fetch(method: &str, url: &str, body: Option<String>, abort: Option<Abort>) -> Option<Answer> {
    fetched(method, url, body, abort).await.ok()
}

/// The server draws pages; it asks nobody.
#[cfg(not(feature = "hydrate"))]
#[allow(clippy::unused_async)] // as the browser's is
pub async fn fetch(_: &str, _: &str, _: Option<String>, _: Option<Abort>) -> Option<Answer> {
    None
}

#[cfg(feature = "hydrate")]
async fn fetched(
    method: &str,
    url: &str,
    body: Option<String>,
    abort: Option<Abort>,
) -> Result<Answer, JsValue> {
    use wasm_bindgen::JsCast;
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{Headers, RequestInit, Response};

    let headers = Headers::new()?;
    headers.set("accept", "application/json")?;
    let init = RequestInit::new();
    init.set_method(method);
    if let Some(body) = body {
        headers.set("content-type", "application/json")?;
        init.set_body(&body.into());
    }
    init.set_headers(&headers);
    init.set_signal(abort.map(|abort| abort.0.signal()).as_ref());
    let answer = JsFuture::from(leptos::prelude::window().fetch_with_str_and_init(url, &init)).await?;
    let answer: Response = answer.dyn_into()?;
    let text = JsFuture::from(answer.text()?).await?;
    let headers = answer.headers();
    let header = |name| headers.get(name).ok().flatten().unwrap_or_default();
    Ok(Answer {
        status: answer.status(),
        text: text.as_string().unwrap_or_default(),
        cache: header("x-cache"),
        remaining: header("x-ratelimit-remaining"),
        limit: header("x-ratelimit-limit"),
        retry_after: header("retry-after"),
        age: header("age"),
    })
}
