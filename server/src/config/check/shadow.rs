//! How requests are copied.

use super::super::read::Problems;
use crate::rollout::shadow::{Ignored, ShadowSettings};

/// Notes what would copy nothing, or ignore what is not looked at; `key` is that of the rollout.
pub fn check(key: &str, shadow: &ShadowSettings, problems: &mut Problems) {
    let key = format!("{key}.shadow");
    if shadow.methods.is_empty() && !problems.concern(&format!("{key}.methods")) {
        let wrong =
            "is empty: nothing would be copied; write [\"GET\"], or leave it out: GET, HEAD and OPTIONS";
        problems.add(format!("{key}.methods"), wrong);
    }
    if problems.concern(&format!("{key}.ignore")) || problems.concern(&format!("{key}.headers")) {
        return;
    }
    for (at, ignored) in shadow.rules.ignore.iter().enumerate() {
        let own = format!("{key}.ignore[{at}]");
        if shadow.rules.ignore[..at].contains(ignored) {
            problems.add(own, "stands twice; once is enough");
        } else if let Ignored::Header(name) = ignored
            && !shadow.rules.headers.hold(name)
        {
            problems.add(
                own,
                format!("changes nothing: headers does not hold \"{name}\", so it is not compared"),
            );
        }
    }
}
