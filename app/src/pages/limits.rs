//! Every limit, who hits it, and who is kept out altogether. The limit that is shown in full is named by the
//! address.

mod blocked;
mod users;

use crate::components::{Limits, reveal, worst_limit};
use crate::live::{Asked, use_live};
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
    // The one that is named, or else the worst one when the page came up.
    let worst = use_live().board.with_untracked(worst_limit);
    let chosen = text(move || Some(wanted.get()).filter(|route| !route.is_empty()).unwrap_or(worst.clone()));
    let known = Memo::new(move |_| {
        let chosen = chosen.get();
        let is_known = limits.with(|limits| limits.into_iter().flatten().any(|limit| limit.path == chosen));
        if is_known { chosen } else { String::new() }
    });
    let absent = text(move || match wanted.get().as_str() {
        _ if !is_known.get() => String::new(),
        "" => String::new(),
        route => format!("No route {route} is limited."),
    });
    let details = move || match known.get() {
        path if path.is_empty() => settle(view! {
            {limits.doubt()}
            <p class="muted">{absent}</p>
        }),
        path => settle(view! { <Users limits path candidate/> }),
    };
    reveal("limit", wanted.into());
    settle(view! {
        <Limits chosen=chosen/>
        {changing(Box::new(details))}
        <Blocked candidate/>
    })
}
