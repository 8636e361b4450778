//! The console's JSON API, as the page uses it.

use crate::json;
use serde::de::DeserializeOwned;
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
#[cfg(feature = "hydrate")]
pub async fn ask(method: &str, url: &str, body: Option<String>) -> Result<String, String> {
    #[derive(serde::Deserialize)]
    struct Problem {
        detail: String,
    }

    let (status, text) = fetch(method, url, body).await.map_err(|_| UNANSWERED)?;
    if (200..300).contains(&status) {
        return Ok(text);
    }
    let problem = json::read::<Problem>(&text).map(|problem| problem.detail);
    Err(problem.unwrap_or_else(|_| format!("The server answered {status}.")))
}

/// The status and the text of an answer.
#[cfg(feature = "hydrate")]
async fn fetch(method: &str, url: &str, body: Option<String>) -> Result<(u16, String), JsValue> {
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
    let answer = JsFuture::from(leptos::prelude::window().fetch_with_str_and_init(url, &init)).await?;
    let answer: Response = answer.dyn_into()?;
    let text = JsFuture::from(answer.text()?).await?;
    Ok((answer.status(), text.as_string().unwrap_or_default()))
}

/// The server draws pages; it asks nobody.
#[cfg(not(feature = "hydrate"))]
pub async fn ask(_method: &str, url: &str, _body: Option<String>) -> Result<String, String> {
    Err(format!("{url} is asked by browsers only."))
}
