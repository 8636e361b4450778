//! Lines for people.

use std::io::Write;
use std::time::SystemTime;

use super::{Line, Value};

pub(super) fn write(line: &Line<'_>, now: SystemTime, into: &mut Vec<u8>) {
    let time = humantime::format_rfc3339_millis(now).to_string();
    // The time of day is enough for who is looking on.
    let time = time.get(11..23).unwrap_or(&time);
    let _ = write!(into, "{time} {:5} {}", line.level.word(), line.event);
    for (name, value) in line.fields {
        let _ = match value {
            Value::Text(text) => write!(into, "  {name}={}", text.escape_debug()),
            Value::Display(value) => write!(into, "  {name}={}", value.to_string().escape_debug()),
            Value::Count(count) => write!(into, "  {name}={count}"),
            Value::Micros(us) => write!(into, "  {name}={}.{:03}", us / 1_000, us % 1_000),
        };
    }
    into.push(b'\n');
}
