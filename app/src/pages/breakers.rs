//! Every breaker, and one of them in full: why it is in its state, and the switches that take its
//! decisions over. The one is named by the address.

mod standing;
mod switches;

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::components::Breakers;
use crate::live::use_live;
use crate::settled::{Settled, changing, settle};
use standing::Standing;

/// The breakers' page.
pub fn page() -> Settled {
    let live = use_live();
    let path = use_location().pathname;
    let details = move || {
        let wanted = path.with(|path| named(path));
        let chosen = live.topology.with(|topology| {
            // The first one if none is named.
            let mut breakers = topology.breakers.iter().enumerate();
            let found = breakers.find(|(_, info)| wanted.is_empty() || info.name == wanted);
            found.map(|(at, info)| (at, info.name.clone()))
        });
        match chosen {
            Some((at, name)) => settle(view! { <Standing at name/> }),
            None if wanted.is_empty() => settle(()),
            None => {
                let says = format!("The configuration has no breaker that is named {wanted}.");
                settle(view! { <p class="muted">{says}</p> })
            }
        }
    };
    settle(view! {
        <Breakers/>
        {changing(Box::new(details))}
    })
}

/// The name in the address of this page.
fn named(path: &str) -> String {
    path.split('/').nth(2).unwrap_or_default().replace("%20", " ")
}
