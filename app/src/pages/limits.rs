//! Every limit, who hits it, and who is kept out altogether. The limit that is shown in full is named by the
//! address.

mod blocked;
mod users;

use crate::components::Limits;
use crate::live::Asked;
use crate::look::use_look;
use crate::settled::{Settled, changing, settle};
use crate::signals::{flag, text};
use blocked::Blocked;
use leptos::prelude::*;
use users::{Told, Users};

/// The limits' page.
pub fn page() -> Settled {
    let limits = Asked::<Vec<Told>>::new("/api/limits");
    let wanted = use_look().route;
    // The client that somebody is about to block.
    let candidate = RwSignal::new(String::new());
    let is_known = flag(move || limits.with(|limits| limits.is_some()));
    // The one that is named, or else the first; empty if there is none.
    let chosen = Memo::new(move |_| {
        let wanted = wanted.get();
        limits.with(|limits| {
            let mut all = limits.into_iter().flatten();
            let found = all.find(|limit| wanted.is_empty() || limit.path == wanted);
            found.map(|limit| limit.path.clone()).unwrap_or_default()
        })
    });
    let absent = text(move || match wanted.get().as_str() {
        _ if !is_known.get() => String::new(),
        "" => String::new(),
        route => format!("No route {route} is limited."),
    });
    let details = move || match chosen.get() {
        path if path.is_empty() => settle(view! { <p class="muted">{absent}</p> }),
        path => settle(view! { <Users limits path candidate/> }),
    };
    settle(view! {
        <Limits/>
        {limits.doubt()}
        {changing(Box::new(details))}
        <Blocked candidate/>
    })
}
