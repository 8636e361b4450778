use std::cell::Cell;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use super::*;

mod coalescing;
mod load_saved;
mod model;

type Words = Cache<&'static str, &'static str>;

fn cache() -> Words {
    Cache::new(CacheSettings::default(), |word: &&str| word.len()).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_nanos(seconds * 1_000_000_000)
}

/// Fresh for 10 s, refreshed until 15 s, of use after an error until 30 s.
fn policy(cache: &Words) -> CachePolicy {
    let seconds = Duration::from_secs;
    let freshness = Freshness::new(seconds(10)).unwrap();
    let freshness =
        freshness.stale_while_revalidate(seconds(5)).unwrap().stale_if_error(seconds(20)).unwrap();
    cache.policy(freshness, &["words"])
}

fn key(name: &str) -> CacheKey {
    CacheKey::new("acme", &[name.as_bytes()])
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// What a lookup finds, in a word.
fn found(cache: &Words, key: &CacheKey, now: Timestamp) -> (&'static str, &'static str) {
    match cache.lookup(key, now) {
        Lookup::Hit { value, .. } => ("hit", value),
        Lookup::Stale { value, refresh: Some(_), .. } => ("stale, refresh", value),
        Lookup::Stale { value, .. } => ("stale", value),
        Lookup::Miss => ("miss", ""),
    }
}

#[test]
fn a_value_is_fresh_then_stale_then_gone() {
    let cache = cache();
    cache.insert(&key("a"), &policy(&cache), "A", at(100));
    assert_eq!(found(&cache, &key("a"), at(100)), ("hit", "A"));
    assert_eq!(found(&cache, &key("a"), at(109)), ("hit", "A"));
    assert_eq!(found(&cache, &key("a"), at(110)), ("stale, refresh", "A"));
    assert_eq!(found(&cache, &key("a"), at(115)), ("miss", ""));
    assert_eq!(cache.stale_if_error(&key("a"), at(129)), Some(("A", Duration::from_secs(29))));
    assert_eq!(cache.stale_if_error(&key("a"), at(130)), None);
    let figures = cache.figures();
    assert_eq!((figures.hits, figures.stale_hits, figures.misses, figures.stale_on_error), (2, 1, 1, 1));
    assert_eq!(figures.hit_rate(), 0.75);
}

#[test]
fn exactly_one_caller_is_told_to_refresh_until_it_did_or_gave_up() {
    let cache = cache();
    cache.insert(&key("a"), &policy(&cache), "old", at(0));
    let Lookup::Stale { refresh: Some(leader), .. } = cache.lookup(&key("a"), at(11)) else { panic!() };
    assert_eq!(found(&cache, &key("a"), at(11)), ("stale", "old"));
    drop(leader);
    let Lookup::Stale { refresh: Some(leader), .. } = cache.lookup(&key("a"), at(11)) else { panic!() };
    leader.fail("down", at(11));
    assert_eq!(found(&cache, &key("a"), at(11)), ("stale", "old"), "not again within a second");
    let Lookup::Stale { refresh: Some(leader), .. } = cache.lookup(&key("a"), at(12)) else { panic!() };
    leader.insert("new", at(12));
    assert_eq!(found(&cache, &key("a"), at(12)), ("hit", "new"));
    assert_eq!(cache.figures().load_failures, 1);
}

#[tokio::test]
async fn a_stale_answer_comes_with_its_refresh() {
    let cache = cache();
    let policy = policy(&cache);
    cache.insert(&key("a"), &policy, "old", at(0));
    let answer = cache.get_or_load(&key("a"), &policy, at(11), async || Ok("new")).await.unwrap();
    assert_eq!((answer.value, answer.source), ("old", Source::Stale));
    answer.refresh.unwrap().run().await;
    assert_eq!(found(&cache, &key("a"), at(11)), ("hit", "new"));
}

#[tokio::test]
async fn an_old_value_is_served_when_the_load_failed_and_counted() {
    let cache = cache();
    let policy = policy(&cache);
    cache.insert(&key("a"), &policy, "old", at(0));
    let answer = cache.get_or_load(&key("a"), &policy, at(20), async || Err("down")).await.unwrap();
    assert_eq!((answer.value, answer.source, answer.age.as_secs()), ("old", Source::StaleIfError, 20));
    assert_eq!(
        cache.get_or_load(&key("a"), &policy, at(31), async || Err("down")).await.unwrap_err(),
        "down"
    );
    let figures = cache.figures();
    assert_eq!((figures.stale_on_error, figures.load_failures, figures.loads), (1, 2, 2));
}

#[test]
fn invalidation_works_at_once_by_tag_by_organisation_by_key_and_for_all() {
    let cache = cache();
    let policy = policy(&cache);
    let other = cache.policy(policy.freshness(), &["numbers"]);
    let globex = CacheKey::new("globex", &[b"a"]);
    let fill = || {
        cache.insert(&key("a"), &policy, "A", at(0));
        cache.insert(&key("b"), &other, "B", at(0));
        cache.insert(&globex, &policy, "G", at(0));
    };
    let kept = || [key("a"), key("b"), globex].map(|key| found(&cache, &key, at(1)).0 == "hit");
    fill();
    assert_eq!(kept(), [true, true, true]);
    cache.invalidate_tag("words");
    assert_eq!(kept(), [false, true, false]);
    fill();
    cache.invalidate_organisation("acme");
    assert_eq!(kept(), [false, false, true]);
    fill();
    cache.invalidate_key(&key("a"));
    assert_eq!(kept(), [false, true, true]);
    fill();
    cache.invalidate_all();
    assert_eq!(cache.sweep(at(1)), 3);
    assert_eq!(kept(), [false, false, false]);
    let figures = cache.figures();
    assert_eq!((figures.invalidations, figures.entries, figures.bytes), (4, 0, 0));
}

#[test]
fn what_was_asked_for_before_an_invalidation_is_neither_kept_nor_shared_after_it() {
    let invalidations: [fn(&Words); 4] = [
        |cache| cache.invalidate_tag("words"),
        |cache| cache.invalidate_organisation("acme"),
        |cache| cache.invalidate_key(&key("a")),
        |cache| cache.invalidate_all(),
    ];
    for invalidate in invalidations {
        let cache = cache();
        let (key, policy) = (key("a"), policy(&cache));
        let Load::Lead(early) = cache.begin_load(&key, &policy, at(0)) else { panic!("the first leads") };
        let Load::Follow(follower) = cache.begin_load(&key, &policy, at(0)) else { panic!("it follows") };
        invalidate(&cache);
        let Load::Lead(late) = cache.begin_load(&key, &policy, at(0)) else { panic!("not the old value") };
        early.insert("old", at(0));
        let mut follower = pin!(follower.wait());
        assert!(matches!(poll(follower.as_mut()), Poll::Ready(Followed::Loaded("old"))), "it asked before");
        assert_eq!(found(&cache, &key, at(0)), ("miss", ""));
        late.insert("new", at(0));
        assert_eq!(found(&cache, &key, at(0)), ("hit", "new"));
    }
}

#[test]
fn keys_differ_by_organisation_and_by_where_a_part_ends() {
    let keys = [
        CacheKey::new("", &[b"ab", b"c"]),
        CacheKey::new("", &[b"a", b"bc"]),
        CacheKey::new("", &[b"abc"]),
        CacheKey::new("ab", &[b"c"]),
        CacheKey::new("", &[b"ab", b"c", b""]),
    ];
    for (at, key) in keys.iter().enumerate() {
        assert!(keys[at + 1..].iter().all(|other| other != key));
    }
}

#[test]
fn a_flood_of_values_stays_within_the_bound_of_bytes() {
    let settings = CacheSettings { max_bytes: 1 << 20, max_entry_bytes: 10_000 };
    let cache: Cache<Vec<u8>, Infallible> = Cache::new(settings, Vec::len).unwrap();
    let policy = cache.tier(Tier::Counts);
    for number in 0..5_000_u32 {
        cache.insert(&CacheKey::new("", &[&number.to_le_bytes()]), &policy, vec![0; 1_000], at(0));
    }
    cache.insert(&key("large"), &policy, vec![0; 10_001], at(0));
    let figures = cache.figures();
    assert!(figures.bytes <= 1 << 20, "{figures:?}");
    assert!(figures.evictions >= 4_000, "{figures:?}");
    assert_eq!(figures.too_large, 1);
}

#[test]
fn a_flood_of_organisations_is_forgotten_with_its_values() {
    let cache = cache();
    let policy = policy(&cache);
    for number in 0..10_000_u32 {
        let key = CacheKey::new(&number.to_string(), &[b"a"]);
        cache.insert(&key, &policy, "A", at(0));
        cache.invalidate_key(&key);
    }
    assert!(cache.shared.scopes.organisations() <= 3_000, "{}", cache.shared.scopes.organisations());
}

#[test]
fn popular_values_can_be_loaded_anew_before_they_expire() {
    let cache = cache();
    let policy = policy(&cache);
    for (name, asked) in [("a", 3), ("b", 7), ("c", 5)] {
        cache.insert(&key(name), &policy, "old", at(0));
        for _ in 0..asked {
            found(&cache, &key(name), at(1));
        }
    }
    cache.insert(&key("young"), &policy, "old", at(8));
    let within = Duration::from_secs(2);
    assert!(cache.popular(2, within, at(7)).is_empty(), "all are fresh for longer");
    let popular = cache.popular(2, within, at(9));
    assert_eq!(
        popular.iter().map(|one| (one.key, one.asked)).collect::<Vec<_>>(),
        [(key("b"), 7), (key("c"), 5)]
    );
    let leader = cache.begin_refresh(&key("b"), at(9)).unwrap();
    assert!(cache.begin_refresh(&key("b"), at(9)).is_none(), "it is being loaded");
    leader.insert("new", at(9));
    assert_eq!(found(&cache, &key("b"), at(15)), ("hit", "new"));
    let asked =
        cache.popular(9, Duration::MAX, at(15)).into_iter().find(|one| one.key == key("b")).unwrap().asked;
    assert_eq!(asked, 4, "half of 7, and once since");
}

#[test]
fn a_clock_that_goes_backwards_and_the_end_of_time_do_not_panic() {
    let cache = cache();
    let policy = policy(&cache);
    for now in [u64::MAX, 0, 5, u64::MAX, 1] {
        let now = Timestamp::from_nanos(now);
        cache.insert(&key("a"), &policy, "A", now);
        assert_eq!(found(&cache, &key("a"), Timestamp::default()), ("hit", "A"));
        found(&cache, &key("a"), Timestamp::from_nanos(u64::MAX));
        cache.insert(&key("a"), &policy, "A", now);
        cache.sweep(Timestamp::from_nanos(u64::MAX));
    }
}

#[test]
fn impossible_settings_are_refused_with_the_allowed_range() {
    let refusal = |settings| Cache::<u8, u8>::new(settings, |_| 1).unwrap_err().to_string();
    assert_eq!(
        refusal(CacheSettings { max_bytes: 0, max_entry_bytes: 1 }),
        "max_bytes is 0; it must be 1024 (1 KiB) to 1099511627776 (1 TiB)"
    );
    assert_eq!(
        refusal(CacheSettings { max_bytes: 2_000, max_entry_bytes: 2_001 }),
        "max_entry_bytes is 2001; it must be 1 to max_bytes, which is 2000"
    );
    assert_eq!(
        Freshness::new(Duration::ZERO).unwrap_err().to_string(),
        "ttl is 0ns; it must be 1 ms to 365 days"
    );
    assert!(Freshness::new(Duration::MAX).is_err());
    assert!(Tier::Counts.freshness().stale_if_error(Duration::MAX).is_err());
}

#[test]
fn an_answer_can_be_awaited_and_refreshed_on_any_thread() {
    fn on_any_thread<T: Send>(_: T) {}
    let cache = cache();
    let policy = policy(&cache);
    on_any_thread(cache.get_or_load(&key("a"), &policy, at(0), async || Ok("A")));
    if let Load::Follow(follower) = cache.begin_load(&key("a"), &policy, at(0)) {
        on_any_thread(follower.wait());
    }
}
