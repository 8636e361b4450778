//! What a flag says to somebody, and why.

use serde::Serialize;
use serde_json::Value;

use super::check::MAX_DEPTH;
use super::ready::{Choice, Entry, Standing};
use super::{Attribute, Because, Context, Snapshot};

/// Why a value is what it is, in OpenFeature's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// Everybody gets it.
    Static,
    /// A rule matched.
    TargetingMatch,
    /// By chance, the same chance for the same key.
    Split,
    /// It is off, not for this environment, or a prerequisite is not met.
    Disabled,
    /// There are rules, and none matched.
    Default,
}

impl Reason {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Static => "STATIC",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Split => "SPLIT",
            Self::Disabled => "DISABLED",
            Self::Default => "DEFAULT",
        }
    }
}

/// Why there is no value, in OpenFeature's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    FlagNotFound,
    ParseError,
    TargetingKeyMissing,
    InvalidContext,
}

/// What somebody gets.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation<'f> {
    pub variant: &'f str,
    pub value: &'f Value,
    pub reason: Reason,
    pub because: Because<'f>,
}

/// Why somebody gets nothing: the attribute that the flag is split by is missing, or nothing to split by.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'f> {
    pub code: ErrorCode,
    pub because: Because<'f>,
}

impl Snapshot {
    /// Evaluates the flag at a position that is in this snapshot; `None` if there is none.
    #[must_use]
    pub fn evaluate(&self, at: usize, context: &dyn Context) -> Option<Result<Evaluation<'_>, Failure<'_>>> {
        let entry = self.entries().get(at)?;
        Some(self.decide(entry, context, 0).map(|(at, reason, because)| {
            let (variant, value) = entry.ready.variants.get(at).unwrap_or(&entry.ready.nothing);
            Evaluation { variant, value, reason, because }
        }))
    }

    fn decide<'f>(
        &'f self,
        entry: &'f Entry,
        context: &dyn Context,
        depth: usize,
    ) -> Result<(usize, Reason, Because<'f>), Failure<'f>> {
        let ready = &entry.ready;
        match ready.standing {
            Standing::On => {}
            Standing::Off => return Ok((ready.off, Reason::Disabled, Because::Off)),
            Standing::Elsewhere(environment) => {
                let because = Because::Elsewhere { environment, allowed: &entry.kept.flag.environments };
                return Ok((ready.off, Reason::Disabled, because));
            }
        }
        for (at, needed) in ready.prerequisites.iter().enumerate() {
            let found = needed.as_ref().filter(|_| depth < MAX_DEPTH).and_then(|(other, variant)| {
                let other = self.entries().get(*other)?;
                let found = self.decide(other, context, depth + 1).ok().map(|(found, ..)| found);
                Some((other, found, found == Some(*variant)))
            });
            if !matches!(found, Some((.., true))) {
                let found = found.and_then(|(other, found, _)| other.ready.variants.get(found?));
                let found = found.map(|(name, _)| name.as_str());
                return match entry.kept.flag.prerequisites.get(at) {
                    Some(needed) => {
                        Ok((ready.off, Reason::Disabled, Because::Prerequisite { needed, found }))
                    }
                    None => Ok((ready.off, Reason::Disabled, Because::Off)),
                };
            }
        }
        for (at, rule) in ready.rules.iter().enumerate() {
            if rule.tests.iter().all(|test| test.holds(context)) {
                let rule_number = Some(at);
                return entry.choose(&rule.choice, rule_number, context);
            }
        }
        entry.choose(&ready.otherwise, None, context)
    }
}

impl Entry {
    fn choose(
        &self,
        choice: &Choice,
        rule: Option<usize>,
        context: &dyn Context,
    ) -> Result<(usize, Reason, Because<'_>), Failure<'_>> {
        let flag = &*self.kept.flag;
        let matched = rule.and_then(|at| Some((at, flag.rules.get(at)?)));
        match choice {
            Choice::One(variant) => Ok(match matched {
                Some(rule) => (*variant, Reason::TargetingMatch, Because::Rule { rule, split: None }),
                None if flag.rules.is_empty() => (*variant, Reason::Static, Because::Everybody),
                None => (*variant, Reason::Default, Because::NoRule { split: None }),
            }),
            Choice::Split(ends) => {
                let bucket = self.bucket(context)?;
                // The last range ends above every bucket.
                let at = ends.partition_point(|(end, _)| *end <= bucket);
                let from = at.checked_sub(1).and_then(|before| ends.get(before)).map_or(0, |(end, _)| *end);
                let (to, variant) = ends.get(at).copied().unwrap_or((u16::MAX, self.ready.off));
                let split = super::words::Draw { by: &flag.bucket_by, bucket, from, to };
                let because = match matched {
                    Some(rule) => Because::Rule { rule, split: Some(split) },
                    None if flag.rules.is_empty() => Because::Split(split),
                    None => Because::NoRule { split: Some(split) },
                };
                Ok((variant, Reason::Split, because))
            }
        }
    }

    fn bucket(&self, context: &dyn Context) -> Result<u16, Failure<'_>> {
        let by = self.kept.flag.bucket_by.as_str();
        match context.get(by) {
            Some(Attribute::Text(text)) if !text.is_empty() => {
                Ok(self.kept.seed.hash(text.as_bytes()).bucket())
            }
            Some(Attribute::Number(number)) => {
                Ok(self.kept.seed.hash(number.to_string().as_bytes()).bucket())
            }
            None if by == super::TARGETING_KEY => {
                Err(Failure { code: ErrorCode::TargetingKeyMissing, because: Because::NoKey { by } })
            }
            None => Err(Failure { code: ErrorCode::InvalidContext, because: Because::NoKey { by } }),
            Some(_) => Err(Failure { code: ErrorCode::InvalidContext, because: Because::NotAKey { by } }),
        }
    }
}
