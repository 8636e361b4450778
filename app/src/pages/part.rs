//! Pages whose code is a file of its own, that the browser loads when such a page is first shown.
//!
//! What the program loads at the start stays as small as it is, however many pages there are. Files of
//! another build than the running one are refused by their linker: see the profile in `Cargo.toml`.

use std::future::Future;
use std::pin::Pin;

use leptos::prelude::*;
use leptos::wasm_split::SplitLoaderError;
use leptos_router::ChooseView;
use leptos_router::hooks::use_location;

use crate::components::Card;
use crate::live::poll;
use crate::settled::{Settled, settle};

/// What drawing such a page gives.
pub type Drawn = Result<Settled, SplitLoaderError>;

/// A page whose code is loaded when it is first shown.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// What its file is named after.
    name: &'static str,
    draw: fn() -> Pin<Box<dyn Future<Output = Drawn>>>,
}

impl Part {
    pub const fn new(name: &'static str, draw: fn() -> Pin<Box<dyn Future<Output = Drawn>>>) -> Self {
        Self { name, draw }
    }
}

impl ChooseView for Part {
    async fn choose(self) -> AnyView {
        // The server tells the browser early what this page needs.
        leptos::prefetch_lazy_fn_on_server(self.name);
        (self.draw)().await.unwrap_or_else(|_| absent()).into_any()
    }

    async fn preload(&self) {}
}

/// What is shown in place of a page whose code did not come. Once it does, the window is loaded again: of another
/// version of the server everything else would be old, too.
fn absent() -> Settled {
    let path = use_location().pathname;
    let polls = StoredValue::new(0_u32);
    poll(move || {
        let count = polls.try_update_value(|polls| {
            *polls = polls.wrapping_add(1);
            *polls
        });
        // Ever less often: after 2 s, 6 s, 14 s, then twice a minute.
        if count.is_some_and(|count| count > 1 && (count.is_power_of_two() || count % 16 == 0)) {
            try_again(path.get_untracked(), polls);
        }
    });
    settle(view! {
        <Card id="not-loaded" title="This page could not be loaded" class="narrow">{settle(view! {
            <p class="muted">
                "The server does not answer, or it is another version now than the one that this window was "
                "loaded from. It is asked again and again. "
                <a href=path rel="external">"Load the page again"</a>
            </p>
        })}</Card>
    })
}

/// Nothing is kept of a failure: this asks the server again.
#[cfg(feature = "hydrate")]
fn try_again(path: String, page: StoredValue<u32>) {
    leptos::task::spawn_local(async move {
        // Somebody may have gone elsewhere meanwhile.
        if super::load(&path).await && page.try_get_value().is_some() {
            let _ = window().location().reload();
        }
    });
}

#[cfg(not(feature = "hydrate"))]
fn try_again(_: String, _: StoredValue<u32>) {}
