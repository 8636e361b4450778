//! What is laid over the file: a profile of it, and then the environment.

use toml::de::DeValue;

use super::read::{Problems, nearest};
use super::tree::{Entries, Node, Origin, Value, value_of};
use crate::rollout::flags::Environment;

/// For which surroundings the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    Development,
    Staging,
    Production,
}

impl Profile {
    const NAMES: [&str; 3] = ["development", "staging", "production"];

    fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl From<Profile> for Environment {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Development => Self::Development,
            Profile::Staging => Self::Staging,
            Profile::Production => Self::Production,
        }
    }
}

/// What is laid over a file.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    pub profile: Option<Profile>,
    /// `RAD_TABLE__KEY` and its value; others are left alone.
    pub variables: Vec<(String, String)>,
}

const PREFIX: &str = "RAD_";
/// Between the names of tables and keys.
const BETWEEN: &str = "__";
/// These hold secrets, which other keys name.
const SECRET: &str = "RAD_SECRET_";

impl Overlay {
    /// With the variables of the environment.
    #[must_use]
    pub fn from_environment(profile: Option<Profile>) -> Self {
        // What is no Unicode becomes a text that no key takes, so that it is told.
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        Self { profile, variables: variables.filter(|(name, _)| is_setting(name)).collect() }
    }

    pub(super) fn apply(&self, file: &mut Entries, problems: &mut Problems) {
        self.apply_profile(file, problems);
        for (name, value) in self.variables.iter().filter(|(name, _)| is_setting(name)) {
            let path: Vec<_> = name[PREFIX.len()..].split(BETWEEN).collect();
            let origin = Origin::Variable(name.clone());
            if path.iter().any(|part| part.is_empty()) || !set(file, &path, value, &origin) {
                problems.stands(name, &origin);
                problems.add(name, "leads to no key; write RAD_TABLE__KEY, such as RAD_CONSOLE__LISTEN");
            }
        }
    }

    fn apply_profile(&self, file: &mut Entries, problems: &mut Problems) {
        let Some(profiles) = file.remove("profile") else { return };
        problems.stands("profile", &profiles.origin);
        let Value::Table(profiles) = profiles.value else {
            problems.add("profile", format!("{} is not a table; write [profile.production]", profiles.value));
            return;
        };
        for (name, profile) in profiles {
            let key = format!("profile.{name}");
            problems.stands(&key, &profile.origin);
            match profile.value {
                _ if !Profile::NAMES.contains(&name.as_str()) => {
                    let meant =
                        nearest(&name, &Profile::NAMES).map(|meant| format!("did you mean {meant}? "));
                    let known = Profile::NAMES.join(", ");
                    problems.add(key, format!("is no profile; {}known: {known}", meant.unwrap_or_default()));
                }
                Value::Table(over) if self.profile.is_some_and(|chosen| chosen.name() == name) => {
                    merge(file, over);
                }
                Value::Table(_) => {}
                other => problems.add(key, format!("{other} is not a table; write [profile.{name}]")),
            }
        }
    }
}

fn is_setting(name: &str) -> bool {
    name.starts_with(PREFIX) && !name.starts_with(SECRET) && name.contains(BETWEEN)
}

/// Tables are merged key by key; anything else is replaced.
fn merge(under: &mut Entries, over: Entries) {
    for (key, node) in over {
        match (under.get_mut(&key).map(|node| &mut node.value), node.value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => drop(under.insert(key, Node { value, origin: node.origin })),
        }
    }
}

/// Whether the path leads somewhere. The name of a variable holds neither small letters nor `-` and `.`: it
/// means the key that is there already if one differs in these alone.
fn set(table: &mut Entries, path: &[&str], text: &str, origin: &Origin) -> bool {
    let Some((part, rest)) = path.split_first() else { return false };
    let plain = |name: &str| name.to_ascii_lowercase().replace(['-', '.'], "_");
    let known = table.keys().find(|key| plain(key) == plain(part)).cloned();
    let key = known.unwrap_or_else(|| part.to_ascii_lowercase());
    if rest.is_empty() {
        table.insert(key, Node { value: value(text), origin: origin.clone() });
        return true;
    }
    let empty = || Node { value: Value::Table(Entries::new()), origin: origin.clone() };
    match &mut table.entry(key).or_insert_with(empty).value {
        Value::Table(within) => set(within, rest, text, origin),
        Value::List(items) => {
            let item = rest[0].parse().ok().and_then(|at: usize| items.get_mut(at));
            match (item.map(|item| &mut item.value), &rest[1..]) {
                (Some(Value::Table(within)), rest) => set(within, rest, text, origin),
                _ => false,
            }
        }
        _ => false,
    }
}

/// A TOML value if it is one, else a text: `30` is a number, `30s` and `127.0.0.1:80` need no quotes.
fn value(text: &str) -> Value {
    match DeValue::parse(text).map(|value| value_of(value.into_inner(), &|_| Origin::File)) {
        Ok(Value::Other(_)) | Err(_) => Value::Text(text.to_owned()),
        Ok(value) => value,
    }
}
