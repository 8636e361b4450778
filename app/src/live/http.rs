//! The console's JSON API, as the page uses it.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads a resource; the error is a sentence for people.
pub async fn get<T: DeserializeOwned>(url: &str) -> Result<T, String> {
    call("GET", url, None).await
}

/// Sends a body and reads the answer; the error is a sentence for people.
pub async fn send<B: Serialize, T: DeserializeOwned>(method: &str, url: &str, body: &B) -> Result<T, String> {
    let body = serde_json::to_string(body).map_err(|error| error.to_string())?;
    call(method, url, Some(body)).await
}

#[cfg(feature = "hydrate")]
async fn call<T: DeserializeOwned>(method: &str, url: &str, body: Option<String>) -> Result<T, String> {
    use gloo_net::http::{Method, RequestBuilder};

    #[derive(serde::Deserialize)]
    struct Problem {
        detail: String,
    }

    let method = method.parse().unwrap_or(Method::GET);
    let request = RequestBuilder::new(url).method(method).header("accept", "application/json");
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body),
        None => request.build(),
    };
    let unanswered = |_| "The server did not answer.".to_owned();
    let response = request.map_err(unanswered)?.send().await.map_err(unanswered)?;
    let text = response.text().await.map_err(unanswered)?;
    if response.ok() {
        return serde_json::from_str(&text)
            .map_err(|error| format!("The answer was not understood: {error}."));
    }
    let problem = serde_json::from_str::<Problem>(&text).map(|problem| problem.detail);
    Err(problem.unwrap_or_else(|_| format!("The server answered {}.", response.status())))
}

/// The server draws pages; it asks nobody.
#[cfg(not(feature = "hydrate"))]
async fn call<T: DeserializeOwned>(_method: &str, url: &str, _body: Option<String>) -> Result<T, String> {
    Err(format!("{url} is asked by browsers only."))
}
