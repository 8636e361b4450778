//! Flags in words, for the API and the page.

use serde::Serialize;
use serde_json::Value;

use crate::console::Console;
use crate::rollout::flags::{Environment, Flag, Kept, Prerequisite, Serve};
use crate::rollout::is_reserved;
use crate::storage::PastFlag;
use crate::telemetry::unix_ms;

/// So many changes are shown on the page.
const SHOWN: u32 = 12;

/// One flag in a list.
#[derive(Debug, Serialize)]
pub struct Summary {
    key: String,
    version: u64,
    description: String,
    kind: &'static str,
    on: bool,
    /// It is one of the program's own.
    is_own: bool,
    tone: &'static str,
    word: &'static str,
    /// What those get whom no rule matches.
    serves: String,
    /// In which environments it is evaluated.
    r#where: String,
    by: String,
    at_ms: u64,
    reason: String,
    /// When and by whom, in words.
    changed: String,
}

/// One flag in full.
#[derive(Debug, Serialize)]
pub struct Detail {
    #[serde(flatten)]
    summary: Summary,
    says: String,
    /// Where it is evaluated now.
    environment: Environment,
    needs: String,
    /// For tables: name, share and value of each variant; each rule; version, time, what, who and why of each change.
    variant_rows: Vec<[String; 3]>,
    rule_rows: Vec<[String; 1]>,
    history_rows: Vec<[String; 5]>,
    /// The variant whose share the page sets, and that share in percent; empty where there is none to set.
    shared: String,
    share: String,
    /// As it is put, for people to edit.
    text: String,
    flag: Flag,
}

pub fn list(console: &Console) -> Vec<Summary> {
    let now = console.flags.now();
    let environment = now.snapshot.environment();
    now.snapshot.entries().iter().map(|entry| summary(&entry.kept, environment)).collect()
}

fn summary(kept: &Kept, environment: Environment) -> Summary {
    let Kept { key, flag, version, by, reason, at_ms, .. } = kept;
    let is_here = flag.environments.contains(&environment);
    let (tone, word) = match (flag.on, is_here) {
        (false, _) => ("off", "off"),
        (true, false) => ("warn", "elsewhere"),
        (true, true) => ("ok", "on"),
    };
    Summary {
        key: key.clone(),
        version: *version,
        description: flag.description.clone(),
        kind: flag.kind().word(),
        on: flag.on,
        is_own: is_reserved(key),
        tone,
        word,
        serves: serves(flag, environment),
        r#where: places(flag),
        by: by.clone(),
        at_ms: *at_ms,
        reason: reason.clone(),
        changed: format!("{} ago by {by}", ago(*at_ms)),
    }
}

fn ago(at_ms: u64) -> String {
    const DAY_MS: u64 = 86_400_000;
    match unix_ms().saturating_sub(at_ms) {
        ms if ms < 2 * DAY_MS => app::format::age(ms),
        ms => format!("{} days", ms / DAY_MS),
    }
}

/// What everybody gets, but for those whom rules match.
fn serves(flag: &Flag, environment: Environment) -> String {
    if !flag.on || !flag.environments.contains(&environment) {
        return flag.off_variant.clone();
    }
    let served = flag.served(&flag.otherwise);
    match flag.rules.len() {
        0 => served,
        1 => format!("{served}; 1 rule"),
        rules => format!("{served}; {rules} rules"),
    }
}

fn places(flag: &Flag) -> String {
    if Environment::ALL.iter().all(|environment| flag.environments.contains(environment)) {
        return "everywhere".to_owned();
    }
    crate::rollout::flags::list(&flag.environments, "and")
}

/// Who gets what, as a sentence.
pub fn says(flag: &Flag, environment: Environment) -> String {
    let off = &flag.off_variant;
    if !flag.on {
        return format!("everybody gets {off}, because it is off.");
    }
    if !flag.environments.contains(&environment) {
        return format!(
            "everybody gets {off} here: this is {environment}, and it is for {} only.",
            places(flag)
        );
    }
    let served = flag.served(&flag.otherwise);
    let who = if flag.rules.is_empty() { "everybody gets" } else { "whom no rule matches gets" };
    match &flag.otherwise {
        Serve::Variant(_) => format!("{who} {served}."),
        Serve::Split(_) => format!("{who} one of {served}."),
    }
}

/// One flag as its page shows it; none if there is no such flag. It blocks: its past is on the disk.
pub fn detail(console: &Console, key: &str) -> Option<Detail> {
    let (kept, environment) = {
        let now = console.flags.now();
        (now.snapshot.get(key)?.clone(), now.snapshot.environment())
    };
    let past = console.flags.history(key, SHOWN).unwrap_or_default();
    let flag = &kept.flag;
    let shared = shown_variant(flag).filter(|_| flag.variants.len() > 1).unwrap_or_default();
    let share = if shared.is_empty() { String::new() } else { flag.otherwise.share(&shared).to_string() };
    let needs: Vec<_> = flag
        .prerequisites
        .iter()
        .map(|Prerequisite { flag, variant }| format!("{flag} to be {variant}"))
        .collect();
    let sentence = says(flag, environment);
    Some(Detail {
        summary: summary(&kept, environment),
        says: sentence[..1].to_uppercase() + &sentence[1..],
        environment,
        needs: match needs.is_empty() {
            true => String::new(),
            false => format!("Needs {}; else everybody gets {}.", needs.join(" and "), flag.off_variant),
        },
        variant_rows: flag.variants.iter().map(|(name, value)| variant(flag, name, value)).collect(),
        rule_rows: flag.rules_in_words().into_iter().map(|rule| [rule]).collect(),
        history_rows: past.into_iter().map(told).collect(),
        shared,
        share,
        text: serde_json::to_string_pretty(&**flag).unwrap_or_default(),
        flag: Flag::clone(flag),
    })
}

fn variant(flag: &Flag, name: &str, value: &Value) -> [String; 3] {
    [name.to_owned(), format!("{} %", flag.otherwise.share(name)), value.to_string()]
}

fn told(past: PastFlag) -> [String; 5] {
    let PastFlag { version, at_ms, what, by, reason, .. } = past;
    [version.to_string(), format!("{} ago", ago(at_ms)), what, by, reason]
}

/// The variant whose share is meant where none is named: of a boolean flag the one that is true.
pub fn shown_variant(flag: &Flag) -> Option<String> {
    let mut on = flag.variants.iter().filter(|(_, value)| **value == Value::Bool(true));
    let only = on.next().filter(|_| on.next().is_none());
    // Of two, whatever they are, the other share is what is left.
    let other = flag.variants.keys().find(|name| flag.variants.len() == 2 && **name != flag.off_variant);
    only.map(|(name, _)| name).or(other).cloned()
}
