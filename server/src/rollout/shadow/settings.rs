//! What an operator says about copies.

use std::time::Duration;

use http::Method;
use rad_model::Share;

use super::Rules;

/// How requests are copied.
#[derive(Clone, Debug)]
pub struct ShadowSettings {
    /// Of the requests that can be copied.
    pub share: Share,
    /// Requests whose copies are under way, on all workers together.
    pub max_in_flight: u32,
    /// On all workers together.
    pub requests_per_second: u32,
    /// For the copies of a request, and for the rest of its own answer.
    pub timeout: Duration,
    /// Bytes of each answer that are looked at.
    pub max_body: usize,
    pub methods: Vec<Method>,
    pub rules: Rules,
}

impl Default for ShadowSettings {
    fn default() -> Self {
        Self {
            share: Share::NONE,
            max_in_flight: 16,
            requests_per_second: 50,
            timeout: Duration::from_secs(5),
            max_body: 256 << 10,
            methods: Self::SAFE.to_vec(),
            rules: Rules::default(),
        }
    }
}

impl ShadowSettings {
    /// Copied by default: what changes nothing.
    pub const SAFE: [Method; 3] = [Method::GET, Method::HEAD, Method::OPTIONS];

    /// Whether requests with a body are copied, for which small bodies have to be kept.
    #[must_use]
    pub fn takes_bodies(&self) -> bool {
        self.methods.iter().any(has_body)
    }
}

/// Whether a body belongs to a method.
#[must_use]
pub fn has_body(method: &Method) -> bool {
    *method == Method::POST || *method == Method::PUT
}
