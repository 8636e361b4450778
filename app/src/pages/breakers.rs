//! Every breaker, and one of them in full: why it is in its state, and the switches that take its
//! decisions over. The one is named by the address.

mod standing;
mod switches;

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::board::Board;
use crate::components::{Breakers, reveal};
use crate::live::use_live;
use crate::settled::{Settled, changing, settle};
use crate::signals::text;
use standing::Standing;

/// The breakers' page.
pub fn page() -> Settled {
    let live = use_live();
    let path = use_location().pathname;
    let wanted = text(move || path.with(|path| named(path)));
    // The worst one when the page came up, if none is named. It stays, whatever others do: nobody is to press a
    // switch of another one than was just there.
    let worst = live.board.with_untracked(|board: &Board| {
        let worst = board.snapshot.topology.breakers.get(board.worst_breaker());
        worst.map(|info| info.name.clone()).unwrap_or_default()
    });
    let chosen =
        Memo::new(move |_| Some(wanted.get()).filter(|name| !name.is_empty()).unwrap_or(worst.clone()));
    let details = move || {
        let chosen = chosen.get();
        let known =
            live.topology.with(|topology| topology.breakers.iter().position(|info| info.name == chosen));
        match known {
            Some(at) => settle(view! { <Standing at name=chosen/> }),
            None if chosen.is_empty() => settle(()),
            None => {
                let says = format!("The configuration has no breaker that is named {chosen}.");
                settle(view! { <p class="muted">{says}</p> })
            }
        }
    };
    reveal("breaker", wanted);
    settle(view! {
        <Breakers chosen=chosen.into()/>
        {changing(Box::new(details))}
    })
}

/// The name in the address of this page.
fn named(path: &str) -> String {
    path.split('/').nth(2).unwrap_or_default().replace("%20", " ")
}
