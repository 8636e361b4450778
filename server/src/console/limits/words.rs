//! A limit in words.

use rad_model::Quota;
use rad_model::format::{bytes, count, length};
use rad_model::metrics::{RejectedKey, RouteLimits};

/// So many of those that were rejected are named.
const NAMED: usize = 5;

/// What the policy is, in a sentence.
pub fn says(limit: &RouteLimits) -> String {
    let quotas: Vec<_> = limit.limits.iter().map(ToString::to_string).collect();
    let whom = match limit.key.as_str() {
        "client" => "each client address".to_owned(),
        "org" => "each organisation".to_owned(),
        "global" => "everybody together".to_owned(),
        "route" => "the route as a whole".to_owned(),
        key => format!("each {key}"),
    };
    let burst = match (limit.strategy.as_str(), limit.burst) {
        // Its gauge is full until then, and empty afterwards.
        ("leaky_bucket", _) => one_at_a_time(limit),
        (_, Some(burst)) => format!(", at most {burst} at once"),
        (_, None) => String::new(),
    };
    let strategy = limit.strategy.replace('_', " ");
    let shadow = if limit.shadow { " It only counts; nobody is rejected." } else { "" };
    format!("{} for {whom}, by {strategy}{burst}.{shadow}", quotas.join(" and "))
}

/// How far apart a leaky bucket keeps requests.
fn one_at_a_time(limit: &RouteLimits) -> String {
    let apart = limit
        .limits
        .iter()
        .map(|quota| u64::from(quota.window_s()) * 1_000 / u64::from(quota.requests().max(1)));
    let apart = apart.max().unwrap_or_default();
    if apart < 100 { ", one after the other".to_owned() } else { format!(", one every {}", length(apart)) }
}

/// `190 of 200/minute`.
pub fn used(used: u32, capacity: u32, limit: Quota) -> String {
    let used = count(used.into());
    if capacity == limit.requests() {
        format!("{used} of {limit}")
    } else {
        format!("{used} of {} at once, {limit}", count(capacity.into()))
    }
}

pub fn counts(limit: &RouteLimits) -> String {
    let rejected = if limit.shadow {
        format!("Would have rejected {}", count(limit.shadow_rejected))
    } else {
        format!("Rejected {}", count(limit.rejected))
    };
    let waited = match (limit.limit_waited, limit.limit_waiting) {
        (0, 0) => String::new(),
        (waited, waiting) => {
            format!(" {} waited for their turn, {} wait now.", count(waited), count(waiting))
        }
    };
    let forgotten = match limit.evicted {
        0 => String::new(),
        forgotten => format!(" {} were forgotten early, for want of room.", count(forgotten)),
    };
    let blocked = match limit.blocked {
        0 => String::new(),
        blocked => format!(" {} more came from blocked clients.", count(blocked)),
    };
    let whom: Vec<_> = (limit.most_rejected.iter().take(NAMED))
        .map(|RejectedKey { key, rejected }| format!("{key} ({})", count(*rejected)))
        .collect();
    let whom = match (whom.as_slice(), limit.most_rejected.len().saturating_sub(NAMED)) {
        ([], _) => String::new(),
        (named, 0) => format!(" In the last minute: {}.", named.join(", ")),
        (named, more) => format!(" In the last minute: {} and {more} more.", named.join(", ")),
    };
    format!(
        "{rejected} since the start.{whom}{blocked}{waited} Remembers {} of at most {} keys in {}.{forgotten}",
        count(limit.keys),
        count(limit.max_keys),
        bytes(limit.memory_bytes)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> RouteLimits {
        RouteLimits {
            path: "/search".to_owned(),
            limits: vec!["200/minute".parse().unwrap(), "1000/hour".parse().unwrap()],
            key: "client".to_owned(),
            strategy: "token_bucket".to_owned(),
            rejected: 1_200,
            keys: 14,
            max_keys: 100_000,
            memory_bytes: 2_500,
            ..RouteLimits::default()
        }
    }

    #[test]
    fn a_policy_is_told_in_a_sentence() {
        assert_eq!(says(&limit()), "200/minute and 1000/hour for each client address, by token bucket.");
        let shadow = RouteLimits { shadow: true, burst: Some(20), ..limit() };
        assert_eq!(
            says(&shadow),
            "200/minute and 1000/hour for each client address, by token bucket, at most 20 at once. \
             It only counts; nobody is rejected."
        );
        let leaky = |limits: &[&str]| RouteLimits {
            strategy: "leaky_bucket".to_owned(),
            burst: Some(1),
            limits: limits.iter().map(|quota| quota.parse().unwrap()).collect(),
            ..limit()
        };
        assert_eq!(
            says(&leaky(&["60/minute"])),
            "60/minute for each client address, by leaky bucket, one every 1 s."
        );
        assert!(says(&leaky(&["200/minute", "1000/hour"])).ends_with(", one every 3.6 s."));
        assert!(says(&leaky(&["6000/minute"])).ends_with(", one after the other."));
    }

    #[test]
    fn a_burst_shows_beside_its_window() {
        let limit = "200/minute".parse().unwrap();
        assert_eq!(used(19, 200, limit), "19 of 200/minute");
        assert_eq!(used(19, 20, limit), "19 of 20 at once, 200/minute");
    }

    #[test]
    fn counts_say_what_shadow_would_have_done_and_what_was_forgotten_early() {
        assert_eq!(
            counts(&limit()),
            "Rejected 1,200 since the start. Remembers 14 of at most 100,000 keys in 2.5 kB."
        );
        let key = |key: &str, rejected| RejectedKey { key: key.to_owned(), rejected };
        let most_rejected = vec![key("203.0.113.7", 1_100), key("acme", 1)];
        assert!(counts(&RouteLimits { most_rejected, blocked: 40, ..limit() }).starts_with(
            "Rejected 1,200 since the start. In the last minute: 203.0.113.7 (1,100), acme (1). \
                 40 more came from blocked clients. Remembers"
        ));
        let shadow = RouteLimits { shadow: true, shadow_rejected: 3, evicted: 7, ..limit() };
        assert!(counts(&shadow).starts_with("Would have rejected 3 since"));
        assert!(counts(&shadow).ends_with("7 were forgotten early, for want of room."));
    }
}
