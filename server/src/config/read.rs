//! Takes keys out of the tree, each by its kind, and notes everything that is wrong on the way.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Problem;
use super::tree::{Entries, Node, Origin, Value};

/// Everything that is wrong, and where each key stands.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<Problem>,
    origins: BTreeMap<String, Origin>,
}

impl Problems {
    /// Notes what is wrong with a key. Only the first thing counts: the others follow from it.
    pub fn add(&mut self, key: impl Into<String>, wrong: impl Into<String>) {
        let key = key.into();
        if !self.found.iter().any(|problem| problem.key == key) {
            let origin = self.origin(&key);
            self.found.push(Problem { origin, key, wrong: wrong.into() });
        }
    }

    /// Whether something is wrong with a key or with a part of it.
    #[must_use]
    pub fn concern(&self, key: &str) -> bool {
        self.found.iter().any(|problem| problem.key.starts_with(key))
    }

    /// All of them in the order of the file.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.found.sort_by(|a, b| a.origin.cmp(&b.origin));
        self.found
    }

    pub(super) fn stands(&mut self, key: &str, origin: &Origin) {
        self.origins.insert(key.to_owned(), origin.clone());
    }

    /// The place of a key, or of the nearest table around it.
    fn origin(&self, key: &str) -> Origin {
        let mut around = key;
        loop {
            if let Some(origin) = self.origins.get(around) {
                return origin.clone();
            }
            match around.rfind(['.', '[']) {
                Some(end) => around = &around[..end],
                None => return Origin::File,
            }
        }
    }
}

/// What a key holds.
pub struct Kind<T> {
    what: &'static str,
    how: Cow<'static, str>,
    read: Reading<T>,
    is_shown: bool,
}

type Reading<T> = Box<dyn Fn(&Value) -> Result<T, Wrong>>;

/// Why a value is not of a kind.
pub enum Wrong {
    Kind,
    Outside,
    Because(String),
}

impl<T> Kind<T> {
    /// `what` it is, with its article; `how` it is written and what is allowed.
    pub fn new(
        what: &'static str,
        how: impl Into<Cow<'static, str>>,
        read: impl Fn(&Value) -> Result<T, Wrong> + 'static,
    ) -> Self {
        Self { what, how: how.into(), read: Box::new(read), is_shown: true }
    }

    /// For what may hold a password: errors do not repeat it.
    pub fn hidden(self) -> Self {
        Self { is_shown: false, ..self }
    }

    fn read(&self, value: &Value) -> Result<T, String> {
        let shown = || match value {
            Value::Text(_) if !self.is_shown => "this text".to_owned(),
            value => value.to_string(),
        };
        (self.read)(value).map_err(|wrong| match wrong {
            Wrong::Kind => format!("{} is not {}; {}", shown(), self.what, self.how),
            Wrong::Outside => format!("{} is out of range; {}", shown(), self.how),
            Wrong::Because(why) => why,
        })
    }
}

/// A text that `parse` understands.
pub fn parsed<T>(
    what: &'static str,
    how: impl Into<Cow<'static, str>>,
    parse: impl Fn(&str) -> Option<T> + 'static,
) -> Kind<T> {
    Kind::new(what, how, move |value| match value {
        Value::Text(text) => parse(text).ok_or(Wrong::Kind),
        _ => Err(Wrong::Kind),
    })
}

pub fn text(how: &'static str) -> Kind<String> {
    parsed("a text", how, |text| Some(text.to_owned()))
}

/// A whole number; `note` explains the range, as in `0 (one per core) to 256`.
pub fn whole(range: RangeInclusive<u32>, note: Option<&'static str>) -> Kind<u32> {
    let allowed = note.map_or_else(|| format!("{} to {}", range.start(), range.end()).into(), Cow::Borrowed);
    Kind::new("a whole number", format!("allowed: {allowed}"), move |value| match value {
        Value::Integer(number) => {
            u32::try_from(*number).ok().filter(|number| range.contains(number)).ok_or(Wrong::Outside)
        }
        _ => Err(Wrong::Kind),
    })
}

/// A number for which `accept` finds a meaning.
pub fn number<T>(
    what: &'static str,
    how: &'static str,
    accept: impl Fn(f64) -> Option<T> + 'static,
) -> Kind<T> {
    Kind::new(what, how, move |value| match value {
        // Whole numbers here are small ones.
        #[allow(clippy::cast_precision_loss)]
        Value::Integer(number) => accept(*number as f64).ok_or(Wrong::Outside),
        Value::Float(number) => accept(*number).ok_or(Wrong::Outside),
        _ => Err(Wrong::Kind),
    })
}

pub fn duration(range: RangeInclusive<Duration>) -> Kind<Duration> {
    let [from, to] = [range.start(), range.end()].map(|end| humantime::format_duration(*end).to_string());
    let how = format!("write it with a unit, such as \"30s\" (allowed {from} to {to})");
    Kind::new("a duration", how, move |value| {
        let Value::Text(text) = value else { return Err(Wrong::Kind) };
        let duration = humantime::parse_duration(text).map_err(|_| Wrong::Kind)?;
        if range.contains(&duration) { Ok(duration) } else { Err(Wrong::Outside) }
    })
}

pub fn address() -> Kind<SocketAddr> {
    let how = "write IP:PORT, such as \"127.0.0.1:8080\" or \"[::1]:8080\"";
    parsed("an address to listen on", how, |text| text.parse().ok())
}

/// A table of which keys are taken one by one.
pub struct Table<'p> {
    key: String,
    entries: Entries,
    known: Vec<&'static str>,
    problems: &'p mut Problems,
}

impl<'p> Table<'p> {
    pub fn root(entries: Entries, problems: &'p mut Problems) -> Self {
        Self { key: String::new(), entries, known: Vec::new(), problems }
    }

    /// The name of this table in errors.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Renames it in errors, to what people know it by.
    pub fn call(&mut self, key: String) {
        let origin = self.problems.origin(&self.key);
        self.problems.stands(&key, &origin);
        self.key = key;
    }

    /// A text as it stands, if it is one; the key is still there afterwards.
    pub fn peek(&self, name: &str) -> Option<&str> {
        match &self.entries.get(name)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a key; nothing if it is absent, or wrong, which is noted.
    pub fn value<T>(&mut self, name: &'static str, kind: &Kind<T>) -> Option<T> {
        let (key, node) = self.take(name)?;
        self.read(key, &node, kind)
    }

    /// The value of a key that must be there.
    pub fn required<T>(&mut self, name: &'static str, kind: &Kind<T>) -> Option<T> {
        if !self.entries.contains_key(name) {
            self.is_missing(name, format_args!("{}; {}", kind.what, kind.how));
        }
        self.value(name, kind)
    }

    /// A list of values of one kind.
    pub fn list<T>(&mut self, name: &'static str, kind: &Kind<T>) -> Option<Vec<T>> {
        let (key, node) = self.take(name)?;
        let Value::List(items) = node.value else {
            let shown = if kind.is_shown { node.value.to_string() } else { "this".to_owned() };
            self.problems.add(
                key,
                format!("{shown} is not a list; write [...] with each item {}: {}", kind.what, kind.how),
            );
            return None;
        };
        let mut values = Vec::new();
        for (at, item) in items.iter().enumerate() {
            values.extend(self.read(format!("{key}[{at}]"), item, kind));
        }
        Some(values)
    }

    pub fn required_list<T>(&mut self, name: &'static str, kind: &Kind<T>) -> Option<Vec<T>> {
        if !self.entries.contains_key(name) {
            self.is_missing(name, format_args!("a list, each item {}: {}", kind.what, kind.how));
        }
        self.list(name, kind)
    }

    /// A table within this one.
    pub fn table<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Table<'_>) -> T) -> Option<T> {
        let (key, node) = self.take(name)?;
        self.within(key, node, format_args!("write [{name}] and its keys below, or {name} = {{ ... }}"), read)
    }

    /// A table of tables with names of their own.
    pub fn named<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&mut Table<'_>) -> T,
    ) -> Option<BTreeMap<String, T>> {
        let (key, node) = self.take(name)?;
        let how = format_args!("write [{name}.NAME] and its keys below");
        let Value::Table(entries) = node.value else {
            self.problems.add(key, format!("{} is not a table of tables; {how}", node.value));
            return None;
        };
        let mut tables = BTreeMap::new();
        for (own, node) in entries {
            let key = format!("{key}.{own}");
            self.problems.stands(&key, &node.origin);
            if let Some(table) = self.within(key, node, how, &read) {
                tables.insert(own, table);
            }
        }
        Some(tables)
    }

    /// A list of tables.
    pub fn tables<T>(&mut self, name: &'static str, read: impl Fn(&mut Table<'_>) -> T) -> Option<Vec<T>> {
        let (key, node) = self.take(name)?;
        let how = format_args!("write [[{name}]] and its keys below, once for each");
        let Value::List(items) = node.value else {
            self.problems.add(key, format!("{} is not a list of tables; {how}", node.value));
            return None;
        };
        let mut tables = Vec::new();
        for (at, node) in items.into_iter().enumerate() {
            let key = format!("{key}[{at}]");
            self.problems.stands(&key, &node.origin);
            tables.extend(self.within(key, node, how, &read));
        }
        Some(tables)
    }

    fn within<T>(
        &mut self,
        key: String,
        node: Node,
        how: impl Display,
        read: impl FnOnce(&mut Table<'_>) -> T,
    ) -> Option<T> {
        let Value::Table(entries) = node.value else {
            self.problems.add(key, format!("{} is not a table; {how}", node.value));
            return None;
        };
        let mut table = Table { key, entries, known: Vec::new(), problems: &mut *self.problems };
        let read = read(&mut table);
        table.finish();
        Some(read)
    }

    /// Whatever has not been taken is unknown.
    pub fn finish(self) {
        for (name, node) in &self.entries {
            let key = self.key_of(name);
            self.problems.stands(&key, &node.origin);
            let known = self.known.join(", ");
            let meant = nearest(name, &self.known)
                .map_or_else(String::new, |meant| format!("did you mean {meant}? "));
            self.problems.add(key, format!("is no key; {meant}known: {known}"));
        }
    }

    fn take(&mut self, name: &'static str) -> Option<(String, Node)> {
        self.known.push(name);
        let node = self.entries.remove(name)?;
        let key = self.key_of(name);
        self.problems.stands(&key, &node.origin);
        Some((key, node))
    }

    fn read<T>(&mut self, key: String, node: &Node, kind: &Kind<T>) -> Option<T> {
        // An item of a list from the environment has no line of its own.
        if node.origin != Origin::File {
            self.problems.stands(&key, &node.origin);
        }
        kind.read(&node.value).map_err(|wrong| self.problems.add(key, wrong)).ok()
    }

    fn is_missing(&mut self, name: &str, wanted: impl Display) {
        self.problems.add(self.key_of(name), format!("is missing; it is {wanted}"));
    }

    fn key_of(&self, name: &str) -> String {
        if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) }
    }
}

/// The name that was probably meant.
pub fn nearest<'n>(written: &str, known: &[&'n str]) -> Option<&'n str> {
    let distance = |name: &&'n str| strsim::damerau_levenshtein(written, name);
    known
        .iter()
        .min_by_key(|name| distance(name))
        .filter(|name| distance(name) <= 1 + name.len() / 4)
        .copied()
}
