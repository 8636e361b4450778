//! The dashboard: rendered by the server, hydrated in the browser.

// Views are deeply nested types.
#![recursion_limit = "256"]

pub mod board;
pub mod chart;
pub mod components;
pub mod events;
mod initial;
mod json;
mod kept;
pub mod live;
pub mod look;
pub mod pages;
pub mod range;
pub mod settled;
pub mod signals;
mod visitor;

pub use initial::Initial;
pub use rad_model::format;
pub use visitor::Visitor;

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::location::RequestUrl;
use leptos_router::path;

use board::Board;
use components::{Banner, Bar, Rail, Shortcuts, provide_theme};
use initial::Answers;
use live::Live;
use look::provide_look;
use pages::{Missing, Overview};
use signals::effect;

/// Puts the chosen theme on the page before anything is drawn, so that it never flashes in the other one.
pub const THEME: &str = "try{var t=localStorage.getItem('rad-monitor.theme');\
                     if(t)document.documentElement.dataset.theme=t}catch(e){}";

/// Says that the code of the page did not come. In words of HTML: what draws pages is not there.
macro_rules! not_alive {
    () => {
        "<p class=\"banner\" id=\"not-alive\" role=\"alert\"><b>This page does not move.</b> \
         <span>A part of it could not be loaded; it shows the state at the time of loading.</span> \
         <a class=\"button\" href=\"\">Load it again</a></p>"
    };
}

/// Says so where not even the program came.
const NOT_ALIVE: &str = concat!(
    "addEventListener('unhandledrejection',function(e){\
     if(window.RadMonitor||document.getElementById('not-alive'))return;\
     e.preventDefault();console.error(String(e.reason));\
     document.body.insertAdjacentHTML('beforeend','",
    not_alive!(),
    "')})"
);

/// Says to readers without JavaScript what they see.
const STILL: &str = "<p class=\"banner\"><b>This picture does not move.</b> \
                     It shows the state at the time of loading; live figures need JavaScript.</p>";

/// Takes away from them what says or does nothing without it.
const INERT: &str = "[data-testid=connection],.age,.bar button:not(.out),.actions,.more,.knob,.acting{display:none!important}\
                     .segments button{pointer-events:none}";

/// The path of the page that the server draws at the moment.
#[must_use]
pub fn requested_path() -> String {
    use_context::<RequestUrl>().map_or("/".to_owned(), |url| path_of(url.as_ref()).to_owned())
}

/// The address of the page that the server draws at the moment, with what stands behind its `?`.
#[must_use]
pub fn requested() -> String {
    let query =
        use_context::<RequestUrl>().and_then(|url| query_of(url.as_ref()).map(|query| format!("?{query}")));
    requested_path() + &query.unwrap_or_default()
}

fn query_of(url: &str) -> Option<&str> {
    url.split('#').next()?.split_once('?').map(|(_, query)| query)
}

/// The path of `http://host/path?query`, which is how Leptos tells what is asked for.
fn path_of(url: &str) -> &str {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}

/// The document around the application.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let title = pages::document_title(&requested_path());
    let nonce = use_nonce().map_or(String::new(), |nonce| nonce.to_string());
    let inert = format!("<style nonce=\"{nonce}\">{INERT}</style>");
    let role = use_context::<Visitor>().map(|visitor| visitor.role);
    view! {
        <!DOCTYPE html>
        <html lang="en" data-role=role>
            <head>
                <meta charset="utf-8"/>
                <title>{title}</title>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="dark light"/>
                <script nonce=use_nonce() inner_html=THEME></script>
                <script nonce=use_nonce() inner_html=NOT_ALIVE></script>
                <link rel="stylesheet" href="/pkg/rad-monitor.css"/>
                <noscript inner_html=inert></noscript>
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
    live::keep_with_the_program();
    come_alive(1_000);
}

/// Until the code of the page comes, it stays as the server has drawn it, says so, and asks again: in `wait_ms`,
/// and then less and less often.
#[cfg(feature = "hydrate")]
fn come_alive(wait_ms: u64) {
    wasm_bindgen_futures::spawn_local(async move {
        let path = window().location().pathname().unwrap_or_default();
        let notice = document().get_element_by_id("not-alive");
        if pages::load(&path).await {
            if let Some(notice) = notice {
                notice.remove();
            }
            leptos::mount::hydrate_body(App);
            return;
        }
        if let Some(body) = document().body().filter(|_| notice.is_none()) {
            let _ = body.insert_adjacent_html("beforeend", not_alive!());
        }
        let wait = std::time::Duration::from_millis(wait_ms);
        set_timeout(move || come_alive((wait_ms * 2).min(30_000)), wait);
    });
}

/// The application.
#[component]
pub fn App() -> impl IntoView {
    let initial = Initial::carried();
    let live = Live::new(Board::new(&initial.hello));
    provide_context(live);
    provide_context(initial.lab);
    provide_context(Answers::new(initial.answers));
    effect(move || live::start(live));
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
                        <Route path=path!("/limits") view={pages::LIMITS}/>
                        <Route path=path!("/queues") view={pages::QUEUES}/>
                        <Route path=path!("/cache") view={pages::CACHE}/>
                        <Route path=path!("/query") view={pages::QUERY}/>
                        <Route path=path!("/rollouts") view={pages::ROLLOUTS}/>
                        <Route path=path!("/flags/:name?") view={pages::FLAGS}/>
                        <Route path=path!("/audit") view={pages::AUDIT}/>
                        <Route path=path!("/lab") view={pages::LAB}/>
                    </FlatRoutes>
                </main>
            </div>
        </div>
        <Shortcuts/>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_request_is_found_in_what_leptos_tells() {
        assert_eq!(path_of("http://leptos.dev/breakers/search%202?range=1m"), "/breakers/search%202");
        assert_eq!(path_of("http://leptos.dev/"), "/");
        assert_eq!(path_of("http://leptos.dev"), "/");
        assert_eq!(path_of("/limits?route=/a"), "/limits");
        assert_eq!(query_of("http://leptos.dev/audit?text=a?b#c"), Some("text=a?b"));
        assert_eq!(query_of("http://leptos.dev/audit"), None);
    }
}
