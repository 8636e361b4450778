//! What a route does besides limiting: queue, cache, retry, fallback.

use std::time::Duration;

use rad_model::Share;
use rad_resilience::cache::Tier;
use rad_resilience::hedge::MAX_HEDGES;
use rad_resilience::retry::{Jitter, RetryBudgetSettings, RetrySettings};
use rad_resilience::{BulkheadSettings, CacheSettings};

use super::super::read::{Table, duration, number, parsed, text, whole};
use super::{flag, share, some_time};

/// How long a request may wait for a place.
const MIN_WAIT: Duration = Duration::from_millis(1);
const MAX_WAIT: Duration = Duration::from_secs(3_600);

/// Where a limit that finds itself may go.
const ADAPTIVE_BOUNDS: (u32, u32) = (1, 10_000);

/// What the cache of all routes may take.
#[derive(Debug, Default)]
pub struct CacheBounds {
    pub kept: CacheSettings,
    /// While answers are collected, bytes; none if it is not said.
    pub collecting: Option<u64>,
}

impl CacheBounds {
    pub fn read(table: &mut Table<'_>) -> Self {
        let default = CacheSettings::default();
        let mib = whole(1..=1 << 20, Some("1 to 1048576 MiB"));
        let kib = whole(1..=1 << 20, Some("1 to 1048576 KiB"));
        let kept = CacheSettings {
            max_bytes: table.value("max_mib", &mib).map_or(default.max_bytes, |mib| u64::from(mib) << 20),
            max_entry_bytes: table.value("max_entry_kib", &kib).map_or(default.max_entry_bytes, |kib| {
                u32::try_from(u64::from(kib) << 10).unwrap_or(u32::MAX)
            }),
        };
        Self { kept, collecting: table.value("max_collecting_mib", &mib).map(|mib| u64::from(mib) << 20) }
    }
}

#[derive(Debug)]
pub struct Queue {
    pub bounds: BulkheadSettings,
    pub adaptive: Option<Adaptive>,
    pub priority: Option<String>,
}

/// How a limit finds itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adaptive {
    Gradient,
    Aimd,
}

impl Queue {
    /// The bounds within which an adaptive limit stays.
    pub const ADAPTIVE_BOUNDS: (u32, u32) = ADAPTIVE_BOUNDS;

    pub fn read(table: &mut Table<'_>) -> Self {
        let default = BulkheadSettings::default();
        let adaptive = parsed("a way to find the limit", "write gradient or aimd", |text| match text {
            "gradient" => Some(Adaptive::Gradient),
            "aimd" => Some(Adaptive::Aimd),
            _ => None,
        });
        let priority =
            parsed("where the priority stands", "write header:NAME, such as \"header:X-Priority\"", |text| {
                text.strip_prefix("header:").map(ToOwned::to_owned)
            });
        Self {
            bounds: BulkheadSettings {
                limit: table.value("limit", &whole(1..=16_777_215, None)).unwrap_or(default.limit),
                queue: table.value("waiting", &whole(0..=65_535, None)).unwrap_or(default.queue),
                max_wait: table.value("max_wait", &duration(MIN_WAIT..=MAX_WAIT)).unwrap_or(default.max_wait),
                high_water: None,
                low_water: None,
            },
            adaptive: table.value("adaptive", &adaptive),
            priority: table.value("priority", &priority),
        }
    }
}

#[derive(Debug)]
pub struct RouteCache {
    pub ttl: Option<Duration>,
    pub tier: Option<Tier>,
    pub stale_while_revalidate: Duration,
    pub stale_if_error: Duration,
    pub tags: Vec<String>,
    pub methods: Vec<http::Method>,
}

impl RouteCache {
    pub fn read(table: &mut Table<'_>) -> Self {
        let tier = parsed(
            "a tier",
            "write statistics_overview, distributions, trends, counts or search_results",
            |text| Tier::ALL.into_iter().find(|tier| tier.as_str() == text),
        );
        let method = parsed("a method whose answers can be kept", "write GET or POST", |text| match text {
            "GET" => Some(http::Method::GET),
            "POST" => Some(http::Method::POST),
            _ => None,
        });
        let tag = parsed("a tag", "write its name, such as \"search\"", |text| {
            (!text.trim().is_empty()).then(|| text.to_owned())
        });
        Self {
            ttl: table.value("ttl", &some_time()),
            tier: table.value("tier", &tier),
            stale_while_revalidate: table.value("stale_while_revalidate", &some_time()).unwrap_or_default(),
            stale_if_error: table.value("stale_if_error", &some_time()).unwrap_or_default(),
            tags: table.list("tags", &tag).unwrap_or_default(),
            methods: table.list("methods", &method).unwrap_or_else(|| vec![http::Method::GET]),
        }
    }
}

#[derive(Debug)]
pub struct Retry {
    pub settings: RetrySettings,
    /// Keys that stand there and change nothing, each with the kind of jitter that does without it.
    pub idle: Vec<(&'static str, &'static str)>,
    pub statuses: Vec<u16>,
    pub budget: RetryBudgetSettings,
}

impl Retry {
    pub fn read(table: &mut Table<'_>) -> Self {
        let default = RetrySettings::default();
        let budget = RetryBudgetSettings::default();
        let multiplier = number("a factor", "write a number of 1 to 100, such as 2", |factor| {
            (1.0..=100.0).contains(&factor).then_some(factor)
        });
        let jitter = table.value("jitter", &share());
        let kind = parsed("a kind of jitter", "write proportional, full, equal or decorrelated", |text| {
            ["proportional", "full", "equal", "decorrelated"].into_iter().find(|kind| *kind == text)
        });
        let kind = table.value("jitter_kind", &kind);
        let multiplier = table.value("multiplier", &multiplier);
        let mut idle = Vec::new();
        if let Some(kind) = kind.filter(|kind| *kind != "proportional") {
            idle.extend(jitter.is_some().then_some(("jitter", kind)));
            idle.extend((multiplier.is_some() && kind == "decorrelated").then_some(("multiplier", kind)));
        }
        let jitter = match (kind, jitter) {
            (Some("full"), _) => Jitter::Full,
            (Some("equal"), _) => Jitter::Equal,
            (Some("decorrelated"), _) => Jitter::Decorrelated,
            (_, Some(share)) => Jitter::Proportional(share),
            (_, None) => default.jitter,
        };
        let statuses = table.list("statuses", &whole(400..=599, None));
        Self {
            settings: RetrySettings {
                max_attempts: table
                    .value("max_attempts", &whole(1..=RetrySettings::MAX_ATTEMPTS, None))
                    .unwrap_or(default.max_attempts),
                base: table.value("base", &some_time()).unwrap_or(default.base),
                multiplier: multiplier.unwrap_or(default.multiplier),
                cap: table.value("cap", &some_time()).unwrap_or(default.cap),
                jitter,
                retry_after_cap: table
                    .value("retry_after_cap", &some_time())
                    .unwrap_or(default.retry_after_cap),
                attempt_deadline: table.value("attempt_deadline", &some_time()),
                overall_deadline: None,
                retry_non_idempotent: table.value("retry_non_idempotent", &flag()).unwrap_or_default(),
            },
            idle,
            statuses: statuses.map_or_else(
                || vec![502, 503, 504],
                |statuses| statuses.into_iter().filter_map(|status| u16::try_from(status).ok()).collect(),
            ),
            budget: RetryBudgetSettings {
                share: table.value("budget", &share()).unwrap_or_else(|| Share::clone(&budget.share)),
                minimum_per_second: table
                    .value("budget_minimum_per_second", &whole(0..=100_000, None))
                    .unwrap_or(budget.minimum_per_second),
                window: budget.window,
            },
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Hedge {
    pub after: Option<Duration>,
    pub max: u32,
}

impl Hedge {
    pub fn read(table: &mut Table<'_>) -> Self {
        Self {
            after: table.required("after", &some_time()),
            max: table.value("max", &whole(1..=MAX_HEDGES, None)).unwrap_or(1),
        }
    }
}

#[derive(Debug)]
pub struct Fallback {
    pub upstream: Option<String>,
    pub status: Option<u32>,
    pub body: Option<String>,
    pub content_type: Option<String>,
}

impl Fallback {
    pub fn read(table: &mut Table<'_>) -> Self {
        Self {
            upstream: table.value("upstream", &text("write the name of an upstream")),
            status: table.value("status", &whole(200..=599, None)),
            body: table.value("body", &text("write the answer's content")),
            content_type: table
                .value("content_type", &text("write a media type, such as \"application/json\"")),
        }
    }
}
