//! One WebSocket. Dropping it closes it, and nothing that it says later is heard.

use js_sys::JsString;
use rad_model::frame::SUBPROTOCOL;
use rad_model::{ClientMessage, Frame, close};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{CloseEvent, Event, MessageEvent, WebSocket};

use super::browser;
use super::machine::Input;
use crate::json;

/// An open (or opening) connection.
pub struct Socket {
    inner: WebSocket,
    _opened: Closure<dyn FnMut(Event)>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut(CloseEvent)>,
}

impl Socket {
    /// Connects, and asks for what follows the place; `None` if the browser forbids it.
    pub fn open((epoch, seq): &(String, u64)) -> Option<Self> {
        let location = leptos::prelude::location();
        let scheme = if location.protocol().ok()? == "https:" { "wss" } else { "ws" };
        let mut url = format!("{scheme}://{}/ws", location.host().ok()?);
        if !epoch.is_empty() {
            url.push_str(&format!("?epoch={epoch}&seq={seq}"));
        }
        let inner = WebSocket::new_with_str(&url, SUBPROTOCOL).ok()?;
        let opened = Closure::new(|_: Event| browser::feed(Input::Opened));
        let closed = Closure::new(|event: CloseEvent| {
            if event.code() == close::SIGNED_OUT {
                super::leave();
            }
            browser::feed(Input::Closed(event.code()));
        });
        let message = Closure::new(|event: MessageEvent| {
            let text = event.data().dyn_into::<JsString>().map(String::from).unwrap_or_default();
            match json::read::<Frame>(&text) {
                Ok(frame) => browser::receive(frame),
                Err(error) => leptos::logging::warn!("a frame was not understood: {error}"),
            }
        });
        inner.set_onopen(Some(opened.as_ref().unchecked_ref()));
        inner.set_onclose(Some(closed.as_ref().unchecked_ref()));
        inner.set_onmessage(Some(message.as_ref().unchecked_ref()));
        Some(Self { inner, _opened: opened, _message: message, _closed: closed })
    }

    /// Sends a message; a socket that is closing meanwhile swallows it.
    pub fn send(&self, message: &ClientMessage) {
        if let Ok(text) = serde_json::to_string(message) {
            let _ = self.inner.send_with_str(&text);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.inner.set_onopen(None);
        self.inner.set_onclose(None);
        self.inner.set_onmessage(None);
        let _ = self.inner.close();
    }
}
