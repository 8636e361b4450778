//! What every store of dead letters must do. An implementation's tests call [`run`] with a maker of empty
//! stores, each with room for at least 1,000 letters.

#![allow(clippy::expect_used)] // A suite of assertions.

use std::time::Duration;

use super::{DeadLetter, DeadLetterId, DeadLetters, Filter, LIFE, NewDeadLetter, Page};
use crate::Timestamp;

/// Runs all checks, each with a store of its own.
///
/// # Panics
/// If the store does not do what it must.
pub async fn run<S: DeadLetters>(mut empty: impl AsyncFnMut() -> S) {
    keeps_everything_about_a_letter(empty().await).await;
    lists_by_organisation_error_type_and_age(empty().await).await;
    pages_without_gaps_or_repetition(empty().await).await;
    keeps_one_letter_for_an_idempotency_key(empty().await).await;
    leases_a_letter_to_one_at_a_time(empty().await).await;
    keeps_a_letter_whose_redrive_failed(empty().await).await;
    forgets_what_was_delivered_or_discarded(empty().await).await;
    forgets_letters_after_thirty_days(empty().await).await;
    counts(empty().await).await;
}

const LEASE: Duration = Duration::from_secs(60);

fn day(number: u64) -> Timestamp {
    Timestamp::default().after(Duration::from_secs(number * 24 * 3_600))
}

fn letter(organisation: &str, error_type: &str) -> NewDeadLetter {
    NewDeadLetter {
        organisation: organisation.into(),
        reference: "alert-7".into(),
        error_type: error_type.into(),
        error: "it took 30 s, \u{1f4a5} \"quoted\"".into(),
        payload: vec![0, 255, b'\n', 7],
        retry_count: 2,
        idempotency_key: String::new(),
    }
}

fn keyed(organisation: &str, key: &str, retry_count: u32) -> NewDeadLetter {
    NewDeadLetter { idempotency_key: key.into(), retry_count, ..letter(organisation, "timeout") }
}

async fn put<S: DeadLetters>(store: &S, letter: NewDeadLetter, now: Timestamp) -> DeadLetterId {
    store.store(letter, now).await.expect("the letter is stored")
}

async fn get<S: DeadLetters>(store: &S, id: DeadLetterId, now: Timestamp) -> Option<DeadLetter> {
    store.get(id, now).await.expect("the store answers")
}

async fn ids<S: DeadLetters>(store: &S, filter: Filter, now: Timestamp) -> Vec<DeadLetterId> {
    let listing = store.list(&filter, Page::default(), now).await.expect("the store lists");
    assert_eq!(listing.total, listing.letters.len(), "one page holds them all");
    listing.letters.iter().map(|letter| letter.id).collect()
}

async fn keeps_everything_about_a_letter<S: DeadLetters>(store: S) {
    let id = put(&store, letter("acme", "timeout"), day(3)).await;
    let expected = DeadLetter { id, stored_at: day(3), letter: letter("acme", "timeout"), redrives: 0 };
    assert_eq!(get(&store, id, day(4)).await, Some(expected));
    assert_eq!(get(&store, DeadLetterId(u64::MAX / 2), day(4)).await, None);
}

async fn lists_by_organisation_error_type_and_age<S: DeadLetters>(store: S) {
    let old = put(&store, letter("acme", "timeout"), day(1)).await;
    let other = put(&store, letter("globex", "timeout"), day(2)).await;
    let young = put(&store, letter("acme", "refused"), day(3)).await;
    let all = Filter::default();
    assert_eq!(ids(&store, all.clone(), day(4)).await, [old, other, young], "the oldest first");
    let acme = Filter { organisation: Some("acme".into()), ..all.clone() };
    assert_eq!(ids(&store, acme.clone(), day(4)).await, [old, young]);
    let both = Filter { error_type: Some("refused".into()), ..acme };
    assert_eq!(ids(&store, both, day(4)).await, [young]);
    let days = |days: u64| Some(Duration::from_secs(days * 24 * 3_600));
    assert_eq!(ids(&store, Filter { older_than: days(2), ..all.clone() }, day(4)).await, [old, other]);
    assert_eq!(ids(&store, Filter { younger_than: days(2), ..all.clone() }, day(4)).await, [other, young]);
    assert_eq!(ids(&store, Filter { organisation: Some(String::new()), ..all }, day(4)).await, []);
}

async fn pages_without_gaps_or_repetition<S: DeadLetters>(store: S) {
    let mut expected = Vec::new();
    for number in 0..25_u64 {
        let id = put(&store, letter("acme", "timeout"), day(1)).await;
        put(&store, letter("globex", "timeout"), day(1)).await;
        // One letter goes between two pages: the others must neither be skipped nor come twice.
        if number != 9 {
            expected.push(id);
        }
    }
    let filter = Filter { organisation: Some("acme".into()), ..Filter::default() };
    let (mut seen, mut page) = (Vec::new(), Page { after: None, most: 10 });
    loop {
        let listing = store.list(&filter, page, day(2)).await.expect("the store lists");
        assert!(listing.letters.len() <= 10);
        seen.extend(listing.letters.iter().map(|letter| letter.id));
        if page.after.is_none() {
            assert_eq!(listing.total, 25);
            let last = seen.pop().expect("the page is full");
            assert!(store.discard(last).await.expect("the store discards"));
        }
        let Some(next) = listing.next else { break };
        page.after = Some(next);
    }
    assert_eq!(seen, expected);
    let none = store.list(&filter, Page { after: None, most: 0 }, day(2)).await.expect("the store lists");
    assert_eq!((none.letters.len(), none.total), (0, 24));
}

async fn keeps_one_letter_for_an_idempotency_key<S: DeadLetters>(store: S) {
    let first = put(&store, keyed("acme", "k", 1), day(1)).await;
    assert_eq!(put(&store, keyed("acme", "k", 5), day(2)).await, first);
    let kept = get(&store, first, day(2)).await.expect("it is kept");
    assert_eq!((kept.stored_at, kept.letter.retry_count), (day(1), 5));
    assert_ne!(put(&store, keyed("globex", "k", 1), day(2)).await, first, "another organisation's key");
    let unkeyed = put(&store, keyed("acme", "", 1), day(2)).await;
    assert_ne!(put(&store, keyed("acme", "", 1), day(2)).await, unkeyed, "the empty key is no key");
    assert!(store.discard(first).await.expect("the store discards"));
    let again = put(&store, keyed("acme", "k", 1), day(3)).await;
    assert!(again > first, "no id is used twice");
    assert_ne!(put(&store, keyed("acme", "k", 1), day(3).after(LIFE)).await, again, "the first one has gone");
}

async fn leases_a_letter_to_one_at_a_time<S: DeadLetters>(store: S) {
    let id = put(&store, letter("acme", "timeout"), day(1)).await;
    let lease = async |now| store.lease(id, LEASE, now).await.expect("the store leases").is_some();
    assert!(lease(day(1)).await);
    assert!(!lease(day(1)).await, "somebody has it");
    assert!(!lease(day(1).after(LEASE / 2)).await);
    assert!(lease(day(1).after(LEASE)).await, "the lease is over");
    assert!(get(&store, id, day(1)).await.is_some(), "it can be looked at meanwhile");
    assert!(
        store.lease(DeadLetterId(u64::MAX / 2), LEASE, day(1)).await.expect("the store leases").is_none()
    );
}

async fn keeps_a_letter_whose_redrive_failed<S: DeadLetters>(store: S) {
    let id = put(&store, letter("acme", "timeout"), day(1)).await;
    assert!(store.lease(id, LEASE, day(2)).await.expect("the store leases").is_some());
    assert!(store.failed(id, "refused", "connection refused").await.expect("the store notes it"));
    let kept = get(&store, id, day(2)).await.expect("it is kept");
    assert_eq!((kept.redrives, kept.stored_at), (1, day(1)));
    assert_eq!(
        (kept.letter.error_type.as_str(), kept.letter.error.as_str()),
        ("refused", "connection refused")
    );
    assert!(store.lease(id, LEASE, day(2)).await.expect("the store leases").is_some(), "at once");
    assert!(!store.failed(DeadLetterId(u64::MAX / 2), "x", "y").await.expect("the store answers"));
}

async fn forgets_what_was_delivered_or_discarded<S: DeadLetters>(store: S) {
    let delivered = put(&store, letter("acme", "timeout"), day(1)).await;
    let discarded = put(&store, letter("acme", "timeout"), day(1)).await;
    for _ in 0..3 {
        put(&store, letter("acme", "refused"), day(1)).await;
    }
    let kept = put(&store, letter("globex", "refused"), day(1)).await;
    assert!(store.delivered(delivered).await.expect("the store notes it"));
    assert!(!store.delivered(delivered).await.expect("the store answers"), "gone already");
    assert!(store.discard(discarded).await.expect("the store discards"));
    assert!(!store.discard(discarded).await.expect("the store answers"), "gone already");
    let filter = Filter { organisation: Some("acme".into()), ..Filter::default() };
    assert_eq!(store.discard_matching(&filter, day(1)).await.expect("the store discards"), 3);
    assert_eq!(ids(&store, Filter::default(), day(1)).await, [kept]);
}

async fn forgets_letters_after_thirty_days<S: DeadLetters>(store: S) {
    let old = put(&store, letter("acme", "timeout"), day(1)).await;
    let young = put(&store, letter("acme", "timeout"), day(2)).await;
    assert_eq!(ids(&store, Filter::default(), day(30)).await, [old, young]);
    // Swept or not, it has gone.
    assert_eq!(ids(&store, Filter::default(), day(31)).await, [young]);
    assert_eq!(get(&store, old, day(31)).await, None);
    assert!(store.lease(old, LEASE, day(31)).await.expect("the store leases").is_none());
    assert_eq!(store.figures(day(31)).await.expect("the store counts").kept, 1);
    assert_eq!(store.sweep(day(31)).await.expect("the store sweeps"), 1);
    assert_eq!(store.sweep(day(31)).await.expect("the store sweeps"), 0);
    assert_eq!(store.figures(day(31)).await.expect("the store counts").expired, 1);
}

async fn counts<S: DeadLetters>(store: S) {
    assert_eq!(store.figures(day(1)).await.expect("the store counts"), super::DeadLetterFigures::default());
    let first = put(&store, letter("globex", "timeout"), day(1)).await;
    let second = put(&store, letter("acme", "timeout"), day(2)).await;
    put(&store, letter("acme", "refused"), day(3)).await;
    put(&store, letter("acme", "timeout"), day(3)).await;
    store.delivered(first).await.expect("the store notes it");
    store.discard(second).await.expect("the store discards");
    let figures = store.figures(day(4)).await.expect("the store counts");
    assert_eq!((figures.kept, figures.stored, figures.delivered, figures.discarded), (2, 4, 1, 1));
    assert_eq!(figures.by_organisation, [("acme".to_owned(), 2)]);
    assert_eq!(figures.by_error_type, [("refused".to_owned(), 1), ("timeout".to_owned(), 1)]);
    assert_eq!(figures.oldest, Some(Duration::from_secs(24 * 3_600)));
}
