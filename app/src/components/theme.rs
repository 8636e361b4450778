//! Dark, light, or as the system has it. The choice is kept; the document's head applies it before the
//! first picture.

use leptos::prelude::*;

use super::Icon;
use crate::signals::{effect, text};

const ICON: &str = "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12";

/// What the reader has chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::System => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Makes the choice known to the page, as it was kept; first drawn as if there were none.
pub fn provide_theme() {
    let theme = RwSignal::new(Theme::default());
    provide_context(theme);
    effect(move || theme.set(stored()));
}

/// The choice.
#[must_use]
pub fn use_theme() -> RwSignal<Theme> {
    use_context().unwrap_or_default()
}

/// Goes through the themes.
#[component]
pub fn ThemeButton() -> impl IntoView {
    let theme = use_theme();
    view! {
        <button
            data-testid="theme"
            title=text(move || format!("Theme: {} (t)", theme.get().word()))
            aria-label=text(move || format!("Theme: {}", theme.get().word()))
            on:click=move |_| switch(theme)
        >
            <Icon path=ICON/>
            <span class="word">"Theme"</span>
        </button>
    }
}

/// Takes the next theme.
pub fn switch(theme: RwSignal<Theme>) {
    let next = theme.get_untracked().next();
    theme.set(next);
    apply(next);
}

#[cfg(feature = "hydrate")]
const KEY: &str = "rad-monitor.theme";

#[cfg(feature = "hydrate")]
fn stored() -> Theme {
    let storage = window().local_storage().ok().flatten();
    match storage.and_then(|storage| storage.get_item(KEY).ok().flatten()).as_deref() {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => Theme::System,
    }
}

#[cfg(feature = "hydrate")]
fn apply(theme: Theme) {
    let storage = window().local_storage().ok().flatten();
    let Some(root) = document().document_element() else { return };
    if theme == Theme::System {
        let _ = root.remove_attribute("data-theme");
        let _ = storage.map(|storage| storage.remove_item(KEY));
    } else {
        let _ = root.set_attribute("data-theme", theme.word());
        let _ = storage.map(|storage| storage.set_item(KEY, theme.word()));
    }
}

#[cfg(not(feature = "hydrate"))]
fn stored() -> Theme {
    Theme::default()
}

#[cfg(not(feature = "hydrate"))]
fn apply(_: Theme) {}
