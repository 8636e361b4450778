//! How flags begin.

use std::collections::BTreeMap;

use super::super::read::Problems;
use super::super::{FlagSettings, file};
use crate::rollout::check_reserved;
use crate::rollout::flags::{Environment, Flag, Serve, Snapshot, check_key};

pub fn check(flags: BTreeMap<String, file::Flag>, problems: &mut Problems) -> Vec<FlagSettings> {
    let checked = flags.into_iter().map(|(key, flag)| {
        let at = format!("flags.{key}");
        let flag = begin(&at, flag, problems);
        if let Err(wrong) = check_key(&key) {
            problems.add(&at, wrong.detail);
        }
        let alone = Snapshot::new(Vec::new(), Environment::Development);
        for wrong in check_reserved(&key, &flag).into_iter().chain(flag.check(&key, &alone)) {
            // The file calls it by a shorter name.
            let field = if wrong.field == "off_variant" { "off" } else { &wrong.field };
            let at = if field == "key" { at.clone() } else { format!("{at}.{field}") };
            if !problems.concern(&at) {
                problems.add(at, wrong.detail);
            }
        }
        FlagSettings { key, flag }
    });
    checked.collect()
}

fn begin(at: &str, flag: file::Flag, problems: &mut Problems) -> Flag {
    let file::Flag { on, description, variants, default, off, percent, environments } = flag;
    let mut begun = Flag::switch(&description, on);
    begun.environments = environments.unwrap_or(begun.environments);
    let percent = match variants {
        None => percent,
        Some(variants) => {
            if default.is_none() {
                let detail = "is missing; it is the name of the variant that everybody gets";
                problems.add(format!("{at}.default"), detail);
            }
            if percent.is_some() {
                let detail = "is for flags without variants of their own: the share that finds it on";
                problems.add(format!("{at}.percent"), detail);
            }
            let first = variants.keys().next().cloned().unwrap_or_default();
            begun.off_variant = default.clone().unwrap_or_else(|| first.clone());
            begun.otherwise = Serve::Variant(first);
            begun.variants = variants;
            None
        }
    };
    begun.off_variant = off.unwrap_or(begun.off_variant);
    begun.otherwise = default.map_or(begun.otherwise, Serve::Variant);
    if let Some(share) = percent {
        let whole = Serve::Variant("on".to_owned());
        begun.otherwise = whole.shifted("on", share, "off").unwrap_or(whole);
    }
    begun
}
