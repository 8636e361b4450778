//! Lines for machines.

use std::io::Write;
use std::time::SystemTime;

use super::{Line, Value};

pub(super) fn write(line: &Line<'_>, now: SystemTime, into: &mut Vec<u8>) {
    let _ = write!(into, "{{\"timestamp\":\"{}\"", humantime::format_rfc3339_millis(now));
    let _ = write!(into, ",\"level\":\"{}\",\"event\":\"{}\"", line.level.word(), line.event);
    for (name, value) in line.fields {
        let _ = write!(into, ",\"{name}\":");
        match value {
            Value::Text(text) => string(text, into),
            Value::Display(value) => string(&value.to_string(), into),
            Value::Count(count) => {
                let _ = write!(into, "{count}");
            }
            Value::Micros(us) => {
                let _ = write!(into, "{}.{:03}", us / 1_000, us % 1_000);
            }
        }
    }
    into.extend_from_slice(b"}\n");
}

fn string(text: &str, into: &mut Vec<u8>) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        into.push(b'"');
        into.extend_from_slice(text.as_bytes());
        into.push(b'"');
    } else {
        // Writing a string into a buffer cannot fail.
        let _ = serde_json::to_writer(into, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::log::Level;

    #[test]
    fn a_line_is_one_json_object_whatever_is_in_it() {
        let mut buffer = Vec::new();
        let fields = [
            ("path", Value::Text("/a\"b\\c\nd\u{1}é")),
            ("duration_ms", Value::Micros(12_034)),
            ("status", Value::Count(200)),
        ];
        let line = Line { level: Level::Warn, event: "query_execute_error", fields: &fields };
        write(&line, SystemTime::UNIX_EPOCH, &mut buffer);
        let value: serde_json::Value = serde_json::from_slice(&buffer).unwrap();
        assert_eq!(value["timestamp"], "1970-01-01T00:00:00.000Z");
        assert_eq!(value["level"], "warn");
        assert_eq!(value["path"], "/a\"b\\c\nd\u{1}é");
        assert_eq!(value["duration_ms"], 12.034);
        assert_eq!(buffer.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}
