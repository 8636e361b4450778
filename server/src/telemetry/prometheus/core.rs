//! Queue, cache, retry and fallback.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::family;
use crate::gateway::Plan;
use crate::telemetry::registry::{RouteTotals, Totals};

pub(super) fn encode(
    encoder: &mut DescriptorEncoder<'_>,
    plan: &Plan,
    totals: &Totals,
) -> Result<(), fmt::Error> {
    let mut counted = |name: &str, help: &str, value: fn(&RouteTotals) -> u64| {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        plan.routes.iter().zip(&totals.routes).try_for_each(|(route, now)| {
            family(&mut metric, &[("route", &route.path)], ConstCounter::new(value(now)))
        })
    };
    counted("retries", "Attempts after the first", |route| route.retries)?;
    counted("shadow_rejections", "Requests that a limit in shadow mode would have rejected", |route| {
        route.shadow_rejected
    })?;
    counted("limit_waited", "Requests let in after they had waited for their turn at a limit", |route| {
        route.limit_waited
    })?;
    counted("hedges", "Attempts made because the one before was slow", |route| route.hedges)?;
    counted("hedge_wins", "Attempts of these that answered first", |route| route.hedge_wins)?;
    counted("fallbacks", "Requests answered by something else than their upstream", |route| route.fallbacks)?;
    counted("queue_rejections", "Requests that found the queue full, or waited too long", |route| {
        route.shed
    })?;

    let mut gauge = |name: &str, help: &str, value: fn(&rad_resilience::bulkhead::BulkheadFigures) -> i64| {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        plan.routes.iter().filter_map(|route| Some((route, route.queue.as_ref()?))).try_for_each(
            |(route, queue)| {
                let value = value(&queue.bulkhead.figures());
                family(&mut metric, &[("route", &route.path)], ConstGauge::new(value))
            },
        )
    };
    gauge("queue_in_flight", "Requests that hold a place", |queue| i64::from(queue.in_flight))?;
    gauge("queue_limit", "Places", |queue| i64::from(queue.limit))?;
    gauge("queue_waiting", "Requests that wait for a place", |queue| {
        i64::try_from(queue.waiting.iter().sum::<usize>()).unwrap_or(i64::MAX)
    })?;

    let figures = plan.cache.figures();
    let mut lookups = encoder.encode_descriptor(
        "cache_lookups",
        "Requests that asked the cache, by what they found",
        None,
        MetricType::Counter,
    )?;
    for (result, count) in [("hit", figures.hits), ("stale", figures.stale_hits), ("miss", figures.misses)] {
        family(&mut lookups, &[("result", result)], ConstCounter::new(count))?;
    }
    for (name, help, count) in [
        ("cache_coalesced", "Misses that another request's answer served", figures.coalesced),
        (
            "cache_passed",
            "Misses that had to ask for themselves, as the answer was not to be shared",
            figures.passed,
        ),
        ("cache_stale_on_error", "Old answers served because the upstream failed", figures.stale_on_error),
        ("cache_evictions", "Answers that left for want of room", figures.evictions),
    ] {
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(count).encode(metric)?;
    }
    let entries = encoder.encode_descriptor("cache_entries", "Answers kept", None, MetricType::Gauge)?;
    ConstGauge::new(i64::try_from(figures.entries).unwrap_or(i64::MAX)).encode(entries)?;
    let bytes = encoder.encode_descriptor("cache_bytes", "What they take", None, MetricType::Gauge)?;
    ConstGauge::new(i64::try_from(figures.bytes).unwrap_or(i64::MAX)).encode(bytes)
}
