//! Copied requests.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use super::family;
use crate::gateway::Plan;
use crate::rollout::shadow::Skipped;

pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, plan: &Plan) -> Result<(), fmt::Error> {
    let shadows = || plan.rollouts.iter().zip(&plan.shadows);
    let mut requests = encoder.encode_descriptor(
        "shadow_requests",
        "Requests drawn to be copied, by how the candidate's answer compares with the client's",
        None,
        MetricType::Counter,
    )?;
    for (rollout, shadow) in shadows() {
        let results = shadow.results();
        let skipped = results.skipped.iter().sum();
        for (result, count) in [
            ("equal", results.equal),
            ("different", results.different),
            ("failed", results.failed),
            ("skipped", skipped),
        ] {
            let labels = [("rollout", rollout.name()), ("result", result)];
            family(&mut requests, &labels, ConstCounter::new(count))?;
        }
    }
    let mut skips = encoder.encode_descriptor(
        "shadow_skipped",
        "Requests drawn to be copied and not compared, by reason",
        None,
        MetricType::Counter,
    )?;
    for (rollout, shadow) in shadows() {
        let skipped = shadow.results().skipped;
        for why in Skipped::ALL {
            let labels = [("rollout", rollout.name()), ("reason", why.word())];
            family(&mut skips, &labels, ConstCounter::new(skipped[why as usize]))?;
        }
    }
    Ok(())
}
