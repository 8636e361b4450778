//! Two upstreams and some traffic to see the program at work with, on loopback.

mod traffic;
mod upstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rad_model::{EventKind, Knobs, KnobsPatch, LabState};

use crate::telemetry::journal::Journal;

pub use traffic::{Traffic, run as run_traffic};
pub use upstream::serve;

/// How an upstream behaves until somebody turns its knobs.
const HEALTHY: Knobs = Knobs { failure_share: 0.0, latency_ms: 20 };

/// The knobs of a sample upstream, and how much it received.
#[derive(Debug)]
pub struct SampleUpstream {
    pub name: &'static str,
    failure_share: AtomicU64,
    latency_ms: AtomicU32,
    /// For clients.
    received: AtomicU64,
    /// Copies that the gateway marks as such, for which nobody waits.
    copies: AtomicU64,
}

impl SampleUpstream {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            failure_share: AtomicU64::new(HEALTHY.failure_share.to_bits()),
            latency_ms: AtomicU32::new(HEALTHY.latency_ms),
            received: AtomicU64::new(0),
            copies: AtomicU64::new(0),
        }
    }

    fn knobs(&self) -> Knobs {
        Knobs {
            failure_share: f64::from_bits(self.failure_share.load(Ordering::Relaxed)),
            latency_ms: self.latency_ms.load(Ordering::Relaxed),
        }
    }

    fn receive(&self, is_copy: bool) -> (Knobs, u64) {
        let [counted, other] =
            if is_copy { [&self.copies, &self.received] } else { [&self.received, &self.copies] };
        (self.knobs(), counted.fetch_add(1, Ordering::Relaxed) + other.load(Ordering::Relaxed))
    }
}

/// Everything that the Lab can turn.
#[derive(Debug)]
pub struct Lab {
    pub legacy: Arc<SampleUpstream>,
    pub candidate: Arc<SampleUpstream>,
    requests_per_second: Arc<AtomicU32>,
    journal: Arc<Journal>,
}

/// A knob was turned too far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfRange {
    #[error("failure_share must be a number from 0 to 1")]
    FailureShare,
    #[error("latency_ms must be 0 to {}", Knobs::MAX_LATENCY_MS)]
    Latency,
    #[error("requests_per_second must be 0 to {}", LabState::MAX_RATE)]
    Rate,
}

impl Lab {
    #[must_use]
    pub fn new(requests_per_second: u32, journal: Arc<Journal>) -> Self {
        Self {
            legacy: Arc::new(SampleUpstream::new("legacy")),
            candidate: Arc::new(SampleUpstream::new("candidate")),
            requests_per_second: Arc::new(AtomicU32::new(requests_per_second)),
            journal,
        }
    }

    #[must_use]
    pub fn state(&self) -> LabState {
        LabState {
            legacy: self.legacy.knobs(),
            candidate: self.candidate.knobs(),
            requests_per_second: self.requests_per_second.load(Ordering::Relaxed),
            legacy_received: self.legacy.received.load(Ordering::Relaxed),
            candidate_received: self.candidate.received.load(Ordering::Relaxed),
        }
    }

    /// How many requests a second the sample traffic sends; read anew all the time.
    #[must_use]
    pub fn rate(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.requests_per_second)
    }

    /// Turns some knobs of an upstream, all or none.
    ///
    /// # Errors
    /// If one would be out of its range.
    pub fn turn(&self, upstream: &SampleUpstream, patch: KnobsPatch) -> Result<(), OutOfRange> {
        let before = upstream.knobs();
        let knobs = Knobs {
            failure_share: patch.failure_share.unwrap_or(before.failure_share),
            latency_ms: patch.latency_ms.unwrap_or(before.latency_ms),
        };
        if !(0.0..=1.0).contains(&knobs.failure_share) {
            return Err(OutOfRange::FailureShare);
        }
        if knobs.latency_ms > Knobs::MAX_LATENCY_MS {
            return Err(OutOfRange::Latency);
        }
        if knobs != before {
            upstream.failure_share.store(knobs.failure_share.to_bits(), Ordering::Relaxed);
            upstream.latency_ms.store(knobs.latency_ms, Ordering::Relaxed);
            self.journal.event(EventKind::KnobsTurned { upstream: upstream.name.to_owned(), knobs });
        }
        Ok(())
    }

    /// Changes how much traffic is sent.
    ///
    /// # Errors
    /// If it is too much.
    pub fn set_rate(&self, requests_per_second: u32) -> Result<(), OutOfRange> {
        if requests_per_second > LabState::MAX_RATE {
            return Err(OutOfRange::Rate);
        }
        if self.requests_per_second.swap(requests_per_second, Ordering::Relaxed) != requests_per_second {
            self.journal.event(EventKind::TrafficChanged { requests_per_second });
        }
        Ok(())
    }
}
