//! Where requests go.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderValue;
use rad_resilience::Breaker;

use crate::config::{TargetSettings, UpstreamSettings};

#[derive(Debug)]
pub struct Upstream {
    pub name: String,
    /// Positions in [`Plan::targets`].
    pub targets: Range<usize>,
    pub timeout: Duration,
    pub connect_timeout: Duration,
    next: AtomicUsize,
}

#[derive(Debug)]
pub struct Target {
    /// The name of its breaker.
    pub name: String,
    pub upstream: String,
    pub host: String,
    pub port: u16,
    pub base: String,
    /// The `Host` header of requests to it.
    pub authority: HeaderValue,
    pub breaker: Breaker,
    pub(super) trips: AtomicU64,
}

impl Target {
    /// How often its breaker has opened.
    pub fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }
}

impl Upstream {
    /// An upstream as it is configured, whose targets come behind the others.
    pub(super) fn new(upstream: &UpstreamSettings, targets: &mut Vec<Target>) -> Self {
        let first = targets.len();
        for (at, TargetSettings { host, port, base }) in upstream.targets.iter().enumerate() {
            let name = if upstream.targets.len() == 1 {
                upstream.name.clone()
            } else {
                format!("{} {}", upstream.name, at + 1)
            };
            let authority = if *port == 80 { host.clone() } else { format!("{host}:{port}") };
            targets.push(Target {
                name,
                upstream: upstream.name.clone(),
                // Only an address in a URL wears brackets.
                host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
                port: *port,
                base: base.clone(),
                authority: HeaderValue::from_str(&authority).unwrap_or(HeaderValue::from_static("upstream")),
                breaker: Breaker::new(upstream.breaker),
                trips: AtomicU64::new(0),
            });
        }
        Self {
            name: upstream.name.clone(),
            targets: first..targets.len(),
            timeout: upstream.timeout,
            connect_timeout: upstream.connect_timeout,
            next: AtomicUsize::new(0),
        }
    }

    /// The positions of all targets: beginning with another one for each request, and for its further attempts
    /// with the one `after` the last. If those took their turns from the requests, of two targets the one that
    /// fails would be asked first each time.
    pub fn rotation(&self, after: Option<usize>) -> impl Iterator<Item = usize> + use<> {
        let Range { start, end } = self.targets.clone();
        let count = end - start;
        let first = match after {
            Some(target) => target.saturating_sub(start) + 1,
            None if count > 1 => self.next.fetch_add(1, Ordering::Relaxed) % count,
            None => 0,
        };
        (0..count).map(move |step| start + (first + step) % count)
    }
}
