//! What a page would ask the API for as soon as it is there: told with the page, so that its first picture is
//! whole, also where no script runs.

use app::board::Board;
use serde::Serialize;

use super::{Console, audit, blocked, breakers, cache, flags, limits, plans};

/// Above this many keys the limits are not listed while a page waits for it; it asks for them itself.
const MOST_KEYS: usize = 20_000;

/// Paths of the API and what they would answer, for the page at an address that starts with a board.
pub fn of(console: &Console, address: &str, board: &Board) -> Vec<String> {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut parts = path.split('/').skip(1);
    let answers = match (parts.next(), parts.next()) {
        (Some("breakers"), name) => vec![breaker(console, name.unwrap_or_default(), board)],
        (Some("limits"), _) => vec![
            (limits::keys(console) <= MOST_KEYS)
                .then(|| answer("/api/limits", &limits::list(console)))
                .flatten(),
            answer("/api/blocked", &blocked::list(console)),
        ],
        (Some("queues"), _) => vec![answer("/api/queues", &cache::queue_figures(console))],
        (Some("rollouts"), _) => vec![answer("/api/plans", &plans::list(console))],
        (Some("flags"), key) => {
            let of = |key: &str| answer(&format!("/api/flags/{key}"), &flags::detail(console, key)?);
            vec![answer("/api/flags", &flags::list(console)), key.and_then(of)]
        }
        (Some("cache"), _) => vec![answer("/api/cache", &cache::figures(console))],
        (Some("audit"), _) => {
            let asks = app::pages::audit_asks(query);
            vec![audit::shown(console, &asks).and_then(|shown| answer(&asks, &shown))]
        }
        _ => vec![],
    };
    answers.into_iter().flatten().flatten().collect()
}

/// The one that is named, or else the one that the page shows then.
fn breaker(console: &Console, name: &str, board: &Board) -> Option<[String; 2]> {
    let written = |name: &str| name.replace(' ', "%20");
    let at = match name {
        "" => board.worst_breaker(),
        name => console.plan.targets.iter().position(|target| written(&target.name) == name)?,
    };
    let known = &console.plan.targets.get(at)?.name;
    answer(&format!("/api/breakers/{}", written(known)), &breakers::of(console, at)?)
}

fn answer(path: &str, of: &impl Serialize) -> Option<[String; 2]> {
    Some([path.to_owned(), serde_json::to_string(of).ok()?])
}
