//! The limits of a route, and what becomes of requests over them.

use rad_resilience::Policy;

use super::super::LimitWaitSettings;
use super::super::file;
use super::super::read::Problems;

/// The limits of a route that names none: SPEC'd defaults of the product.
const DEFAULT_LIMITS: [&str; 2] = ["200/minute", "1000/hour"];
/// How many requests of a route wait for their turn, if the route says not how many.
const LIMIT_WAITING: u32 = 100;

/// The limits of a route; those of the product, if it names none.
pub fn policy(key: &str, route: &file::Route, problems: &mut Problems) -> Option<Policy> {
    let defaults = || DEFAULT_LIMITS.iter().filter_map(|text| text.parse().ok()).collect();
    let limits = route.limits.clone().unwrap_or_else(defaults);
    if limits.is_empty() {
        for (name, is_set) in [
            ("strategy", route.strategy.is_some()),
            ("burst", route.burst.is_some()),
            ("shadow", route.shadow),
            ("limit_headers", route.limit_headers.is_some()),
            ("limit_wait", route.limit_wait.is_some()),
            ("limit_waiting", route.limit_waiting.is_some()),
        ] {
            if is_set {
                problems.add(format!("{key}.{name}"), "has nothing to say: limits is empty");
            }
        }
        return None;
    }
    let policy = Policy::new(route.strategy.unwrap_or_default(), &limits)
        .map_err(|wrong| problems.add(format!("{key}.limits"), bare(&wrong)))
        .ok()?;
    let policy = match route.burst {
        None => policy,
        Some(burst) => policy
            .with_burst(burst)
            .map_err(|wrong| problems.add(format!("{key}.burst"), bare(&wrong)))
            .ok()?,
    };
    if let Some(burst) = route.burst
        && let Some(narrow) = limits
            .iter()
            .filter(|quota| policy.capacity(**quota) < burst)
            .min_by_key(|quota| quota.requests())
    {
        let most = narrow.requests();
        problems.add(
            format!("{key}.burst"),
            format!("{burst} at once is more than {narrow} ever lets through; allowed: 1 to {most}"),
        );
    }
    Some(if route.shadow { policy.in_shadow() } else { policy })
}

/// Whether, and for how long, requests over the limits wait for their turn.
pub fn wait(
    key: &str,
    route: &file::Route,
    policy: Option<&Policy>,
    problems: &mut Problems,
) -> Option<LimitWaitSettings> {
    let Some(max_wait) = route.limit_wait else {
        if route.limit_waiting.is_some()
            && policy.is_some()
            && !problems.concern(&format!("{key}.limit_wait"))
        {
            problems.add(format!("{key}.limit_waiting"), "has nothing to say: limit_wait is not set");
        }
        return None;
    };
    if policy?.is_shadow() {
        problems.add(format!("{key}.limit_wait"), "has nothing to say: limits in shadow reject nothing");
        return None;
    }
    Some(LimitWaitSettings { max_wait, waiting: route.limit_waiting.unwrap_or(LIMIT_WAITING) as usize })
}

/// What is wrong, without the name of the setting: the key says it.
fn bare(wrong: &impl ToString) -> String {
    let wrong = wrong.to_string();
    wrong.split_once(": ").map_or(wrong.clone(), |(_, bare)| bare.to_owned())
}
