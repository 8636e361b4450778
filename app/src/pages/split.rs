//! Each page's code in a file of its own: `cargo leptos --split`.

use leptos::wasm_split::wasm_split;

use super::part::Drawn;

#[wasm_split(breakers, wasm_split_path = leptos::wasm_split, preload(load_breakers), fallible)]
pub fn breakers() -> Drawn {
    Ok(super::breakers::page())
}

#[wasm_split(limits, wasm_split_path = leptos::wasm_split, preload(load_limits), fallible)]
pub fn limits() -> Drawn {
    Ok(super::limits::page())
}

#[wasm_split(queues, wasm_split_path = leptos::wasm_split, preload(load_queues), fallible)]
pub fn queues() -> Drawn {
    Ok(super::queues::page())
}

#[wasm_split(cache, wasm_split_path = leptos::wasm_split, preload(load_cache), fallible)]
pub fn cache() -> Drawn {
    Ok(super::cache::page())
}

#[wasm_split(query, wasm_split_path = leptos::wasm_split, preload(load_query), fallible)]
pub fn query() -> Drawn {
    Ok(super::query::page())
}

#[wasm_split(rollouts, wasm_split_path = leptos::wasm_split, preload(load_rollouts), fallible)]
pub fn rollouts() -> Drawn {
    Ok(super::rollouts::page())
}

#[wasm_split(flags, wasm_split_path = leptos::wasm_split, preload(load_flags), fallible)]
pub fn flags() -> Drawn {
    Ok(super::flags::page())
}

#[wasm_split(audit, wasm_split_path = leptos::wasm_split, preload(load_audit), fallible)]
pub fn audit() -> Drawn {
    Ok(super::audit::page())
}

#[wasm_split(lab, wasm_split_path = leptos::wasm_split, preload(load_lab), fallible)]
pub fn lab() -> Drawn {
    Ok(super::lab::page())
}

/// Loads the code of the page at a path, so that it is there when it is drawn. Reports whether it is.
pub async fn load(path: &str) -> bool {
    let loaded = match path.split('/').nth(1).unwrap_or_default() {
        "breakers" => load_breakers().await,
        "limits" => load_limits().await,
        "queues" => load_queues().await,
        "cache" => load_cache().await,
        "query" => load_query().await,
        "rollouts" => load_rollouts().await,
        "flags" => load_flags().await,
        "audit" => load_audit().await,
        "lab" => load_lab().await,
        _ => Ok(()),
    };
    loaded.is_ok()
}
