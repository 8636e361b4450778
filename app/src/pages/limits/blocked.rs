//! Who is kept out, for how long and why; and the way to change that.

use std::sync::Arc;

use leptos::prelude::*;
use rad_model::metrics::BlockedAddress;

use crate::components::{Card, Choices, Outcome, OutcomeLine, Table, act, cell, holding, row};
use crate::format;
use crate::live::{Asked, Live, use_live};
use crate::settled::{Settled, settle};
use crate::signals::{aria, flag, text};

/// What the API takes, and what the button says.
const TIMES: [(&str, &str); 4] = [("10m", "10 min"), ("1h", "1 h"), ("1day", "1 day"), ("", "For good")];

/// The list, and what became of the last press.
#[derive(Clone, Copy, Debug)]
struct List {
    live: Live,
    all: Asked<Vec<BlockedAddress>>,
    outcome: RwSignal<Outcome>,
}

impl List {
    /// By its address, not its place: what is above it may change between a look and a press.
    fn entry(self, address: &str) -> Option<BlockedAddress> {
        self.all.read(|all| all.iter().find(|blocked| blocked.address == address).cloned())
    }

    fn addresses(self) -> Vec<(String, usize)> {
        self.all.read(|all| all.iter().map(|blocked| blocked.address.clone()).zip(0..).collect())
    }

    /// Blocks, with a body as the API takes it; `said` is told once it is done.
    fn block(self, body: String, address: String, done: impl FnOnce() + 'static) {
        // A block that replaces another leads back to that one.
        let before = self.entry(&address).map(|before| self.again(&before));
        let done = move |_: &str| {
            done();
            self.all.again();
            Outcome::Done { said: format!("Blocked {address}."), undo: before.unwrap_or(address) }
        };
        act(self.outcome, "POST", "/api/blocked".to_owned(), body, Box::new(done));
    }

    /// The body that blocks as `blocked` is, for what is left of its time.
    fn again(self, blocked: &BlockedAddress) -> String {
        let lasts = self.left(blocked).map(|ms| format!("{}s", ms.div_ceil(1_000).max(1)));
        body(&blocked.address, &lasts.unwrap_or_default(), &blocked.reason)
    }

    /// Milliseconds until it ends; none if it does not.
    fn left(self, blocked: &BlockedAddress) -> Option<u64> {
        let now = self.live.board.with(crate::board::Board::at_ms);
        Some(blocked.until_ms?.saturating_sub(now))
    }

    /// Unblocks; `undo` is the body that blocks again.
    fn unblock(self, address: String, undo: String) {
        let url = format!("/api/blocked/{address}");
        let done = move |_: &str| {
            self.all.again();
            Outcome::Done { said: format!("Unblocked {address}."), undo }
        };
        act(self.outcome, "DELETE", url, String::new(), Box::new(done));
    }
}

/// The card of the blocked clients.
#[component]
pub fn Blocked(candidate: RwSignal<String>) -> impl IntoView {
    let list = List {
        live: use_live(),
        all: Asked::new("/api/blocked"),
        outcome: RwSignal::new(Outcome::default()),
    };
    let why = RwSignal::new(String::new());
    let time = RwSignal::new(0);
    let count = move || list.all.read(Vec::len);
    let busy = flag(move || list.outcome.with(|outcome| *outcome == Outcome::Under));
    let block = move || {
        let address = candidate.get_untracked().trim().to_owned();
        if address.is_empty() {
            list.outcome
                .set(Outcome::Failed("Which client? Write its address, such as 203.0.113.7.".to_owned()));
            return;
        }
        let (lasts, _) = TIMES[time.get_untracked()];
        let done = move || {
            candidate.set(String::new());
            why.set(String::new());
        };
        list.block(body(&address, lasts, why.get_untracked().trim()), address, done);
    };
    let undo = Callback::new(move |before: String| {
        if before.starts_with('{') {
            let address = address_of(&before);
            list.block(before, address, || {});
        } else {
            list.unblock(before, String::new());
        }
    });
    let times = TIMES.map(|(lasts, says)| (format!("block-for-{lasts}"), says.to_owned())).to_vec();
    let in_force = Signal::derive(move || Some(time.get()));
    settle(view! {
        <Card id="block" title="Blocked clients" class="acts" hint="Their requests are answered with 429, on every route, until the time is over.">{settle(view! {
            <p class="muted" hidden=flag(move || list.all.with(|all| all.is_none_or(|all| !all.is_empty())))>"Nobody is blocked."</p>
            <Table head=&HEAD hidden=flag(move || count() == 0) each=Arc::new(move || list.addresses()) row=Arc::new(move |at| blocked(list, at))/>
            <form class="acting" onsubmit="return false">
                <Choices label="For how long" each=times in_force busy press=Callback::new(move |at| time.set(at))/>
                <div class="actions">
                    <input type="text" maxlength="60" placeholder="Address, such as 203.0.113.7" aria-label="Client to block"
                        prop:value=candidate on:input=move |event| candidate.set(event_target_value(&event))/>
                    <input type="text" maxlength="200" placeholder="Why (optional)" aria-label="Reason for the block"
                        prop:value=why on:input=move |event| why.set(event_target_value(&event))/>
                    <button type="submit" class="danger" data-testid="block" aria-disabled=aria(move || busy.get()) on:click=move |_| block()>"Block"</button>
                </div>
            </form>
            <OutcomeLine outcome=list.outcome error="block-error" undo/>
        })}</Card>
    })
}

const HEAD: [(&str, &str); 5] = [("", "Client"), ("", "Lasts"), ("half", "Why"), ("wide", "By"), ("", "")];

fn blocked(list: List, at: usize) -> Settled {
    let address = list.all.peek(|all| all.get(at).map(|blocked| blocked.address.clone()));
    let address = StoredValue::new(address.unwrap_or_default());
    let entry = move || address.with_value(|address| list.entry(address));
    let of = move |read: fn(&BlockedAddress) -> String| {
        text(move || entry().as_ref().map(read).unwrap_or_default())
    };
    let address = of(|blocked| blocked.address.clone());
    let left = move || entry().and_then(|blocked| list.left(&blocked));
    let lasts =
        text(move || left().map_or("for good".to_owned(), |ms| format!("{} more", format::length(ms))));
    let unblock = move |_| {
        let Some(blocked) = entry() else { return };
        let undo = list.again(&blocked);
        list.unblock(blocked.address, undo);
    };
    let button = settle(view! {
        <button aria-label=text(move || format!("Unblock {}", address.get())) on:click=unblock>"Unblock"</button>
    });
    row(
        text(move || format!("blocked-{}", address.get())),
        vec![
            cell("mono one", address),
            cell("next", lasts),
            cell("whole", of(|blocked| blocked.reason.clone())),
            cell("muted wide", of(by)),
            holding("num acting", button),
        ],
    )
}

fn by(blocked: &BlockedAddress) -> String {
    match (blocked.by_hand, blocked.repetition) {
        (true, _) => "hand".to_owned(),
        (false, 0 | 1) => "limits".to_owned(),
        (false, times) => format!("limits, {times} times in a row"),
    }
}

/// As the API takes it.
fn body(address: &str, lasts: &str, reason: &str) -> String {
    let text = |text: &str| serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned());
    format!("{{\"address\":{},\"for\":{},\"reason\":{}}}", text(address), text(lasts), text(reason))
}

/// The address in a body that was made here: what stands in its fourth quotes.
fn address_of(body: &str) -> String {
    body.split('"').nth(3).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_undoes_an_unblock_names_the_address_it_blocks_again() {
        let body = body("2001:db8::/64", "42s", "said \"no\"");
        assert_eq!(address_of(&body), "2001:db8::/64");
        let read: BlockAgain = serde_json::from_str(&body).unwrap();
        assert_eq!((read.lasts.as_str(), read.reason.as_str()), ("42s", "said \"no\""));
    }

    #[derive(serde::Deserialize)]
    struct BlockAgain {
        #[serde(rename = "for")]
        lasts: String,
        reason: String,
    }
}
