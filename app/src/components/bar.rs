//! The header: where one is, how fresh the figures are, and what can be done about it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use super::{Connection, KillSwitch, Pause, RangeSegments, ThemeButton};
use crate::settled::settle;
use crate::signals::text;

/// The header of every page.
#[component]
pub fn Bar() -> impl IntoView {
    let path = use_location().pathname;
    let title = Memo::new(move |_| match path.get().trim_end_matches('/') {
        "" => "Overview".to_owned(),
        "/lab" => "Lab".to_owned(),
        _ => "Not found".to_owned(),
    });
    settle(view! {
        <Title text=move || format!("{} · RAD Monitor", title.get())/>
        <header class="bar">
            <h1>{text(move || title.get())}</h1>
            <Connection/>
            <span class="grow"></span>
            <RangeSegments/>
            <Pause/>
            <ThemeButton/>
            <KillSwitch/>
        </header>
    })
}
