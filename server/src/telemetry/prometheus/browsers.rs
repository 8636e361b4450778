//! What browsers of pages outside tell.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use rad_model::RolloutInfo;

use super::{family, seconds};
use crate::telemetry::browsers::{BOUNDS_MS, Browsers, Calls, Tally};

pub(super) fn encode(
    encoder: &mut DescriptorEncoder<'_>,
    rollouts: &[RolloutInfo],
    browsers: &Browsers,
) -> Result<(), fmt::Error> {
    let tallies: Vec<_> = rollouts
        .iter()
        .enumerate()
        .map(|(at, rollout)| (rollout.name.as_str(), browsers.tally(at)))
        .collect();
    let mut requests = encoder.encode_descriptor(
        "client_requests",
        "Calls of browsers outside, as they tell, by side of a rollout and by how they ended",
        None,
        MetricType::Counter,
    )?;
    for (rollout, side, calls) in sides(&tallies) {
        for (outcome, count) in calls.outcomes() {
            let labels = [("rollout", rollout), ("side", side), ("outcome", outcome)];
            family(&mut requests, &labels, ConstCounter::new(count))?;
        }
    }
    let mut durations = encoder.encode_descriptor(
        "client_request_duration_seconds",
        "Time to the head of the answers that browsers outside got, as they tell",
        None,
        MetricType::Histogram,
    )?;
    for (rollout, side, calls) in sides(&tallies) {
        family(&mut durations, &[("rollout", rollout), ("side", side)], Latency(calls))?;
    }
    let mut counted = |name: &str, help: &str, value: fn(&Tally) -> u64| {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        tallies.iter().try_for_each(|(rollout, tally)| {
            family(&mut metric, &[("rollout", *rollout)], ConstCounter::new(value(tally)))
        })
    };
    counted(
        "client_fallbacks",
        "Calls that failed at the candidate and were made again at legacy, as browsers tell",
        |tally| tally.told.fallbacks,
    )?;
    counted("client_reports", "Reports of browsers outside", |tally| tally.reports)
}

fn sides<'a>(tallies: &'a [(&'a str, Tally)]) -> impl Iterator<Item = (&'a str, &'static str, &'a Calls)> {
    tallies.iter().flat_map(|(rollout, tally)| {
        [(*rollout, "legacy", &tally.told.legacy), (*rollout, "candidate", &tally.told.candidate)]
    })
}

struct Latency<'a>(&'a Calls);

impl EncodeMetric for Latency<'_> {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
        let bounds = BOUNDS_MS.iter().map(|ms| seconds(ms * 1_000)).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(self.0.latency).collect();
        encoder.encode_histogram::<NoLabelSet>(seconds(self.0.sum_ms * 1_000), self.0.total(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
