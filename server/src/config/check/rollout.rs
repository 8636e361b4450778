//! Tables of a rollout that say nothing.

use super::super::file;
use super::super::read::Problems;

/// Notes tables that are there and turn nothing on: whoever wrote them expects something.
pub fn empty_tables(key: &str, rollout: &file::Rollout, problems: &mut Problems) {
    let overrides = rollout.overrides.as_ref();
    if overrides.is_some_and(|by| by.header.is_none() && by.cookie.is_none())
        && !problems.concern(&format!("{key}.override"))
    {
        problems.add(
            format!("{key}.override"),
            "names neither a header nor a cookie: say by what testers choose, as in header = \"X-Rad-Side\"",
        );
    }
    let latency = rollout.latency.as_ref();
    if latency.is_some_and(|guard| guard.at_most.is_none() && guard.no_slower_than.is_none())
        && !problems.concern(&format!("{key}.latency"))
    {
        problems.add(
            format!("{key}.latency"),
            "asks for nothing: write at_most = \"300ms\", no_slower_than = 1.2, or both",
        );
    }
}
