//! The registry as Prometheus scrapes it: as OpenMetrics for who asks for that, else in its older text format.

mod browsers;
mod core;
mod shadow;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use rad_resilience::{Clock, SystemClock};

use super::histogram::Counts;
use super::journal::Journal;
use super::registry::{Registry, SideTotals};
use crate::gateway::Plan;

/// Upper bounds of the duration buckets, microseconds.
const BOUNDS_US: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000, 30_000_000,
];

/// Renders the registry for a scrape.
#[derive(Debug)]
pub struct Exporter {
    registry: prometheus_client::registry::Registry,
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Exporter {
    #[must_use]
    pub fn new(plan: Arc<Plan>, registry: Arc<Registry>, journal: Arc<Journal>, clock: SystemClock) -> Self {
        let mut exported = prometheus_client::registry::Registry::with_prefix("rad");
        exported.register_collector(Box::new(Counters { plan, registry, journal, clock }));
        Self { registry: exported }
    }

    /// A scrape in the format that `Accept` asks for, with its `Content-Type`.
    ///
    /// # Errors
    /// None in practice: writing into a string does not fail.
    pub fn scrape(&self, accept: Option<&str>) -> Result<(&'static str, String), fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(match accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
            true => (OPEN_METRICS, text),
            false => (CLASSIC, classic(&text)),
        })
    }
}

/// In the older format a counter's name ends with `_total` where it is described, too, and nothing marks the
/// end.
fn classic(open_metrics: &str) -> String {
    let lines: Vec<_> = open_metrics.lines().collect();
    let mut text = String::with_capacity(open_metrics.len() + 1_024);
    for (at, line) in lines.iter().enumerate() {
        let described = |line: &str| -> Option<bool> {
            Some(line.strip_prefix("# TYPE ")?.split_once(' ')?.1 == "counter")
        };
        // HELP is followed by TYPE.
        let is_counter =
            [Some(line), lines.get(at + 1)].into_iter().flatten().find_map(|line| described(line));
        match line.strip_prefix("# ").and_then(|rest| rest.split_once(' ')) {
            None if *line == "# EOF" => continue,
            Some((word @ ("HELP" | "TYPE"), rest)) if is_counter == Some(true) => {
                let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                text.extend(["# ", word, " ", name, "_total ", rest]);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[derive(Debug)]
struct Counters {
    plan: Arc<Plan>,
    registry: Arc<Registry>,
    journal: Arc<Journal>,
    clock: SystemClock,
}

impl Collector for Counters {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let totals = self.registry.totals();
        let snapshot = self.journal.snapshot();
        let topology = &snapshot.topology;

        let mut requests = encoder.encode_descriptor(
            "requests",
            "Requests by route and by how they ended",
            None,
            MetricType::Counter,
        )?;
        for (route, now) in topology.routes.iter().zip(&totals.routes) {
            let outcomes = [
                ("answered", now.answered),
                ("limited", now.limited.saturating_sub(now.blocked)),
                ("blocked", now.blocked),
                ("shed", now.shed),
                ("short_circuited", now.short_circuited),
                ("failed", now.failed),
                ("abandoned", now.abandoned),
            ];
            for (outcome, count) in outcomes {
                family(
                    &mut requests,
                    &[("route", &route.path), ("outcome", outcome)],
                    ConstCounter::new(count),
                )?;
            }
        }
        family(
            &mut requests,
            &[("route", ""), ("outcome", "unmatched")],
            ConstCounter::new(totals.unmatched),
        )?;

        let mut durations = encoder.encode_descriptor(
            "request_duration_seconds",
            "Time from the head of a request to the end of its answer, of answered and failed ones",
            None,
            MetricType::Histogram,
        )?;
        for (route, now) in topology.routes.iter().zip(&totals.routes) {
            family(&mut durations, &[("route", &route.path)], Durations(&now.durations))?;
        }

        let targets = || topology.breakers.iter().zip(&totals.targets);
        let mut counted = |name: &str, help: &str, value: fn(&super::registry::TargetTotals) -> u64| {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            targets().try_for_each(|(breaker, now)| {
                family(
                    &mut metric,
                    &[("breaker", &breaker.name), ("upstream", &breaker.upstream)],
                    ConstCounter::new(value(now)),
                )
            })
        };
        counted("target_requests", "Requests that reached a target", |target| target.requests)?;
        counted("target_failures", "Requests that failed at a target", |target| target.failed)?;
        counted("breaker_rejections", "Requests rejected by an open breaker", |target| target.rejected)?;

        let mut trips = encoder.encode_descriptor(
            "breaker_trips",
            "Times that a breaker opened",
            None,
            MetricType::Counter,
        )?;
        for (breaker, target) in topology.breakers.iter().zip(&self.plan.targets) {
            let labels = [("breaker", breaker.name.as_str()), ("upstream", &breaker.upstream)];
            family(&mut trips, &labels, ConstCounter::new(target.trips()))?;
        }

        let mut states = encoder.encode_descriptor(
            "breaker_state",
            "0 closed, 1 open, 2 half-open",
            None,
            MetricType::Gauge,
        )?;
        let moment = self.clock.now();
        for (at, breaker) in topology.breakers.iter().enumerate() {
            let labels = [("breaker", breaker.name.as_str()), ("upstream", &breaker.upstream)];
            let state = self.plan.breaker_tick(at, moment).state;
            family(&mut states, &labels, ConstGauge::new(state as i64))?;
        }
        let mut modes = encoder.encode_descriptor(
            "breaker_mode",
            "0 automatic, 1 forced open, 2 disabled, 3 metrics only",
            None,
            MetricType::Gauge,
        )?;
        for target in &self.plan.targets {
            let labels = [("breaker", target.name.as_str()), ("upstream", &target.upstream)];
            family(&mut modes, &labels, ConstGauge::new(target.breaker.mode() as i64))?;
        }
        let limiters =
            || self.plan.routes.iter().filter_map(|route| Some((route, route.limiter.as_ref()?.stats())));
        let mut keys = encoder.encode_descriptor(
            "limiter_keys",
            "Keys that a route's limits remember",
            None,
            MetricType::Gauge,
        )?;
        for (route, stats) in limiters() {
            family(&mut keys, &[("route", &route.path)], ConstGauge::new(signed(stats.keys)))?;
        }
        let mut most = encoder.encode_descriptor(
            "limiter_keys_max",
            "The most keys that a route's limits remember at a time",
            None,
            MetricType::Gauge,
        )?;
        for (route, stats) in limiters() {
            family(&mut most, &[("route", &route.path)], ConstGauge::new(signed(stats.max_keys)))?;
        }
        let mut evicted = encoder.encode_descriptor(
            "limiter_evictions",
            "Keys forgotten before their windows were whole, because there were too many",
            None,
            MetricType::Counter,
        )?;
        for (route, stats) in limiters() {
            family(&mut evicted, &[("route", &route.path)], ConstCounter::new(stats.evicted_total))?;
        }
        let blocked = encoder.encode_descriptor(
            "blocked_addresses",
            "Clients that are blocked",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(signed(self.plan.blocks.list.len())).encode(blocked)?;

        let mut shares = encoder.encode_descriptor(
            "rollout_candidate_ratio",
            "Share of traffic that goes to the candidate, 0 to 1",
            None,
            MetricType::Gauge,
        )?;
        for rollout in &self.plan.rollouts {
            let share = rollout.share().percent() / 100.0;
            family(&mut shares, &[("rollout", rollout.name())], ConstGauge::new(share))?;
        }

        let mut sides = |name: &str, help: &str, value: fn(&SideTotals) -> u64| {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            topology.rollouts.iter().zip(&totals.rollouts).try_for_each(|(rollout, [legacy, candidate])| {
                [("legacy", legacy), ("candidate", candidate)].into_iter().try_for_each(|(side, now)| {
                    family(
                        &mut metric,
                        &[("rollout", &rollout.name), ("side", side)],
                        ConstCounter::new(value(now)),
                    )
                })
            })
        };
        sides("rollout_requests", "Requests that reached a side of a rollout", |side| side.requests)?;
        sides("rollout_failures", "Requests that failed at a side of a rollout", |side| side.failed)?;

        let mut durations = encoder.encode_descriptor(
            "rollout_request_duration_seconds",
            "Time from the head of a request to the end of its answer, by side of a rollout",
            None,
            MetricType::Histogram,
        )?;
        for (rollout, sides) in topology.rollouts.iter().zip(&totals.rollouts) {
            for (side, now) in ["legacy", "candidate"].into_iter().zip(sides) {
                let labels = [("rollout", rollout.name.as_str()), ("side", side)];
                family(&mut durations, &labels, Durations(&now.durations))?;
            }
        }

        core::encode(&mut encoder, &self.plan, &totals)?;
        shadow::encode(&mut encoder, &self.plan)?;
        browsers::encode(&mut encoder, &topology.rollouts, self.registry.browsers())?;

        let mut build = encoder.encode_descriptor(
            "build_info",
            "Always 1; which version runs",
            None,
            MetricType::Gauge,
        )?;
        family(&mut build, &[("version", env!("CARGO_PKG_VERSION"))], ConstGauge::new(1_i64))?;
        let in_flight =
            encoder.encode_descriptor("requests_in_flight", "Requests under way", None, MetricType::Gauge)?;
        ConstGauge::new(totals.in_flight).encode(in_flight)?;
        let lost = encoder.encode_descriptor(
            "log_lines_lost",
            "Log lines thrown away because their reader was too slow",
            None,
            MetricType::Counter,
        )?;
        ConstCounter::new(totals.log_lines_lost).encode(lost)?;
        Ok(())
    }
}

fn family(metric: &mut MetricEncoder, labels: &[(&str, &str)], value: impl EncodeMetric) -> fmt::Result {
    value.encode(metric.encode_family(&labels)?)
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

struct Durations<'a>(&'a Counts);

impl EncodeMetric for Durations<'_> {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
        let mut below = 0;
        let mut buckets = Vec::with_capacity(BOUNDS_US.len() + 1);
        for bound in BOUNDS_US {
            let up_to = self.0.at_most(bound);
            buckets.push((seconds(bound), up_to - below));
            below = up_to;
        }
        let total = self.0.total();
        buckets.push((f64::INFINITY, total - below));
        encoder.encode_histogram::<NoLabelSet>(seconds(self.0.sum_us()), total, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

// Sums are far below 2^52 µs (140 years).
#[allow(clippy::cast_precision_loss)]
fn seconds(us: u64) -> f64 {
    us as f64 / 1_000_000.0
}
