//! The dashboard: rendered by the server, hydrated in the browser.

// Views are deeply nested types.
#![recursion_limit = "256"]

pub mod board;
pub mod chart;
pub mod components;
pub mod events;
pub mod format;
mod initial;
mod json;
pub mod live;
pub mod look;
pub mod pages;
pub mod range;
pub mod settled;
pub mod signals;

pub use initial::Initial;

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::location::RequestUrl;
use leptos_router::path;

use board::Board;
use components::{Banner, Bar, Rail, Shortcuts, provide_theme};
use live::Live;
use look::provide_look;
use pages::{Missing, Overview};

/// Puts the chosen theme on the page before anything is drawn, so that it never flashes in the other one.
const THEME: &str = "try{var t=localStorage.getItem('rad-monitor.theme');\
                     if(t)document.documentElement.dataset.theme=t}catch(e){}";

/// Says to readers without JavaScript what they see.
const STILL: &str = "<p class=\"banner\"><b>This picture does not move.</b> \
                     It shows the state at the time of loading; live figures need JavaScript.</p>";

/// Takes away from them what says or does nothing without it.
const INERT: &str = "<style>[data-testid=connection],.age,.bar button,.actions,.more,.knob{display:none!important}\
                     .segments button{pointer-events:none}</style>";

/// The document around the application.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let url = use_context::<RequestUrl>();
    let path = url.as_ref().map_or("/", |url| url.as_ref().split('?').next().unwrap_or_default());
    let title = pages::document_title(path);
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <title>{title}</title>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="dark light"/>
                <script nonce=use_nonce() inner_html=THEME></script>
                <link rel="stylesheet" href="/pkg/rad-monitor.css"/>
                <noscript inner_html=INERT></noscript>
                <link rel="icon" type="image/svg+xml" href="/favicon.svg"/>
                <AutoReload options=options.clone()/>
                <HydrationScripts options/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// Takes over the page that the server has drawn, once the code of it is there.
#[cfg(feature = "hydrate")]
pub fn hydrate() {
    wasm_bindgen_futures::spawn_local(async {
        let path = window().location().pathname().unwrap_or_default();
        // Without it the page stays as the server has drawn it; the browser's console says why.
        if pages::load(&path).await {
            leptos::mount::hydrate_body(App);
        }
    });
}

/// The application.
#[component]
pub fn App() -> impl IntoView {
    let initial = Initial::carried();
    let live = Live::new(Board::new(&initial.hello));
    provide_context(live);
    provide_context(initial.lab);
    Effect::new(move |_| live::start(live));
    view! {
        <Router>
            <Console/>
        </Router>
    }
}

/// What surrounds every page, and the page.
#[component]
fn Console() -> impl IntoView {
    provide_look();
    provide_theme();
    view! {
        <a class="skip" href="#main">"Skip to content"</a>
        <div class="shell">
            <Rail/>
            <div class="content">
                <Bar/>
                <main id="main">
                    <noscript inner_html=STILL></noscript>
                    <Banner/>
                    <FlatRoutes fallback=Missing>
                        <Route path=path!("/") view=Overview/>
                        <Route path=path!("/breakers/:name?") view={pages::BREAKERS}/>
                        <Route path=path!("/lab") view={pages::LAB}/>
                    </FlatRoutes>
                </main>
            </div>
        </div>
        <Shortcuts/>
    }
}
