//! Who uses a limit, and how much of it is left for each.

use std::sync::Arc;

use leptos::prelude::*;
use rad_model::metrics::{KeyUse, RouteLimits};

use crate::components::{Card, Meter, Pill, Table, cell, holding, row};
use crate::format;
use crate::live::Asked;
use crate::settled::{Settled, settle};
use crate::signals::{flag, text};

type Known = Asked<Vec<RouteLimits>>;

/// One of them, by its route.
#[derive(Clone, Copy, Debug)]
struct Limit {
    limits: Known,
    path: StoredValue<String>,
}

impl Limit {
    fn keys(self) -> Vec<(String, usize)> {
        self.read(|limit| limit.top.iter().map(|user| user.key.clone()).zip(0..).collect())
            .unwrap_or_default()
    }

    fn read<T>(self, read: impl FnOnce(&RouteLimits) -> T) -> Option<T> {
        self.limits.with(|limits| {
            let found = self.path.with_value(|path| limits?.iter().find(|limit| limit.path == *path));
            found.map(read)
        })
    }
}

/// The card of a route's limit.
#[component]
pub fn Users(limits: Known, path: String, candidate: RwSignal<String>) -> impl IntoView {
    let limit = Limit { limits, path: StoredValue::new(path.clone()) };
    let of = move |read: fn(&RouteLimits) -> String| text(move || limit.read(read).unwrap_or_default());
    let count = move || limit.read(|limit| limit.top.len()).unwrap_or_default();
    let pill = settle(view! {
        <Pill tone=of(|limit| if limit.shadow { "warn" } else { "ok" }.to_owned())
            word=of(|limit| if limit.shadow { "in shadow" } else { "enforced" }.to_owned())/>
    });
    settle(view! {
        <Card id="limit" title=path class="acts" aside=pill>{settle(view! {
            <p class="says" data-testid="limit-says">{of(says)}</p>
            <p class="muted" hidden=flag(move || count() > 0)>"Nobody has used it lately."</p>
            <Table head=&HEAD hidden=flag(move || count() == 0) each=Arc::new(move || limit.keys()) row=Arc::new(move |at| user(limit, at, candidate))/>
            <p class="muted" data-testid="limit-counts">{of(counts)}</p>
        })}</Card>
    })
}

const HEAD: [(&str, &str); 5] = [
    ("", "Who, fullest first"),
    ("third", "Used"),
    ("num", "Requests"),
    ("num wide", "Whole again in"),
    ("", ""),
];

fn user(limit: Limit, at: usize, candidate: RwSignal<String>) -> Settled {
    // By its name, not its place, which changes.
    let key = untrack(|| limit.read(|limit| limit.top.get(at).map(|user| user.key.clone())).flatten());
    let name = StoredValue::new(key.unwrap_or_default());
    let read = move |read: fn(&KeyUse) -> String| {
        text(move || limit.read(|limit| found(limit, name).map(read)).flatten().unwrap_or_default())
    };
    let key = read(|user| user.key.clone());
    let share = Signal::derive(move || {
        limit.read(|limit| found(limit, name).map(share)).flatten().unwrap_or_default()
    });
    // Only clients can be blocked.
    let is_client = flag(move || limit.read(|limit| limit.key == "client").unwrap_or_default());
    let says = text(move || format!("Block {}", key.get()));
    let block = settle(view! {
        <a href="#block" class="button" aria-label=says hidden=flag(move || !is_client.get()) on:click=move |_| candidate.set(key.get_untracked())>
            "Block…"
        </a>
    });
    row(
        text(move || format!("user-{}", key.get())),
        vec![
            cell("mono one", key),
            holding("whole", settle(view! { <Meter share label=key/> })),
            cell("num one", read(used)),
            cell("num wide muted", read(|user| format::seconds(user.reset_ms))),
            holding("num acting", block),
        ],
    )
}

fn found(limit: &RouteLimits, name: StoredValue<String>) -> Option<&KeyUse> {
    name.with_value(|name| limit.top.iter().find(|user| user.key == *name))
}

fn share(user: &KeyUse) -> f64 {
    f64::from(user.used) / f64::from(user.capacity.max(1))
}

/// `190 of 200/minute`.
fn used(user: &KeyUse) -> String {
    let used = format::count(user.used.into());
    if user.capacity == user.limit.requests() {
        format!("{used} of {}", user.limit)
    } else {
        format!("{used} of {} at once, {}", format::count(user.capacity.into()), user.limit)
    }
}

/// What the policy is, in a sentence.
fn says(limit: &RouteLimits) -> String {
    let quotas: Vec<_> = limit.limits.iter().map(ToString::to_string).collect();
    let whom = match limit.key.as_str() {
        "client" => "each client address".to_owned(),
        "org" => "each organisation".to_owned(),
        "global" => "everybody together".to_owned(),
        "route" => "the route as a whole".to_owned(),
        key => format!("each {key}"),
    };
    let burst = limit.burst.map(|burst| format!(", at most {burst} at once")).unwrap_or_default();
    let strategy = limit.strategy.replace('_', " ");
    let shadow = if limit.shadow { " It only counts; nobody is rejected." } else { "" };
    format!("{} for {whom}, by {strategy}{burst}.{shadow}", quotas.join(" and "))
}

fn counts(limit: &RouteLimits) -> String {
    let rejected = if limit.shadow {
        format!("Would have rejected {}", format::count(limit.shadow_rejected))
    } else {
        format!("Rejected {}", format::count(limit.rejected))
    };
    let waited = match (limit.limit_waited, limit.limit_waiting) {
        (0, 0) => String::new(),
        (waited, waiting) => {
            format!(" {} waited for their turn, {} wait now.", format::count(waited), format::count(waiting))
        }
    };
    let forgotten = match limit.evicted {
        0 => String::new(),
        count => format!(" {} were forgotten early, for want of room.", format::count(count)),
    };
    format!(
        "{rejected} since the start.{waited} Remembers {} of at most {} keys in {}.{forgotten}",
        format::count(limit.keys),
        format::count(limit.max_keys),
        format::bytes(limit.memory_bytes)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> RouteLimits {
        RouteLimits {
            path: "/search".to_owned(),
            limits: vec!["200/minute".parse().unwrap(), "1000/hour".parse().unwrap()],
            key: "client".to_owned(),
            strategy: "token_bucket".to_owned(),
            rejected: 1_200,
            keys: 14,
            max_keys: 100_000,
            memory_bytes: 2_500,
            ..RouteLimits::default()
        }
    }

    #[test]
    fn a_policy_is_told_in_a_sentence() {
        assert_eq!(says(&limit()), "200/minute and 1000/hour for each client address, by token bucket.");
        let shadow = RouteLimits { shadow: true, burst: Some(20), ..limit() };
        assert_eq!(
            says(&shadow),
            "200/minute and 1000/hour for each client address, by token bucket, at most 20 at once. \
             It only counts; nobody is rejected."
        );
    }

    #[test]
    fn counts_say_what_shadow_would_have_done_and_what_was_forgotten_early() {
        assert_eq!(
            counts(&limit()),
            "Rejected 1,200 since the start. Remembers 14 of at most 100,000 keys in 2.5 kB."
        );
        let shadow = RouteLimits { shadow: true, shadow_rejected: 3, evicted: 7, ..limit() };
        assert!(counts(&shadow).starts_with("Would have rejected 3 since"));
        assert!(counts(&shadow).ends_with("7 were forgotten early, for want of room."));
    }

    #[test]
    fn a_burst_shows_beside_its_window() {
        let user = |capacity| KeyUse {
            key: "10.0.0.7".to_owned(),
            limit: "200/minute".parse().unwrap(),
            used: 19,
            capacity,
            reset_ms: 1,
        };
        assert_eq!(used(&user(200)), "19 of 200/minute");
        assert_eq!(used(&user(20)), "19 of 20 at once, 200/minute");
    }
}
