//! The tables `[rollouts.NAME.shadow]`.

use std::time::Duration;

use http::{HeaderName, Method};

use super::super::read::{Table, duration, parsed, whole};
use super::share;
use crate::rollout::shadow::{Headers, Ignored, Rules, ShadowSettings};

const MIN_TIMEOUT: Duration = Duration::from_millis(10);
const MAX_TIMEOUT: Duration = Duration::from_mins(1);
/// Three answers are held for each, as far as they are looked at.
const MAX_IN_FLIGHT: u32 = 256;
const MAX_RATE: u32 = 10_000;
const MAX_BODY_KIB: u32 = 1_024;
/// All headers.
const ALL: &str = "*";
const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE, Method::POST];

/// One of the headers that matter.
#[derive(Debug)]
enum Header {
    Named(HeaderName),
    All,
}

pub fn read(table: &mut Table<'_>) -> ShadowSettings {
    let default = ShadowSettings::default();
    let method = parsed(
        "a method whose requests can be copied",
        "write GET, HEAD, OPTIONS, PUT, DELETE or POST",
        |text| METHODS.into_iter().find(|method| method.as_str() == text),
    );
    let ignored = parsed(
        "a part of answers",
        "write a path, such as \"$.hits.*.score\", or a header, such as \"header:date\"",
        Ignored::parse,
    );
    let kib = whole(1..=MAX_BODY_KIB, Some("1 to 1024 KiB"));
    ShadowSettings {
        share: table.value("percent", &share()).unwrap_or(default.share),
        max_in_flight: table
            .value("max_in_flight", &whole(1..=MAX_IN_FLIGHT, None))
            .unwrap_or(default.max_in_flight),
        requests_per_second: table
            .value("requests_per_second", &whole(1..=MAX_RATE, None))
            .unwrap_or(default.requests_per_second),
        timeout: table.value("timeout", &duration(MIN_TIMEOUT..=MAX_TIMEOUT)).unwrap_or(default.timeout),
        max_body: table.value("max_body_kib", &kib).map_or(default.max_body, |kib| (kib as usize) << 10),
        methods: table.list("methods", &method).unwrap_or(default.methods),
        rules: Rules {
            headers: headers(table).unwrap_or(default.rules.headers),
            ignore: table.list("ignore", &ignored).unwrap_or_default(),
        },
    }
}

fn headers(table: &mut Table<'_>) -> Option<Headers> {
    let header = parsed("a header", "write its name, such as \"content-type\", or \"*\" for all", |text| {
        if text == ALL { Some(Header::All) } else { text.parse().ok().map(Header::Named) }
    });
    let mut named = Vec::new();
    for header in table.list("headers", &header)? {
        match header {
            Header::All => return Some(Headers::All),
            Header::Named(name) => named.push(name),
        }
    }
    Some(Headers::Named(named))
}
