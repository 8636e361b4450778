//! The keys of a rollout that say when it goes forwards by itself.

use super::super::super::read::{Kind, Table, Wrong, parsed};
use super::super::super::tree::Value;
use crate::rollout::{Calendar, calendar};

/// When a rollout starts by itself, milliseconds since 1970, and when it may go forwards.
pub fn read(table: &mut Table<'_>) -> (Option<u64>, Calendar) {
    let window = parsed(
        "hours of a week",
        "write days and hours, such as \"Mon-Fri 09:00-16:00\"",
        calendar::Window::parse,
    );
    let freeze = parsed(
        "days on which nothing moves",
        "write the first and the last, such as \"2026-12-24/2027-01-02\"",
        calendar::Freeze::parse,
    );
    let zone = parsed("a time zone", "write its name, such as \"Europe/Berlin\" or \"UTC\"", calendar::zone);
    let start_at = table.value("start_at", &moment());
    let zone = table.value("time_zone", &zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let windows = table.list("promote_between", &window).unwrap_or_default();
    let freezes = table.list("freeze", &freeze).unwrap_or_default();
    (start_at, Calendar::new(zone, windows, freezes))
}

fn moment() -> Kind<u64> {
    let how =
        "write date, time and offset, such as \"2026-12-01T08:00:00Z\" or \"2026-12-01T09:00:00+01:00\"";
    Kind::new("a moment", how, |value| match value {
        // TOML has moments of its own.
        Value::Text(text) | Value::Other(text) => calendar::moment(text).ok_or(Wrong::Kind),
        _ => Err(Wrong::Kind),
    })
}
