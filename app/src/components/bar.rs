//! The header: where one is, how fresh the figures are, and what can be done about it.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::{Connection, KillSwitch, Pause, RangeSegments, ThemeButton};
use crate::pages;
use crate::settled::settle;
use crate::signals::{effect, text};

/// The header of every page.
#[component]
pub fn Bar() -> impl IntoView {
    let path = use_location().pathname;
    effect(move || document().set_title(&path.with(|path| pages::document_title(path))));
    settle(view! {
        <header class="bar">
            <h1>{text(move || path.with(|path| pages::title(path).to_owned()))}</h1>
            <Connection/>
            <span class="grow"></span>
            <RangeSegments/>
            <Pause/>
            <ThemeButton/>
            <KillSwitch/>
            <span class="who" inner_html=crate::visitor::html()></span>
        </header>
    })
}
