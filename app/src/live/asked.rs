//! What the API is asked for, again and again.

use std::any::Any;
use std::marker::PhantomData;

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::de::DeserializeOwned;

use super::{Freshness, Live, http, poll, use_live};
use crate::initial::Answers;
use crate::settled::Settled;
use crate::signals::flag;

/// A question that waits for so many polls is asked again: its connection may be dead without a word.
const GIVE_UP: u8 = 5;

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
    pub fn new(path: &str) -> Self {
        let source = Source::new(path.to_owned(), |text| match http::understood::<T>(text) {
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
        let source = self.source;
        source.fresh.line(flag(move || {
            source.told.track();
            source.value.with_value(Option::is_some)
        }))
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
    path: StoredValue<String>,
    understand: fn(&str) -> Value,
    text: StoredValue<String>,
    value: StoredValue<Value>,
    told: RwSignal<()>,
    fresh: Freshness,
    /// The number of the last question, and since how many polls it waits for its answer; none if it does not.
    last: StoredValue<(u32, Option<u8>)>,
}

/// Makes what most pages share a part of the program: cut into files of their own, pieces are larger than there.
#[cfg(feature = "hydrate")]
pub fn keep_with_the_program() {
    type Line = fn(Freshness, leptos::prelude::Signal<bool>) -> Settled;
    std::hint::black_box(Source::new as fn(String, _) -> _);
    std::hint::black_box(Freshness::line as Line);
    std::hint::black_box(crate::settled::changing as fn(_) -> _);
    std::hint::black_box(crate::components::reveal as fn(_, _));
    std::hint::black_box(crate::format::length as fn(_) -> _);
}

impl Source {
    fn new(path: String, understand: fn(&str) -> Value) -> Self {
        let text = Answers::take(&path).unwrap_or_default();
        let source = Self {
            live: use_live(),
            path: StoredValue::new(path),
            understand,
            value: StoredValue::new(understand(&text)),
            text: StoredValue::new(text),
            told: RwSignal::new(()),
            fresh: Freshness::from_now(),
            last: StoredValue::new((0, None)),
        };
        poll(move || {
            let waits = source.last.try_update_value(|(_, polls)| {
                *polls = polls.map(|polls| polls.saturating_add(1));
                polls.is_some_and(|polls| polls < GIVE_UP)
            });
            let waits = waits.unwrap_or(true);
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
            *last = (last.0.wrapping_add(1), Some(0));
            last.0
        });
        let Some((number, path)) = number.zip(self.path.try_get_value()) else { return };
        spawn_local(async move {
            let answer = http::ask("GET", &path, None).await;
            // In a page that is gone, nobody asks any more.
            if self.last.try_get_value().is_none_or(|last| last.0 != number) {
                return;
            }
            self.last.set_value((number, None));
            self.fresh.heard(answer.as_ref().err());
            if let Ok(answer) = answer {
                self.take(answer);
            }
        });
    }

    fn take(self, answer: String) {
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
