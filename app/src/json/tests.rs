use rad_model::{ClientMessage, Event, Frame, LabState, Share};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Malformed, read};

#[derive(Debug, PartialEq, Deserialize)]
struct Row {
    name: String,
    #[serde(default)]
    share: Option<f64>,
    #[serde(default)]
    counts: Vec<i32>,
}

fn row(text: &str) -> Result<Row, Malformed> {
    read(text)
}

/// Reads as `serde_json` does.
fn agrees<T: DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str) -> T {
    let expected: T = serde_json::from_str(text).unwrap();
    assert_eq!(read::<T>(text).as_ref(), Ok(&expected), "{text}");
    expected
}

#[test]
fn what_is_written_elsewhere_is_read_alike() {
    agrees::<Row>(r#" { "name" : "a\"\\\/\n\u00e9\ud83d\ude00ü" , "share" : null , "counts" : [ ] } "#);
    agrees::<Row>(r#"{"name":"","share":0.25,"counts":[1,-2,0]}"#);
    agrees::<Row>(r#"{"x":{"y":[1,"}",{"z":null}]},"name":"n","w":true,"v":-1.5e3}"#);
    agrees::<Vec<Option<bool>>>("[true,false,null]");
    agrees::<(u64, i64)>("[18446744073709551615,-9223372036854775807]");
    agrees::<serde_json::Value>(r#"{"a":[null,true,1,-1,0.5,"x",{}]}"#);
}

#[test]
fn frames_are_read_as_they_are_written() {
    for text in [
        r#"{"type":"event","seq":7,"at_ms":5,"kind":"metrics_reset"}"#,
        r#"{"type":"event","seq":8,"at_ms":5,"kind":"breaker_half_open","breaker":"search","after_ms":9}"#,
        r#"{"type":"hello","epoch":"a","seq":3,"interval_ms":1000,"resume":{"missed":[]}}"#,
    ] {
        agrees::<Frame>(text);
    }
    agrees::<Event>(r#"{"seq":1,"at_ms":2,"kind":"traffic_changed","requests_per_second":20}"#);
    agrees::<Share>("12.5");
    assert_eq!(read::<Share>("101"), Err(Malformed));
    assert!(read::<ClientMessage>("[]").is_err());
    agrees::<Option<LabState>>("null");
}

#[test]
fn figures_are_exact_to_the_last_digit_that_anybody_writes() {
    for text in ["0", "-0", "0.1", "3.14", "99.46", "1e3", "1E-3", "2.5e+2", "123456789.123456", "-0.004"] {
        assert_eq!(read::<f64>(text), Ok(text.parse().unwrap()), "{text}");
    }
    // More than 64 bits hold.
    let long: f64 = read("123456789012345678901234567890.5").unwrap();
    assert!((long / 123_456_789_012_345_678_901_234_567_890.5 - 1.0).abs() < 1e-15);
    assert_eq!(read::<f64>("1e-400"), Ok(0.0));
    assert_eq!(read::<f64>("1e400"), Err(Malformed));
}

#[test]
fn what_is_no_json_is_refused() {
    for text in [
        "",
        "{",
        "[1",
        "[1,]",
        "[,1]",
        "{\"a\":1,}",
        "{\"a\"}",
        "nul",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\u12\"",
        "\"\\ué\"",
        "\"a\nb\"",
        "1 2",
        "[1]]",
        "é",
    ] {
        assert!(read::<serde_json::Value>(text).is_err(), "{text}");
        assert!(read::<serde::de::IgnoredAny>(text).is_err(), "{text}, left out");
    }
}

#[test]
fn what_has_another_form_is_refused() {
    for text in [r#"{"name":1}"#, r#"{}"#, r#"["a"]"#, r#"{"name":"a","counts":[1.5]}"#, "null", r#""name""#]
    {
        assert_eq!(row(text), Err(Malformed), "{text}");
    }
    assert_eq!(row(r#"{"name":"a","counts":[3000000000]}"#), Err(Malformed));
}

#[test]
fn what_is_left_out_is_left_out_at_a_bounded_depth() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read::<serde::de::IgnoredAny>(&nested(60)).is_ok());
    assert_eq!(read::<serde::de::IgnoredAny>(&nested(100_000)).err(), Some(Malformed));
}
