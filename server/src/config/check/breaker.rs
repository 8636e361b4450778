//! When the breakers of an upstream open.

use rad_resilience::BreakerPolicy;

use super::super::file;
use super::super::read::Problems;

/// The breakers of an upstream; `key` is that of their table.
pub fn policy(key: &str, upstream: &file::Upstream, problems: &mut Problems) -> BreakerPolicy {
    slow_calls(key, upstream, problems);
    BreakerPolicy::new(upstream.breaker.settings).unwrap_or_else(|wrong| {
        let key = format!("{key}.{}", wrong.setting);
        problems.add(key, format!("{} is out of range; allowed: {}", wrong.value, wrong.allowed));
        BreakerPolicy::default()
    })
}

/// A share of slow calls means nothing without what makes a call slow, nor the other way round; and no call is
/// slower than it may be.
fn slow_calls(key: &str, upstream: &file::Upstream, problems: &mut Problems) {
    const RATE: &str = "slow_call_rate_threshold";
    const DURATION: &str = "slow_call_duration_threshold";
    let has_rate = upstream.breaker.settings.slow_call_rate_threshold.is_some();
    match upstream.breaker.slow_call_duration {
        None if has_rate && !problems.concern(&format!("{key}.{DURATION}")) => problems.add(
            format!("{key}.{DURATION}"),
            format!("is missing; {RATE} needs the time from which on a call is slow, such as \"2s\""),
        ),
        Some(_) if !has_rate && !problems.concern(&format!("{key}.{RATE}")) => problems.add(
            format!("{key}.{DURATION}"),
            format!("changes nothing: {RATE} is not set; write it, such as 50, or leave this out"),
        ),
        Some(slow) if slow > upstream.timeout => {
            let [slow, timeout] = [slow, upstream.timeout].map(humantime::format_duration);
            problems.add(
                format!("{key}.{DURATION}"),
                format!("{slow} is longer than any call may take: the upstream's timeout is {timeout}"),
            );
        }
        _ => {}
    }
}
