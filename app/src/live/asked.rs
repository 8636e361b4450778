//! What the API is asked for, again and again.

use std::any::Any;
use std::marker::PhantomData;

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::de::DeserializeOwned;

use super::{Live, http, poll, use_live};
use crate::initial::Answers;
use crate::settled::{Settled, settle};
use crate::signals::{flag, text};

type Value = Option<Box<dyn Any + Send + Sync>>;

/// A resource of the API as it was last told: in the first picture by the server, then asked for while the
/// page is seen. It stands still with the rest of a page that is paused.
#[derive(Debug)]
pub struct Asked<T> {
    source: Source,
    of: PhantomData<fn() -> T>,
}

impl<T> Copy for Asked<T> {}

impl<T> Clone for Asked<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Asked<T> {
    /// Asks for a path of the API from now on.
    #[must_use]
    pub fn new(path: &'static str) -> Self {
        let source = Source::new(path, |text| match http::understood::<T>(text) {
            Ok(value) => Some(Box::new(value)),
            Err(_) => None,
        });
        Self { source, of: PhantomData }
    }

    /// Asks at once, paused or not: something was changed.
    pub fn again(self) {
        self.source.ask();
    }

    /// What is to be said while it is not known, or not known to be so still.
    #[must_use]
    pub fn doubt(self) -> Settled {
        self.source.line()
    }

    /// What was told; none before the first answer.
    pub fn with<R>(self, read: impl FnOnce(Option<&T>) -> R) -> R {
        self.source.told.track();
        self.source.value.with_value(|value| read(value.as_ref().and_then(|value| value.downcast_ref())))
    }

    /// As [`Asked::read`], but following no change.
    pub fn peek<R: Default>(self, read: impl FnOnce(&T) -> R) -> R {
        let value = self.source.value;
        value.with_value(|value| value.as_ref()?.downcast_ref().map(read)).unwrap_or_default()
    }

    /// What is read of it; the empty value before the first answer.
    pub fn read<R: Default>(self, read: impl FnOnce(&T) -> R) -> R {
        self.with(|value| value.map(read).unwrap_or_default())
    }
}

/// The same without its type: all this is in the bundle once, whatever is asked for.
#[derive(Clone, Copy, Debug)]
struct Source {
    live: Live,
    path: &'static str,
    understand: fn(&str) -> Value,
    text: StoredValue<String>,
    value: StoredValue<Value>,
    told: RwSignal<()>,
    /// Why the last question was not answered; empty if it was.
    wrong: RwSignal<String>,
    /// The number of the last question, and whether it waits for its answer.
    last: StoredValue<(u32, bool)>,
}

impl Source {
    fn new(path: &'static str, understand: fn(&str) -> Value) -> Self {
        let text = Answers::take(path).unwrap_or_default();
        let source = Self {
            live: use_live(),
            path,
            understand,
            value: StoredValue::new(understand(&text)),
            text: StoredValue::new(text),
            told: RwSignal::new(()),
            wrong: RwSignal::new(String::new()),
            last: StoredValue::new((0, false)),
        };
        poll(move || {
            let waits = source.last.try_get_value().is_none_or(|(_, waits)| waits);
            let is_new = source.value.with_value(Option::is_none);
            if !waits && (is_new || source.live.held.with_untracked(Option::is_none)) {
                source.ask();
            }
        });
        source
    }

    /// What was asked before is not believed any more.
    fn ask(self) {
        let number = self.last.try_update_value(|last| {
            *last = (last.0.wrapping_add(1), true);
            last.0
        });
        let Some(number) = number else { return };
        spawn_local(async move {
            let answer = http::ask("GET", self.path, None).await;
            // In a page that is gone, nobody asks any more.
            if self.last.try_get_value().is_none_or(|last| last.0 != number) {
                return;
            }
            self.last.set_value((number, false));
            match answer {
                Ok(answer) => self.take(answer),
                Err(why) => self.doubt(why),
            }
        });
    }

    fn line(self) -> Settled {
        let says = move || {
            self.told.track();
            let wrong = self.wrong.get();
            match (wrong.is_empty(), self.value.with_value(Option::is_some)) {
                (true, true) => String::new(),
                (true, false) => "Asking the server…".to_owned(),
                (false, true) => format!("These figures are old. {wrong}"),
                (false, false) => format!("Not known. {wrong}"),
            }
        };
        let says = text(says);
        settle(
            view! { <p class="muted" role="status" hidden=flag(move || says.with(String::is_empty))>{says}</p> },
        )
    }

    fn doubt(self, why: String) {
        if self.wrong.with_untracked(|wrong| *wrong != why) {
            self.wrong.set(why);
        }
    }

    fn take(self, answer: String) {
        self.doubt(String::new());
        if self.text.with_value(|text| *text == answer) {
            return;
        }
        if let Some(value) = (self.understand)(&answer) {
            self.text.set_value(answer);
            self.value.set_value(Some(value));
            self.told.notify();
        }
    }
}
