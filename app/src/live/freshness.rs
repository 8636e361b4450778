//! How old what was asked for is, and why.

use leptos::prelude::*;

use super::{Live, now_ms, use_live};
use crate::format;
use crate::settled::{Settled, settle};
use crate::signals::{effect, flag, text};

/// It is asked for every two seconds: without an answer for so long, it is old.
const OLD_MS: u64 = 10_000;

/// When the last answer came, and what became of the last question.
#[derive(Clone, Copy, Debug)]
pub struct Freshness {
    live: Live,
    /// By the browser's clock; 0 until the page is there.
    heard_ms: StoredValue<u64>,
    /// Why the last question was not answered; empty if it was.
    wrong: RwSignal<String>,
}

impl Freshness {
    #[must_use]
    pub fn from_now() -> Self {
        let heard_ms = StoredValue::new(0);
        effect(move || heard_ms.set_value(now_ms()));
        Self { live: use_live(), heard_ms, wrong: RwSignal::new(String::new()) }
    }

    /// An answer came, or a sentence that says why none did.
    pub fn heard(self, wrong: Option<&String>) {
        if wrong.is_none() {
            self.heard_ms.set_value(now_ms());
        }
        let wrong = wrong.map_or("", String::as_str);
        if self.wrong.with_untracked(|known| known != wrong) {
            self.wrong.set(wrong.to_owned());
        }
    }

    /// The line that says what is to be doubted; what stands beside it fades.
    #[must_use]
    pub fn line(self, is_known: Signal<bool>) -> Settled {
        let says = text(move || {
            let wrong = self.wrong.get();
            if !is_known.get() {
                return if wrong.is_empty() {
                    "Asking the server…".to_owned()
                } else {
                    format!("Not known. {wrong}")
                };
            }
            let now_ms = self.live.now_ms.get().unwrap_or_default();
            let age_ms = now_ms.saturating_sub(self.heard_ms.get_value());
            // What is held still is as old as it is meant to be.
            let is_old = !self.live.is_paused() && (age_ms > OLD_MS || !wrong.is_empty());
            match self.heard_ms.get_value() {
                heard if heard > 0 && is_old => {
                    format!("These figures are {} old. {wrong}", format::age(age_ms))
                }
                _ => String::new(),
            }
        });
        settle(
            view! { <p class="muted doubt" role="status" hidden=flag(move || says.with(String::is_empty))>{says}</p> },
        )
    }
}
