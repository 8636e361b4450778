//! The pages.

mod breakers;
mod cache;
mod lab;
mod limits;
mod missing;
mod overview;
mod part;
mod query;
mod queues;

use leptos::wasm_split::wasm_split;

pub use missing::Missing;
pub use overview::Overview;
pub use part::Part;

use part::Drawn;

/// Every breaker, and one of them in full.
pub const BREAKERS: Part = Part::new("breakers", || Box::pin(breakers()));
/// Who hits which limit, and who is blocked.
pub const LIMITS: Part = Part::new("limits", || Box::pin(limits()));
/// What holds a place, and what waits.
pub const QUEUES: Part = Part::new("queues", || Box::pin(queues()));
/// What is kept, what that saves, and how to invalidate it.
pub const CACHE: Part = Part::new("cache", || Box::pin(cache()));
/// A search through the whole pipeline.
pub const QUERY: Part = Part::new("query", || Box::pin(query()));
/// The knobs of the sample upstreams.
pub const LAB: Part = Part::new("lab", || Box::pin(lab()));

#[wasm_split(breakers, wasm_split_path = leptos::wasm_split, preload(load_breakers), fallible)]
fn breakers() -> Drawn {
    Ok(breakers::page())
}

#[wasm_split(limits, wasm_split_path = leptos::wasm_split, preload(load_limits), fallible)]
fn limits() -> Drawn {
    Ok(limits::page())
}

#[wasm_split(queues, wasm_split_path = leptos::wasm_split, preload(load_queues), fallible)]
fn queues() -> Drawn {
    Ok(queues::page())
}

#[wasm_split(cache, wasm_split_path = leptos::wasm_split, preload(load_cache), fallible)]
fn cache() -> Drawn {
    Ok(cache::page())
}

#[wasm_split(query, wasm_split_path = leptos::wasm_split, preload(load_query), fallible)]
fn query() -> Drawn {
    Ok(query::page())
}

#[wasm_split(lab, wasm_split_path = leptos::wasm_split, preload(load_lab), fallible)]
fn lab() -> Drawn {
    Ok(lab::page())
}

/// Loads the code of the page at a path, so that it is there when it is drawn. Reports whether it is.
pub async fn load(path: &str) -> bool {
    let loaded = match path.split('/').nth(1).unwrap_or_default() {
        "breakers" => load_breakers().await,
        "limits" => load_limits().await,
        "queues" => load_queues().await,
        "cache" => load_cache().await,
        "query" => load_query().await,
        "lab" => load_lab().await,
        _ => Ok(()),
    };
    loaded.is_ok()
}

/// The heading of the page at a path.
#[must_use]
pub fn title(path: &str) -> &'static str {
    // What follows the first part names something on the page.
    match path.split('/').nth(1).unwrap_or_default() {
        "" => "Overview",
        "breakers" => "Breakers",
        "limits" => "Limits",
        "queues" => "Queues",
        "cache" => "Cache",
        "query" => "Query",
        "lab" => "Lab",
        _ => "Not found",
    }
}

/// What the window is called.
#[must_use]
pub fn document_title(path: &str) -> String {
    format!("{} · RAD Monitor", title(path))
}
