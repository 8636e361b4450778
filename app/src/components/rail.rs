//! The way to the pages.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::Icon;
use crate::live::use_live;
use crate::look::{query, use_look};
use crate::settled::settle;
use crate::signals::{flag, text};

const OVERVIEW: &str = "M2 9h3l2-5 3 9 2-4h2";
const BREAKERS: &str = "M1 11h4M11 11h4M5 11l6-6M5 11v.01M11 11v.01";
const LIMITS: &str = "M2 12a6 6 0 0 1 12 0M8 12l3-5";
const ROLLOUTS: &str = "M2 12h3V9h4V6h3V3h2";
const QUEUES: &str = "M2 4h12M2 8h8M2 12h4";
const CACHE: &str = "M3 4c0-3 10-3 10 0v8c0 3-10 3-10 0V4c0 3 10 3 10 0";
const QUERY: &str = "M7 2a5 5 0 1 0 .01 0M11 11l3 3";
const FLAGS: &str = "M4 15V2M4 3h8l-2 3 2 3H4";
const AUDIT: &str = "M4 2h8v12H4zM6 5h4M6 8h4M6 11h2";
const LAB: &str = "M6 2v4l-4 7h12l-4-7V2M5 2h6";

/// Lists the pages that there are; the Lab only where the sample upstreams run.
#[component]
pub fn Rail() -> impl IntoView {
    let (live, look) = (use_live(), use_look());
    let path = use_location().pathname;
    let link = move |to: &'static str, icon: &'static str, name: &'static str, hidden: Signal<bool>| {
        let href = text(move || format!("{to}{}", query(look.range.get(), "")));
        let current =
            text(move || if path.with(|path| leads(to, path)) { "page" } else { "false" }.to_owned());
        view! {
            <a href=href title=name aria-current=current hidden=hidden>
                <Icon path=icon/>
                <span>{name}</span>
            </a>
        }
    };
    let no_lab = flag(move || live.topology.with(|topology| !topology.lab));
    settle(view! {
        <nav class="rail" aria-label="Main">
            <div class="brand">
                <svg viewBox="0 0 20 20" aria-hidden="true">
                    <circle cx="10" cy="10" r="8.2"></circle>
                    <path d="M2 10h4l2-5 4 10 2-5h4"></path>
                </svg>
                <b>"RAD Monitor"</b>
            </div>
            {link("/", OVERVIEW, "Overview", false.into())}
            {link("/breakers", BREAKERS, "Breakers", false.into())}
            {link("/rollouts", ROLLOUTS, "Rollouts", false.into())}
            {link("/limits", LIMITS, "Limits", false.into())}
            {link("/queues", QUEUES, "Queues", false.into())}
            {link("/cache", CACHE, "Cache", false.into())}
            {link("/query", QUERY, "Query", false.into())}
            {link("/flags", FLAGS, "Flags", false.into())}
            {link("/audit", AUDIT, "Audit", false.into())}
            {link("/lab", LAB, "Lab", no_lab)}
        </nav>
    })
}

/// Whether a page is one of those below a link.
fn leads(to: &str, path: &str) -> bool {
    to.split('/').nth(1) == path.split('/').nth(1)
}
