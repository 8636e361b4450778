//! All flags made ready for evaluation.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::operator::Test;
use super::{Environment, Flag, Serve};
use crate::rollout::Seed;

/// A flag as it is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    pub key: String,
    pub flag: Arc<Flag>,
    pub seed: Seed,
    /// Grows with every change.
    pub version: u64,
    /// Who made this version, why, and when (milliseconds since 1970).
    pub by: String,
    pub reason: String,
    pub at_ms: u64,
}

/// The flags of a moment. It does not change: a change makes another one.
#[derive(Clone, Debug)]
pub struct Snapshot {
    entries: Vec<Entry>,
    by_key: HashMap<String, usize, foldhash::fast::RandomState>,
    environment: Environment,
}

/// A flag as it is kept, and made ready.
#[derive(Clone, Debug)]
pub struct Entry {
    pub kept: Kept,
    pub(super) ready: Ready,
}

/// Names are positions here.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub standing: Standing,
    /// In the order of their names.
    pub variants: Vec<(String, Value)>,
    pub off: usize,
    /// Position of the other flag, and of the variant that it must evaluate to; none if there is no such thing.
    pub prerequisites: Vec<Option<(usize, usize)>>,
    pub rules: Vec<ReadyRule>,
    pub otherwise: Choice,
    /// Stands for a variant that is not there.
    pub nothing: (String, Value),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Standing {
    On,
    Off,
    Elsewhere(Environment),
}

#[derive(Clone, Debug)]
pub(super) struct ReadyRule {
    pub tests: Vec<Test>,
    pub choice: Choice,
}

/// Positions of variants.
#[derive(Clone, Debug)]
pub(super) enum Choice {
    One(usize),
    /// Where each range of buckets ends, rising to 10,000, and whose it is.
    Split(Vec<(u16, usize)>),
}

impl Snapshot {
    /// Makes flags ready for an environment.
    #[must_use]
    pub fn new(mut kept: Vec<Kept>, environment: Environment) -> Self {
        kept.sort_by(|a, b| a.key.cmp(&b.key));
        let by_key: HashMap<_, _, _> =
            kept.iter().zip(0..).map(|(kept, at)| (kept.key.clone(), at)).collect();
        let flags: Vec<_> = kept.iter().map(|kept| Arc::clone(&kept.flag)).collect();
        let position = |needed: &super::Prerequisite| {
            let other = *by_key.get(&needed.flag)?;
            let variant = flags.get(other)?.variants.keys().position(|name| *name == needed.variant)?;
            Some((other, variant))
        };
        let entries = kept
            .into_iter()
            .map(|kept| {
                let ready = Ready::new(&kept.flag, environment, position);
                Entry { kept, ready }
            })
            .collect();
        Self { entries, by_key, environment }
    }

    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The position of a flag.
    #[must_use]
    pub fn position(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// A flag as it is kept.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Kept> {
        self.entries.get(self.position(key)?).map(|entry| &entry.kept)
    }

    #[must_use]
    pub fn environment(&self) -> Environment {
        self.environment
    }
}

impl Ready {
    fn new(
        flag: &Flag,
        environment: Environment,
        position: impl Fn(&super::Prerequisite) -> Option<(usize, usize)>,
    ) -> Self {
        let off = place(flag, &flag.off_variant).unwrap_or(usize::MAX);
        let rule = |rule: &super::Rule| ReadyRule {
            tests: rule.conditions.iter().map(Test::new).collect(),
            choice: choice(flag, &rule.serve, off),
        };
        Self {
            standing: match flag.on {
                false => Standing::Off,
                true if !flag.environments.contains(&environment) => Standing::Elsewhere(environment),
                true => Standing::On,
            },
            variants: flag.variants.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            off,
            prerequisites: flag.prerequisites.iter().map(position).collect(),
            rules: flag.rules.iter().map(rule).collect(),
            otherwise: choice(flag, &flag.otherwise, off),
            nothing: (String::new(), Value::Null),
        }
    }
}

fn place(flag: &Flag, variant: &str) -> Option<usize> {
    flag.variants.keys().position(|name| name == variant)
}

/// Ranges lie in the order of the variants' names, however a split is written. So whoever has a variant keeps it
/// while no other variant's share rises.
fn choice(flag: &Flag, serve: &Serve, off: usize) -> Choice {
    let portions = match serve {
        Serve::Variant(name) => return Choice::One(place(flag, name).unwrap_or(off)),
        Serve::Split(portions) => portions,
    };
    let shared = |at: usize, name: &String| {
        let of = portions.iter().filter(|portion| portion.variant == *name);
        (at, of.map(|portion| portion.percent.basis_points()).fold(0, u16::saturating_add))
    };
    let shares: Vec<_> = flag.variants.keys().enumerate().map(|(at, name)| shared(at, name)).collect();
    let mut given: Vec<_> = shares.into_iter().filter(|(_, points)| *points > 0).collect();
    if let [(only, _)] = given[..] {
        return Choice::One(only);
    }
    let mut end = 0_u16;
    for (_, points) in &mut given {
        end = end.saturating_add(*points);
        *points = end;
    }
    Choice::Split(given.into_iter().map(|(at, end)| (end, at)).collect())
}
