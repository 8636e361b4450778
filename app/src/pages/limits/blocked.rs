//! Who is kept out, for how long and why; and the way to change that.

use std::sync::Arc;

use leptos::prelude::*;
use rad_model::Call;
use serde::Deserialize;

use crate::components::{
    Card, Choices, Outcome, OutcomeLine, Table, Why, act, button, cell, holding, line, post, quoted, row,
};
use crate::format;
use crate::live::{Asked, Live, use_live};
use crate::settled::{Settled, settle};
use crate::signals::{flag, text};

/// What the API takes, and what the button says.
const TIMES: [(&str, &str); 4] = [("10m", "10 min"), ("1h", "1 h"), ("1day", "1 day"), ("", "For good")];

/// What the page reads of one of `GET /api/blocked`.
#[derive(Clone, Debug, Deserialize)]
struct Entry {
    address: String,
    #[serde(default)]
    until_ms: Option<u64>,
    /// The reason, and what the block has turned away.
    why: String,
    by: String,
}

/// The list, and what became of the last press.
#[derive(Clone, Copy, Debug)]
struct List {
    live: Live,
    all: Asked<Vec<Entry>>,
    why: Why,
    outcome: RwSignal<Outcome>,
}

impl List {
    /// By its address, not its place: what is above it may change between a look and a press.
    fn entry(self, address: &str) -> Option<Entry> {
        self.all.read(|all| all.iter().find(|blocked| blocked.address == address).cloned())
    }

    /// Shows what was changed.
    fn again(self) -> Callback<String> {
        Callback::new(move |_| {
            self.why.clear();
            self.all.again();
        })
    }

    fn addresses(self) -> Vec<(String, usize)> {
        self.all.read(|all| all.iter().map(|blocked| blocked.address.clone()).zip(0..).collect())
    }

    /// Milliseconds until it ends; none if it does not.
    fn left(self, blocked: &Entry) -> Option<u64> {
        let now = self.live.board.with(crate::board::Board::at_ms);
        Some(blocked.until_ms?.saturating_sub(now))
    }
}

/// The card of the blocked clients.
#[component]
pub fn Blocked(candidate: RwSignal<String>) -> impl IntoView {
    let list = List {
        live: use_live(),
        all: Asked::new("/api/blocked"),
        why: Why::new(),
        outcome: RwSignal::new(Outcome::default()),
    };
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
        let lasts = TIMES.get(time.get_untracked()).map_or("", |(lasts, _)| *lasts);
        let Some(reason) = list.why.given(list.outcome) else { return };
        let body = body(&address, lasts, &reason);
        let done = Callback::new(move |text| {
            candidate.set(String::new());
            list.again().run(text);
        });
        act(list.outcome, post("/api/blocked".to_owned(), body), done);
    };
    let times = TIMES.map(|(lasts, says)| (format!("block-for-{lasts}"), says.to_owned())).to_vec();
    let in_force = Signal::derive(move || Some(time.get()));
    let says = text(|| "Block".to_owned());
    settle(view! {
        <Card id="block" title="Blocked clients" class="acts" hint="Their requests are answered with 429, on every route, until the time is over.">{settle(view! {
            {list.all.doubt()}
            <p class="muted" hidden=flag(move || list.all.with(|all| all.is_none_or(|all| !all.is_empty())))>"Nobody is blocked."</p>
            <Table head=&HEAD hidden=flag(move || count() == 0) each=Arc::new(move || list.addresses()) row=Arc::new(move |at| blocked(list, at))/>
            <form class="acting" onsubmit="return false" novalidate>
                <Choices label="For how long" each=times in_force busy press=Callback::new(move |at| time.set(at))/>
                <div class="actions">
                    {line(candidate, "Address, such as 203.0.113.7", "Client to block", "60")}
                    {list.why.field("Reason for the block")}
                    {button(("danger", "block".to_owned()), says, says, busy, Callback::new(move |()| block()))}
                </div>
            </form>
            <OutcomeLine outcome=list.outcome error="block-error" done=list.again()/>
        })}</Card>
    })
}

const HEAD: [(&str, &str); 5] = [("", "Client"), ("", "Lasts"), ("half", "Why"), ("wide", "By"), ("", "")];

fn blocked(list: List, at: usize) -> Settled {
    let address = list.all.peek(|all| all.get(at).map(|blocked| blocked.address.clone()));
    let address = StoredValue::new(address.unwrap_or_default());
    let entry = move || address.with_value(|address| list.entry(address));
    let of = move |read: fn(&Entry) -> String| text(move || entry().as_ref().map(read).unwrap_or_default());
    let address = of(|blocked| blocked.address.clone());
    let left = move || entry().and_then(|blocked| list.left(&blocked));
    let lasts =
        text(move || left().map_or("for good".to_owned(), |ms| format!("{} more", format::length(ms))));
    let unblock = Callback::new(move |()| {
        let Some(reason) = list.why.given(list.outcome) else { return };
        let path = format!("/api/blocked/{}", address.get_untracked());
        let call = Call { method: "DELETE".to_owned(), path, body: format!("{{\"reason\":{reason}}}") };
        act(list.outcome, call, list.again());
    });
    let label = text(move || format!("Unblock {}", address.get()));
    let says = text(|| "Unblock".to_owned());
    let button = button(("", "unblock".to_owned()), says, label, flag(|| false), unblock);
    row(
        text(move || format!("blocked-{}", address.get())),
        vec![
            cell("mono one", address),
            cell("next", lasts),
            cell("whole", of(|blocked| blocked.why.clone())),
            cell("muted wide", of(|blocked| blocked.by.clone())),
            holding("num acting", button),
        ],
    )
}

/// As the API takes it; the reason is JSON.
fn body(address: &str, lasts: &str, reason: &str) -> String {
    format!("{{\"address\":{},\"for\":{},\"reason\":{}}}", quoted(address), quoted(lasts), reason)
}
