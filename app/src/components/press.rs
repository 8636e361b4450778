//! What is written into and pressed on several pages: of one type, so that it is in the bundle once.

use leptos::prelude::*;

use super::{Outcome, quoted};
use crate::live::{Live, use_live};
use crate::settled::{Settled, settle};
use crate::signals::{aria, flag, text};

/// A line to be written into; at most `most` letters.
pub fn line(
    value: RwSignal<String>,
    placeholder: &'static str,
    label: &'static str,
    most: &'static str,
) -> Settled {
    field(value, text(move || placeholder.to_owned()), label, most, false.into())
}

fn field(
    value: RwSignal<String>,
    placeholder: Signal<String>,
    label: &'static str,
    most: &'static str,
    required: Signal<bool>,
) -> Settled {
    settle(view! {
        <input
            type="text"
            maxlength=most
            placeholder=placeholder
            aria-label=label
            required=required
            prop:value=value
            on:input=move |event| value.set(event_target_value(&event))
        />
    })
}

/// Why something is changed: what is written into its field. In production it has to be.
#[derive(Clone, Copy, Debug)]
pub struct Why {
    said: RwSignal<String>,
    live: Live,
}

impl Why {
    /// Nothing is said yet.
    #[must_use]
    pub fn new() -> Self {
        Self { said: RwSignal::new(String::new()), live: use_live() }
    }

    /// The line to write it into.
    pub fn field(self, label: &'static str) -> Settled {
        let needed = flag(move || self.live.topology.with(|topology| topology.reasons));
        let says = text(move || format!("Why ({})", if needed.get() { "needed" } else { "optional" }));
        field(self.said, says, label, "200", needed)
    }

    /// What is said, as JSON has it. None if it is nothing and has to be something, which `outcome` tells.
    pub fn given(self, outcome: RwSignal<Outcome>) -> Option<String> {
        let said = self.said.get_untracked();
        let said = said.trim();
        if said.is_empty() && self.live.topology.with_untracked(|topology| topology.reasons) {
            outcome.set(Outcome::Failed("Say why: in production every change needs a reason.".to_owned()));
            return None;
        }
        Some(quoted(said))
    }

    /// It was used.
    pub fn clear(self) {
        self.said.set(String::new());
    }
}

impl Default for Why {
    fn default() -> Self {
        Self::new()
    }
}

/// A button; `name` names it in tests, `label` is what it says to those who do not see where it stands.
pub fn button(
    (class, name): (&'static str, String),
    says: Signal<String>,
    label: Signal<String>,
    busy: Signal<bool>,
    press: Callback<()>,
) -> Settled {
    settle(view! {
        <button class=class data-testid=name aria-label=label aria-disabled=aria(move || busy.get()) on:click=move |_| press.run(())>
            {says}
        </button>
    })
}
