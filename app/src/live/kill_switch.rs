//! The kill switch of this browser: thrown, the page lives by polling, and the gateway answers this
//! browser from `legacy`. It survives a reload, and scripts reach it as `window.RadMonitor`.

use js_sys::{Object, Reflect};
use leptos::prelude::{document, use_context, window};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::HtmlDocument;

use super::machine::{Input, Machine};
use super::{Live, browser, words};
use leptos::prelude::{GetUntracked, WithUntracked};

const KEY: &str = "rad-monitor.disabled";
const PINNED: &str = "rad_mode=legacy; path=/; SameSite=Lax; max-age=31536000";
const UNPINNED: &str = "rad_mode=; path=/; SameSite=Lax; max-age=0";

/// Whether it was thrown, perhaps before a reload.
pub fn is_thrown() -> bool {
    storage().and_then(|storage| storage.get_item(KEY).ok().flatten()).is_some()
}

/// Throws it.
pub fn disable() {
    if let Some(storage) = storage() {
        let _ = storage.set_item(KEY, "1");
    }
    set_cookie(PINNED);
    browser::feed(Input::Disable);
}

/// Takes it back.
pub fn enable() {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(KEY);
    }
    set_cookie(UNPINNED);
    browser::feed(Input::Enable);
}

/// Puts `window.RadMonitor` in place, and follows what other tabs of this browser do.
pub fn install() {
    let Some(live) = use_context::<Live>() else { return };
    let api = Object::new();
    expose(
        &api,
        "disable",
        Closure::new(|| {
            disable();
            JsValue::UNDEFINED
        }),
    );
    expose(
        &api,
        "enable",
        Closure::new(|| {
            enable();
            JsValue::UNDEFINED
        }),
    );
    expose(&api, "status", Closure::new(move || status(live).into()));
    let _ = Reflect::set(&window(), &"RadMonitor".into(), &api);
    let _ = leptos::prelude::window_event_listener_untyped("storage", |_| {
        browser::feed(if is_thrown() { Input::Disable } else { Input::Enable });
    });
}

fn status(live: Live) -> Object {
    let machine: Machine = live.connection.get_untracked();
    let (epoch, seq) = live.place();
    let state = Object::new();
    let put = |name: &str, value: JsValue| {
        let _ = Reflect::set(&state, &name.into(), &value);
    };
    put("mode", if machine.is_disabled() { "legacy" } else { "live" }.into());
    put("state", words::status(&machine).into());
    put("attempt", machine.attempt.into());
    let wait = machine.retry_in_ms(browser::now_ms()).map(crate::format::approximate);
    put("retry_in_ms", wait.map_or(JsValue::NULL, Into::into));
    put("epoch", epoch.into());
    put("seq", crate::format::approximate(seq).into());
    put("paused", live.held.with_untracked(Option::is_some).into());
    state
}

/// The function lives as long as the page.
fn expose(api: &Object, name: &str, function: Closure<dyn FnMut() -> JsValue>) {
    let _ = Reflect::set(api, &name.into(), &function.into_js_value());
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

fn set_cookie(cookie: &str) {
    if let Some(document) = document().dyn_ref::<HtmlDocument>() {
        let _ = document.set_cookie(cookie);
    }
}
