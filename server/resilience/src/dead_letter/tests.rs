use std::cell::RefCell;

use tokio::time::Instant;

use super::*;

fn letters() -> MemoryDeadLetters {
    MemoryDeadLetters::new(1_000).unwrap()
}

fn letter(error_type: &str) -> NewDeadLetter {
    NewDeadLetter { organisation: "acme".into(), error_type: error_type.into(), ..Default::default() }
}

async fn filled(error_types: &[&str]) -> MemoryDeadLetters {
    let letters = letters();
    for error_type in error_types {
        letters.store(letter(error_type), Timestamp::default()).await.unwrap();
    }
    letters
}

type Failure = (&'static str, &'static str);

#[tokio::test]
async fn letters_in_memory_do_what_every_store_must() {
    conformance::run(async || letters()).await;
}

#[tokio::test]
async fn without_room_the_oldest_goes_and_is_counted() {
    let letters = MemoryDeadLetters::new(2).unwrap();
    let now = Timestamp::default();
    for error_type in ["a", "b", "c"] {
        letters.store(letter(error_type), now).await.unwrap();
    }
    let figures = letters.figures(now).await.unwrap();
    assert_eq!(figures.by_error_type, [("b".to_owned(), 1), ("c".to_owned(), 1)]);
    assert_eq!((figures.kept, figures.overflowed), (2, 1));
    assert_eq!(
        MemoryDeadLetters::new(0).unwrap_err().to_string(),
        "capacity is 0; it must be 1 or more letters"
    );
}

#[tokio::test(start_paused = true)]
async fn a_redrive_delivers_what_matches_and_no_faster_than_its_rate() {
    let letters = filled(&["timeout", "refused", "timeout", "timeout"]).await;
    let sent = RefCell::new(Vec::new());
    let filter = Filter { error_type: Some("timeout".into()), ..Filter::default() };
    let settings = RedriveSettings::default().per_second(2.0).unwrap();
    let start = Instant::now();
    let report = redrive(&letters, &filter, settings, &FROZEN, async |letter: DeadLetter| {
        sent.borrow_mut().push((letter.id.0, start.elapsed().as_millis()));
        if letter.id.0 == 3 { Err(("refused", "no")) } else { Ok::<(), Failure>(()) }
    });
    let expected = RedriveReport { matched: 3, delivered: 2, failed: 1, ..Default::default() };
    assert_eq!(report.await.unwrap(), expected);
    assert_eq!(sent.into_inner(), [(1, 0), (3, 500), (4, 1_000)]);
    let figures = letters.figures(Timestamp::default()).await.unwrap();
    assert_eq!((figures.kept, figures.delivered), (2, 2));
}

#[tokio::test]
async fn a_dry_run_says_how_many_and_delivers_none() {
    let letters = filled(&["timeout"; 250]).await;
    let settings = RedriveSettings::default().dry_run();
    let deliver = async |_| -> Result<(), Failure> { panic!("it is a dry run") };
    let report = redrive(&letters, &Filter::default(), settings, &FROZEN, deliver).await.unwrap();
    assert_eq!(report, RedriveReport { matched: 250, dry_run: true, ..Default::default() });
    let report = redrive(&letters, &Filter::default(), settings.most(7), &FROZEN, deliver).await;
    assert_eq!(report.unwrap().matched, 7);
}

#[tokio::test(start_paused = true)]
async fn two_redrives_at_once_deliver_each_letter_once() {
    let letters = filled(&["timeout"; 20]).await;
    let (sent, all) = (RefCell::new(Vec::new()), Filter::default());
    let run = || {
        redrive(&letters, &all, RedriveSettings::default(), &FROZEN, async |letter: DeadLetter| {
            tokio::task::yield_now().await;
            sent.borrow_mut().push(letter.id);
            Ok::<(), Failure>(())
        })
    };
    let (first, second) = tokio::join!(run(), run());
    assert_eq!(first.unwrap().delivered + second.unwrap().delivered, 20);
    let mut sent = sent.into_inner();
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), 20);
}

/// A clock that stands still.
struct Frozen;

const FROZEN: Frozen = Frozen;

impl crate::Clock for Frozen {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }
}

#[test]
fn impossible_rates_are_refused_with_the_allowed_range() {
    let refusal = RedriveSettings::default().per_second(0.0).unwrap_err();
    assert_eq!(refusal.to_string(), "rate is 0 a second; it must be 0.001 to 10,000");
    assert!(RedriveSettings::default().per_second(f64::NAN).is_err());
}
