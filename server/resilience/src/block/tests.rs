use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::{BlockPolicy, BlockReason, Blocklist, InvalidBlockPolicy};
use crate::Timestamp;

const MINUTE: Duration = Duration::from_mins(1);
const START: Timestamp = Timestamp::from_nanos(1_000_000_000_000);

fn list() -> Blocklist<u64> {
    let policy = BlockPolicy::new(5, MINUTE, 10 * MINUTE).unwrap();
    Blocklist::new(policy.growing(2, 35 * MINUTE).unwrap().forgetting_after(60 * MINUTE).unwrap(), 1_000)
}

/// Rejects `key` until it is blocked; for how long.
fn provoke(list: &Blocklist<u64>, key: u64, now: Timestamp) -> Duration {
    for _ in 0..4 {
        assert_eq!(list.reject(&key, now), None);
    }
    list.reject(&key, now).unwrap().retry_after(now).unwrap()
}

#[test]
fn every_block_that_comes_or_goes_is_a_change_and_a_look_is_none() {
    let list = list();
    provoke(&list, 1, START);
    let before = list.changes();
    assert!(list.peek(&1, START).is_some_and(|blocked| blocked.refused == 0));
    assert_eq!(list.check(&1, START).map(|blocked| blocked.refused), Some(1));
    assert_eq!(list.changes(), before);
    // One ends while another begins: as many as before, and not the same.
    let later = START.after(11 * MINUTE);
    list.sweep(later);
    provoke(&list, 2, later);
    assert!(list.len() == 1 && list.changes() > before);
    let before = list.changes();
    list.unblock(&2, later);
    assert!(list.changes() > before);
}

#[test]
fn the_nth_rejection_blocks_and_time_unblocks() {
    let list = list();
    assert_eq!(provoke(&list, 1, START), 10 * MINUTE);
    let blocked = list.check(&1, START.after(9 * MINUTE)).unwrap();
    assert_eq!(blocked.reason, BlockReason::Rejections { count: 5, window: MINUTE });
    assert_eq!((blocked.repetition, blocked.retry_after(START.after(9 * MINUTE))), (1, Some(MINUTE)));
    assert_eq!(list.check(&2, START), None);
    assert_eq!(list.check(&1, START.after(10 * MINUTE)), None);
    list.sweep(START.after(10 * MINUTE));
    assert!(list.is_empty());
}

#[test]
fn rejections_that_are_far_apart_do_not_block() {
    let list = list();
    for sent in 0..100 {
        assert_eq!(list.reject(&1, START.after(MINUTE / 3 * sent)), None);
    }
}

#[test]
fn each_repetition_takes_longer_up_to_a_cap_until_it_is_forgotten() {
    let list = list();
    let mut now = START;
    for expected in [10, 20, 35, 35] {
        let time = provoke(&list, 1, now);
        assert_eq!(time, expected * MINUTE);
        now = now.after(time);
        list.sweep(now);
    }
    now = now.after(60 * MINUTE);
    assert_eq!(provoke(&list, 1, now), 35 * MINUTE);
    now = now.after(96 * MINUTE);
    assert_eq!(provoke(&list, 1, now), 10 * MINUTE);
}

#[test]
fn a_block_by_hand_has_a_reason_and_lasts_as_told() {
    let list = list();
    let blocked = list.block(&1, "scraper", Some(MINUTE), START).unwrap();
    assert_eq!(blocked.reason, BlockReason::Manual("scraper".into()));
    list.block(&2, "stolen key", None, START).unwrap();
    let later = START.after(Duration::from_hours(24 * 365 * 100));
    assert_eq!(list.check(&1, later), None);
    assert_eq!(list.check(&2, later).unwrap().until, None);
    assert_eq!(list.list(10, START).iter().map(|(key, _)| *key).collect::<Vec<_>>(), [2, 1]);
    list.sweep(later);
    assert_eq!(list.len(), 1);
    assert_eq!(list.unblock(&2, later).unwrap().reason, BlockReason::Manual("stolen key".into()));
    assert_eq!((list.check(&2, later), list.unblock(&2, later)), (None, None));
}

#[test]
fn an_unblocked_key_starts_anew() {
    let list = list();
    provoke(&list, 1, START);
    assert!(list.unblock(&1, START).is_some());
    assert_eq!(provoke(&list, 1, START), 10 * MINUTE);
}

#[test]
fn a_flood_of_keys_neither_grows_the_list_nor_frees_a_blocked_one() {
    let list = list();
    list.block(&0, "for good", None, START).unwrap();
    for key in 1..100 {
        provoke(&list, key, START);
    }
    for key in 1_000..100_000 {
        list.reject(&key, START);
    }
    assert!(list.remembered() <= 1_000, "{}", list.remembered());
    assert_eq!((0..100).filter(|key| list.check(key, START).is_some()).count(), 100);
    assert_eq!(list.len(), 100);
    list.sweep(START.after(Duration::from_hours(2)));
    assert_eq!((list.remembered(), list.len()), (1, 1));
}

#[test]
fn a_list_full_of_blocks_by_hand_says_so() {
    let list: Blocklist<u64> = Blocklist::new(BlockPolicy::default(), 10);
    for key in 0..5 {
        list.block(&key, "", None, START).unwrap();
    }
    assert!(list.block(&5, "", None, START).unwrap_err().to_string().contains("5 keys"));
    list.unblock(&0, START);
    assert!(list.block(&5, "", None, START).is_ok());
    assert!(list.block(&5, "one of the five", Some(MINUTE), START).is_ok());
    assert!(list.block(&6, "", None, START).is_err());
}

#[test]
fn what_is_saved_comes_back_after_a_restart() {
    let before = list();
    let wall = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    provoke(&before, 1, START);
    provoke(&before, 2, START);
    before.unblock(&2, START);
    before.block(&3, "for good", None, START).unwrap();
    before.block(&4, "a while", Some(20 * MINUTE), START).unwrap();
    let written = serde_json::to_string(&before.save(START, wall)).unwrap();

    let after = list();
    let now = Timestamp::from_nanos(5);
    after.restore(serde_json::from_str(&written).unwrap(), now, wall + 4 * MINUTE);
    let wait = |key| after.check(&key, now).and_then(|blocked| blocked.retry_after(now));
    assert_eq!([wait(1), wait(2), wait(4)], [Some(6 * MINUTE), None, Some(16 * MINUTE)]);
    assert_eq!(after.check(&3, now).unwrap().reason, BlockReason::Manual("for good".into()));
    // The repetition came back, too.
    assert_eq!(provoke(&after, 1, now.after(6 * MINUTE)), 20 * MINUTE);
}

#[test]
fn an_impossible_policy_is_refused_with_what_is_allowed() {
    let second = Duration::from_secs(1);
    assert_eq!(BlockPolicy::new(0, MINUTE, MINUTE), Err(InvalidBlockPolicy::NoRejections));
    let policy = BlockPolicy::new(1, MINUTE, MINUTE).unwrap();
    for error in [
        BlockPolicy::new(1, Duration::ZERO, MINUTE).unwrap_err(),
        BlockPolicy::new(1, MINUTE, Duration::MAX).unwrap_err(),
        policy.growing(0, MINUTE).unwrap_err(),
        policy.growing(2, second).unwrap_err(),
        policy.forgetting_after(Duration::ZERO).unwrap_err(),
    ] {
        assert!(error.to_string().contains("is outside"), "{error}");
    }
}

proptest! {
    #[test]
    fn the_number_of_blocks_is_that_of_the_keys_blocked(
        calls in prop::collection::vec((0_u8..6, 0_u64..8, 0_u64..2_000), 1..200),
    ) {
        let policy = BlockPolicy::new(2, MINUTE, MINUTE).unwrap();
        let list: Blocklist<u64> = Blocklist::new(policy, 4);
        let mut now = START;
        for (call, key, pause_s) in calls {
            now = now.after(Duration::from_secs(pause_s / 10));
            match call {
                0..=2 => drop(list.reject(&key, now)),
                3 => drop(list.block(&key, "", Some(MINUTE), now)),
                4 => drop(list.unblock(&key, now)),
                _ => drop(list.check(&key, now)),
            }
            prop_assert!(list.remembered() <= 4);
            list.sweep(now);
            prop_assert_eq!(list.len(), list.list(10, now).len());
        }
    }
}
