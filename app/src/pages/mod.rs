//! The pages.

mod breakers;
mod lab;
mod missing;
mod overview;
mod part;

use leptos::wasm_split::wasm_split;

pub use missing::Missing;
pub use overview::Overview;
pub use part::Part;

use part::Drawn;

/// Every breaker, and one of them in full.
pub const BREAKERS: Part = Part::new("breakers", || Box::pin(breakers()));
/// The knobs of the sample upstreams.
pub const LAB: Part = Part::new("lab", || Box::pin(lab()));

#[wasm_split(breakers, wasm_split_path = leptos::wasm_split, preload(load_breakers), fallible)]
fn breakers() -> Drawn {
    Ok(breakers::page())
}

#[wasm_split(lab, wasm_split_path = leptos::wasm_split, preload(load_lab), fallible)]
fn lab() -> Drawn {
    Ok(lab::page())
}

/// Loads the code of the page at a path, so that it is there when it is drawn. Reports whether it is.
pub async fn load(path: &str) -> bool {
    let loaded = match path.split('/').nth(1).unwrap_or_default() {
        "breakers" => load_breakers().await,
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
        "lab" => "Lab",
        _ => "Not found",
    }
}

/// What the window is called.
#[must_use]
pub fn document_title(path: &str) -> String {
    format!("{} · RAD Monitor", title(path))
}
