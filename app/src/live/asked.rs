//! What the API is asked for, again and again.

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::de::DeserializeOwned;

use super::{Live, http, poll, use_live};
use crate::initial::Answers;

/// A resource of the API as it was last told: in the first picture by the server, then asked for while the
/// page is seen. It stands still with the rest of a page that is paused.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    live: Live,
    path: StoredValue<String>,
    /// The text: reading it is there once for each type, all the rest only once.
    text: RwSignal<Option<String>>,
    /// The number of the last question, and whether it waits for its answer.
    last: StoredValue<(u32, bool)>,
}

impl Asked {
    /// Asks for a path of the API from now on.
    #[must_use]
    pub fn new(path: String) -> Self {
        let text = RwSignal::new(Answers::take(&path));
        let asked =
            Self { live: use_live(), path: StoredValue::new(path), text, last: StoredValue::new((0, false)) };
        poll(move || {
            let waits = asked.last.try_get_value().is_none_or(|(_, waits)| waits);
            if !waits && asked.live.held.with_untracked(Option::is_none) {
                asked.again();
            }
        });
        asked
    }

    /// Asks at once, paused or not: something was changed. What was asked before is not believed any more.
    pub fn again(self) {
        let number = self.last.try_update_value(|last| {
            *last = (last.0.wrapping_add(1), true);
            last.0
        });
        let (Some(number), Some(path)) = (number, self.path.try_get_value()) else { return };
        spawn_local(async move {
            let answer = http::ask("GET", &path, None).await;
            // In a page that is gone, nobody asks any more.
            if self.last.try_get_value().is_none_or(|last| last.0 != number) {
                return;
            }
            self.last.set_value((number, false));
            // The banner tells of a server that does not answer.
            if let Ok(answer) = answer
                && self.text.with_untracked(|text| text.as_ref() != Some(&answer))
            {
                self.text.set(Some(answer));
            }
        });
    }

    /// What was told; none before the first answer.
    #[must_use]
    pub fn read<T: DeserializeOwned + PartialEq + Send + Sync + 'static>(self) -> Memo<Option<T>> {
        Memo::new(move |_| self.text.with(|text| http::understood(text.as_deref()?).ok()))
    }
}
