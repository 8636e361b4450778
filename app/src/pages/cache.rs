//! What is kept of the upstreams' answers, what that saves, and how to invalidate it.

mod invalidate;

use std::sync::Arc;

use leptos::prelude::*;
use rad_model::metrics::{CacheMetrics, CachedRoute};

use crate::chart::Chart;
use crate::chart::cache::CACHE;
use crate::components::{Card, Meter, Table, cell, holding, numbered, row};
use crate::format;
use crate::live::Asked;
use crate::settled::{Settled, settle};
use crate::signals::{flag, text};
use invalidate::Invalidate;

type Known = Asked<CacheMetrics>;

/// The cache's page.
pub fn page() -> Settled {
    let cache: Known = Asked::new("/api/cache");
    let count = move || cache.read(|cache| cache.routes.len());
    let none = flag(move || cache.read(|cache| cache.routes.is_empty()));
    settle(view! {
        <Chart spec=&CACHE/>
        <div class="pair">
            <Saved cache/>
            <Invalidate cache/>
        </div>
        <Card id="cached" title="Routes that are cached">{settle(view! {
            {cache.doubt()}
            <p class="muted" hidden=flag(move || !none.get())>
                "No route is cached: cache = { ttl = \"30s\" } in a [[routes]] section keeps its answers for half a minute."
            </p>
            <Table head=&HEAD hidden=flag(move || count() == 0) each=Arc::new(move || numbered(0..count())) row=Arc::new(move |at| route(cache, at))/>
        })}</Card>
    })
}

const HEAD: [(&str, &str); 5] = [
    ("", "Route"),
    ("third", "From the cache, or shared"),
    ("num", "Of"),
    ("", "Kept for"),
    ("wide", "Tags"),
];

fn route(cache: Known, at: usize) -> Settled {
    let of = move |read: fn(&CachedRoute) -> String| {
        text(move || cache.read(|cache| cache.routes.get(at).map(read)).unwrap_or_default())
    };
    let path = of(|route| format!("{} {}", route.methods.join(", "), route.path));
    let share =
        Signal::derive(move || cache.read(|cache| cache.routes.get(at).map(share)).unwrap_or_default());
    row(
        of(|route| format!("cached-{}", route.path)),
        vec![
            cell("mono", path),
            holding("whole", settle(view! { <Meter share label=path calm=true/> })),
            cell("num whole", of(lookups)),
            cell("whole", of(kept)),
            cell("muted wide", of(|route| route.tags.join(", "))),
        ],
    )
}

fn lookups(route: &CachedRoute) -> String {
    let count = route.served + route.loaded;
    format!("{} {}", format::count(count), if count == 1 { "lookup" } else { "lookups" })
}

fn share(route: &CachedRoute) -> f64 {
    format::approximate(route.served) / format::approximate((route.served + route.loaded).max(1))
}

/// `30 s, 1 min more while it is loaded anew, 10 min more if the upstream fails`.
fn kept(route: &CachedRoute) -> String {
    let mut kept = format::length(route.ttl_ms);
    for (ms, word) in [
        (route.stale_while_revalidate_ms, "while it is loaded anew"),
        (route.stale_if_error_ms, "if the upstream fails"),
    ] {
        if ms > 0 {
            kept.push_str(&format!(", {} more {word}", format::length(ms)));
        }
    }
    kept
}

/// What it did since the start.
#[component]
fn Saved(cache: Known) -> impl IntoView {
    let of = move |read: fn(&CacheMetrics) -> String| text(move || cache.read(read));
    let share = move |read: fn(&CacheMetrics) -> f64| Signal::derive(move || cache.read(read));
    let figure = move |name: &'static str,
                       value: fn(&CacheMetrics) -> f64,
                       says: fn(&CacheMetrics) -> String| {
        let calm = name != "Memory";
        settle(view! {
            <tr>
                <td>{name}</td>
                <td class="third"><Meter share=share(value) label=text(move || name.to_owned()) calm/></td>
                <td class="muted whole">{of(says)}</td>
            </tr>
        })
    };
    settle(view! {
        <Card id="saved" title="Since the start">{settle(view! {
            {cache.doubt()}
            <table class="rows figures" data-testid="cache-figures" hidden=flag(move || cache.with(|cache| cache.is_none()))><tbody>
                {figure("Hit rate", |cache| cache.hit_rate, hits)}
                {figure("Calls saved", |cache| cache.saved, saved)}
                {figure("Memory", |cache| format::approximate(cache.bytes) / format::approximate(cache.max_bytes.max(1)), memory)}
            </tbody></table>
            <p class="muted" data-testid="cache-counts">{of(counts)}</p>
        })}</Card>
    })
}

fn hits(cache: &CacheMetrics) -> String {
    let served = cache.hits + cache.stale_hits;
    format!("{} of {} lookups", format::count(served), format::count(served + cache.misses))
}

fn saved(cache: &CacheMetrics) -> String {
    format!("{} calls of upstreams made", format::count(cache.loads + cache.passed))
}

fn memory(cache: &CacheMetrics) -> String {
    format!(
        "{} of {}, {} {}",
        format::bytes(cache.bytes),
        format::bytes(cache.max_bytes),
        format::count(cache.entries),
        if cache.entries == 1 { "answer" } else { "answers" }
    )
}

fn counts(cache: &CacheMetrics) -> String {
    let count = format::count;
    format!(
        "{} waited for another's call, {} did not because such answers are not kept. {} were served old while loaded anew, {} because the upstream failed. \
         {} {} failed. {} answers left for want of room, {} were too long to be kept.",
        count(cache.coalesced),
        count(cache.passed),
        count(cache.stale_hits),
        count(cache.stale_on_error),
        count(cache.load_failures),
        if cache.load_failures == 1 { "call" } else { "calls" },
        count(cache.evictions),
        count(cache.too_large)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_an_answer_is_kept_names_what_follows_its_time() {
        let route = CachedRoute { ttl_ms: 30_000, ..CachedRoute::default() };
        assert_eq!(kept(&route), "30 s");
        let route = CachedRoute { stale_while_revalidate_ms: 60_000, stale_if_error_ms: 600_000, ..route };
        assert_eq!(
            kept(&route),
            "30 s, 1 min more while it is loaded anew, 10 min more if the upstream fails"
        );
    }

    #[test]
    fn the_figures_of_the_cache_add_up() {
        let cache = CacheMetrics {
            hits: 70,
            stale_hits: 10,
            misses: 20,
            loads: 15,
            entries: 1,
            bytes: 2_500,
            max_bytes: 67_108_864,
            ..CacheMetrics::default()
        };
        assert_eq!(hits(&cache), "80 of 100 lookups");
        assert_eq!(saved(&cache), "15 calls of upstreams made");
        assert_eq!(memory(&cache), "2.5 kB of 67.1 MB, 1 answer");
        let route = CachedRoute { served: 3, loaded: 1, ..CachedRoute::default() };
        assert!((share(&route) - 0.75).abs() < 1e-9);
    }
}
