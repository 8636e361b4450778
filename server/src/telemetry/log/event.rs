//! What happened, as a log line.

use rad_model::EventKind;
use rad_model::event::OpenReason;

use super::{Level, Line, Log, Value};

impl Log {
    /// Writes what is also told to the dashboards. The counters of limits are logged request by request.
    pub fn event(&self, kind: &EventKind) {
        if self.is_off() {
            return;
        }
        let line = |level, event, fields: &[_]| self.line(&Line { level, event, fields });
        match kind {
            EventKind::Started { version } => {
                line(Level::Info, "started", &[("version", Value::Text(version))]);
            }
            EventKind::BreakerOpened { breaker, reason, open_for_ms } => {
                let reason = match reason {
                    OpenReason::ConsecutiveFailures(count) => format!("{count} failures in a row"),
                    OpenReason::FailureRate(rate) => format!("{} of {} calls failed", rate.count, rate.calls),
                    OpenReason::SlowCallRate(rate) => {
                        format!("{} of {} calls were slow", rate.count, rate.calls)
                    }
                    OpenReason::ProbeFailed => "a probe failed".to_owned(),
                    OpenReason::ProbeSlow => "a probe was slow".to_owned(),
                    OpenReason::HalfOpenTimeout => "the probes did not finish in time".to_owned(),
                };
                line(
                    Level::Error,
                    "circuit_breaker_open",
                    &[
                        ("breaker", Value::Text(breaker)),
                        ("reason", Value::Text(&reason)),
                        ("open_for_ms", Value::Count(*open_for_ms)),
                    ],
                );
            }
            EventKind::BreakerHalfOpen { breaker, after_ms } => line(
                Level::Warn,
                "circuit_breaker_half_open",
                &[("breaker", Value::Text(breaker)), ("after_ms", Value::Count(*after_ms))],
            ),
            EventKind::BreakerClosed { breaker, successes } => line(
                Level::Info,
                "circuit_breaker_closed",
                &[("breaker", Value::Text(breaker)), ("successes", Value::Count(u64::from(*successes)))],
            ),
            EventKind::BreakerReset { breaker, from, by, reason } => line(
                Level::Warn,
                "circuit_breaker_reset",
                &[
                    ("breaker", Value::Text(breaker)),
                    ("from", Value::Text(from.word())),
                    ("by", Value::Text(by)),
                    ("reason", Value::Text(reason)),
                ],
            ),
            EventKind::BreakerModeChanged { breaker, from, to, by, reason } => line(
                Level::Warn,
                "circuit_breaker_mode_changed",
                &[
                    ("breaker", Value::Text(breaker)),
                    ("from", Value::Text(from.word())),
                    ("to", Value::Text(to.word())),
                    ("by", Value::Text(by)),
                    ("reason", Value::Text(reason)),
                ],
            ),
            EventKind::RolloutChanged { rollout, from, to, phase, by, reason } => line(
                Level::Warn,
                "rollout_changed",
                &[
                    ("rollout", Value::Text(rollout)),
                    ("from_percent", Value::Display(from)),
                    ("to_percent", Value::Display(to)),
                    ("phase", Value::Text(phase)),
                    ("by", Value::Text(by)),
                    ("reason", Value::Text(reason)),
                ],
            ),
            EventKind::ShadowChanged { rollout, from, to, by, reason } => line(
                Level::Info,
                "rollout_shadow_changed",
                &[
                    ("rollout", Value::Text(rollout)),
                    ("from_percent", Value::Display(from)),
                    ("to_percent", Value::Display(to)),
                    ("by", Value::Text(by)),
                    ("reason", Value::Text(reason)),
                ],
            ),
            EventKind::ShadowReset { rollout, by, reason } => line(
                Level::Info,
                "rollout_shadow_reset",
                &[
                    ("rollout", Value::Text(rollout)),
                    ("by", Value::Text(by)),
                    ("reason", Value::Text(reason)),
                ],
            ),
            EventKind::AddressBlocked { address, for_ms, by, reason } => {
                let time = ("for_ms", Value::Count(for_ms.unwrap_or_default()));
                let fields = [
                    ("address", Value::Text(address)),
                    ("by", Value::Text(by)),
                    ("reason", Value::Text(reason)),
                    time,
                ];
                // For good: without a time.
                let known = if for_ms.is_some() { &fields[..] } else { &fields[..3] };
                line(Level::Warn, "address_blocked", known);
            }
            EventKind::AddressUnblocked { address, by } => line(
                Level::Warn,
                "address_unblocked",
                &[("address", Value::Text(address)), ("by", Value::Text(by))],
            ),
            EventKind::KnobsTurned { upstream, knobs } => line(
                Level::Info,
                "sample_knobs_turned",
                &[
                    ("upstream", Value::Text(upstream)),
                    ("failure_share", Value::Display(&knobs.failure_share)),
                    ("latency_ms", Value::Count(u64::from(knobs.latency_ms))),
                ],
            ),
            EventKind::TrafficChanged { requests_per_second } => line(
                Level::Info,
                "sample_traffic_changed",
                &[("requests_per_second", Value::Count(u64::from(*requests_per_second)))],
            ),
            EventKind::MetricsReset => line(Level::Info, "metrics_reset", &[]),
            EventKind::LimitReached { .. } => {}
        }
    }
}
