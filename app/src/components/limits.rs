//! Which limits are in use, by whom, and what they reject.

use std::cmp::Reverse;
use std::sync::Arc;

use leptos::prelude::*;
use rad_model::Route;

use super::table::link;
use super::{Card, Meter, Table, cell, holding, numbered, row};
use crate::board::Board;
use crate::chart::limits::LIMITS;
use crate::chart::plot::{Legend, Model, Plot};
use crate::format;
use crate::live::use_live;
use crate::look::{query, use_look};
use crate::settled::{Settled, settle};
use crate::signals::{flag, text};

/// More rows than these are shown on demand.
const FEW: usize = 8;

/// How its limit is used.
#[derive(Clone, Debug, Default, PartialEq)]
struct Use {
    share: f64,
    rejected: u32,
    who: String,
}

/// The card of the limits.
#[component]
pub fn Limits(
    /// On the page that shows one of them in full: its route.
    #[prop(optional)]
    chosen: Option<Signal<String>>,
) -> impl IntoView {
    let live = use_live();
    let model = Model::new(&LIMITS);
    let all = RwSignal::new(false);
    let list = Memo::new(move |_| live.board.with(busiest_first));
    let count = move || list.with(Vec::len);
    let more =
        text(
            move || {
                if all.get() { "Show the busiest only".to_owned() } else { format!("Show all {}", count()) }
            },
        );
    let shown = move || {
        let mut list = list.get();
        list.truncate(if all.get() { usize::MAX } else { FEW });
        numbered(list)
    };
    settle(view! {
        <Card id="limits" title="Limits" hint=LIMITS.hint aside=settle(view! { <Legend model/> })>{settle(view! {
            <Plot model/>
            <p class="muted" hidden=flag(move || count() > 0)>"No route is limited: limits = [\"200/minute\"] in a [[routes]] section changes that."</p>
            <Table head=&HEAD hidden=flag(move || count() == 0) each=Arc::new(shown) row=Arc::new(move |at| limit(at, chosen))/>
            <button class="more" hidden=flag(move || count() <= FEW) on:click=move |_| all.update(|all| *all = !*all)>
                {more}
            </button>
        })}</Card>
    })
}

const HEAD: [(&str, &str); 5] = [
    ("", "Route, busiest first"),
    ("", "Policy"),
    ("third", "Used by its busiest client"),
    ("num wide", "Rejected in a minute"),
    ("wide", "Who"),
];

fn limit(route: usize, chosen: Option<Signal<String>>) -> Settled {
    let (live, look) = (use_live(), use_look());
    let of_route = move |read: fn(&Route) -> String| {
        live.topology.with(|topology| topology.routes.get(route).map(read).unwrap_or_default())
    };
    let path = text(move || of_route(|route| route.path.clone()));
    let href = text(move || format!("/limits{}", query(look.range.get(), &path.get())));
    let usage = Memo::new(move |_| live.board.with(|board| usage(board, route)));
    let rejected = move || usage.with(|usage| usage.rejected);
    let link = link(href, path, chosen);
    let meter = settle(view! {
        <Meter share=Signal::derive(move || usage.with(|usage| usage.share)) label=path/>
    });
    let count = settle(view! {
        <span class:bad-text=flag(move || rejected() > 0)>{text(move || format::count(u64::from(rejected())))}</span>
    });
    row(
        text(move || format!("limit-{}", path.get())),
        vec![
            holding("mono", link),
            cell("muted", text(move || of_route(policy))),
            holding("whole", meter),
            holding("num wide", count),
            cell("mono wide", text(move || usage.with(|usage| usage.who.clone()))),
        ],
    )
}

fn usage(board: &Board, route: usize) -> Use {
    let route = u32::try_from(route).unwrap_or(u32::MAX);
    let fullest = board.route(route).and_then(|tick| tick.fullest.as_ref());
    Use {
        share: fullest.map_or(0.0, rad_model::LimitUse::share),
        rejected: board.rejected_in_a_minute(route),
        who: fullest.map_or("–".to_owned(), |fullest| fullest.key.clone()),
    }
}

fn policy(route: &Route) -> String {
    let limits: Vec<_> = route.limits.iter().map(ToString::to_string).collect();
    let shadow = if route.shadow { ", in shadow" } else { "" };
    format!("{} · {}{shadow}", limits.join(", "), route.key)
}

/// The route whose limit rejects most, or else is the fullest; of equals the first. Empty where none is limited.
#[must_use]
pub fn worst_limit(board: &Board) -> String {
    let routes = &board.snapshot.topology.routes;
    let rank = |at: &usize| {
        let usage = usage(board, *at);
        (usage.rejected, format::whole(usage.share * 10.0))
    };
    let limited =
        (0..routes.len()).filter(|at| routes.get(*at).is_some_and(|route| !route.limits.is_empty()));
    let worst = limited.rev().max_by_key(rank).and_then(|at| routes.get(at));
    worst.map(|route| route.path.clone()).unwrap_or_default()
}

/// The limited routes, in steps of a tenth, so that rows do not change places every second.
fn busiest_first(board: &Board) -> Vec<usize> {
    let routes = board.snapshot.topology.routes.iter().enumerate();
    let mut list: Vec<_> = routes.filter(|(_, route)| !route.limits.is_empty()).map(|(at, _)| at).collect();
    list.sort_by_cached_key(|route| {
        let usage = usage(board, *route);
        Reverse((usage.rejected > 0, format::whole(usage.share * 10.0)))
    });
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use rad_model::{Destination, LimitUse, RouteTick, Tick};

    #[test]
    fn the_fullest_limit_comes_first_and_unlimited_routes_not_at_all() {
        let mut board = Board::default();
        let limit = "10/minute".parse().unwrap();
        for (path, limits) in [("/a", vec![limit]), ("/free", vec![]), ("/b", vec![limit])] {
            let (to, key) = (Destination::Static, "client".to_owned());
            board.snapshot.topology.routes.push(Route {
                path: path.to_owned(),
                to,
                limits,
                key,
                shadow: false,
            });
        }
        let fullest = Some(LimitUse { key: "10.0.0.7".to_owned(), limit, used: 9, capacity: 10 });
        let tick = RouteTick { route: 2, requests: 1, limited: 0, failed: 0, p99_us: 0, fullest };
        board.snapshot.routes.push(tick);
        let list = busiest_first(&board);
        assert_eq!(list, [2, 0]);
        assert_eq!(policy(&board.snapshot.topology.routes[2]), "10/minute · client");
        assert_eq!(usage(&board, 2).who, "10.0.0.7");
        assert_eq!(worst_limit(&board), "/b");
        let rejecting = RouteTick { route: 0, requests: 1, limited: 1, failed: 0, p99_us: 0, fullest: None };
        board.snapshot.rejections.push(&Tick { routes: vec![rejecting], ..Tick::default() });
        assert_eq!(worst_limit(&board), "/a");
    }
}
