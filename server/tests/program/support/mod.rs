//! What every test uses: [`Program`] runs the binary, [`Upstream`] is a server that can misbehave, and
//! [`get`] and [`send`] are clients.

mod account;
mod client;
mod program;
mod sides;
mod upstream;

use std::future::Future;
use std::time::Duration;

pub use account::{ADMIN, Browser, PASSWORD, with_login};
pub use client::{Answer, KeptAlive, delete, get, get_with, post_json, put_json, send};
pub use program::{Program, configuration, failing_start};
pub use sides::Sides;
pub use upstream::{Behaviour, Upstream};

/// Asks again until there is an answer; a test that waits for something says so by this.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        loop {
            pace.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    });
    waited.await.unwrap_or_else(|_| panic!("it did not happen within 20 s: {what}"))
}
