//! The header: where one is, how fresh the figures are, and what can be done about it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use super::{Connection, KillSwitch, Pause, RangeSegments, ThemeButton};

/// The header of every page.
#[component]
pub fn Bar() -> impl IntoView {
    let path = use_location().pathname;
    let title = Memo::new(move |_| match path.get().trim_end_matches('/') {
        "" => "Overview",
        "/lab" => "Lab",
        _ => "Not found",
    });
    view! {
        <Title text=move || format!("{} · RAD Monitor", title.get())/>
        <header class="bar">
            <h1>{move || title.get()}</h1>
            <Connection/>
            <span class="grow"></span>
            <RangeSegments/>
            <Pause/>
            <ThemeButton/>
            <KillSwitch/>
        </header>
    }
    .into_any()
}
