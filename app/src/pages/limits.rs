//! Every limit, who hits it, and who is kept out altogether. The limit that is shown in full is named by the
//! address.

mod blocked;
mod users;

use leptos::prelude::*;
use rad_model::metrics::RouteLimits;

use crate::components::Limits;
use crate::live::Asked;
use crate::look::use_look;
use crate::settled::{Settled, changing, settle};
use blocked::Blocked;
use users::Users;

/// The limits' page.
pub fn page() -> Settled {
    let limits = Asked::new("/api/limits".to_owned()).read::<Vec<RouteLimits>>();
    let wanted = use_look().route;
    // The client that somebody is about to block.
    let candidate = RwSignal::new(String::new());
    let paths = Memo::new(move |_| {
        let of =
            |limits: &Vec<RouteLimits>| limits.iter().map(|limit| limit.path.clone()).collect::<Vec<_>>();
        limits.with(|limits| limits.as_ref().map(of))
    });
    let chosen = move || {
        let wanted = wanted.get();
        let known = paths.get();
        match known {
            None => settle(view! { <p class="muted">"Asking who uses the limits…"</p> }),
            Some(paths) => match paths.into_iter().find(|path| wanted.is_empty() || *path == wanted) {
                Some(path) => settle(view! { <Users limits path candidate/> }),
                None if wanted.is_empty() => settle(()),
                None => {
                    let says = format!("No route {wanted} is limited.");
                    settle(view! { <p class="muted">{says}</p> })
                }
            },
        }
    };
    settle(view! {
        <Limits/>
        {changing(Box::new(chosen))}
        <Blocked candidate/>
    })
}
