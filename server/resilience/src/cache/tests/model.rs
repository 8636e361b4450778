//! Random calls, compared with a plain list.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Call {
    Insert { key: usize, policy: usize },
    Lookup { key: usize },
    StaleIfError { key: usize },
    Tag(usize),
    Organisation(usize),
    Key(usize),
    All,
    Sweep,
    Wait(u64),
    Back(u64),
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        6 => (0..4_usize, 0..3_usize).prop_map(|(key, policy)| Call::Insert { key, policy }),
        8 => (0..4_usize).prop_map(|key| Call::Lookup { key }),
        2 => (0..4_usize).prop_map(|key| Call::StaleIfError { key }),
        1 => (0..2_usize).prop_map(Call::Tag),
        1 => (0..2_usize).prop_map(Call::Organisation),
        1 => (0..4_usize).prop_map(Call::Key),
        1 => Just(Call::All),
        1 => Just(Call::Sweep),
        4 => (0..12_u64).prop_map(Call::Wait),
        1 => (0..12_u64).prop_map(Call::Back),
    ]
}

const TAGS: [&str; 2] = ["words", "numbers"];
const ORGANISATIONS: [&str; 2] = ["acme", "globex"];
/// The tags of the three policies.
const TAGGED: [&[&str]; 3] = [&[], &["words"], &["words", "numbers"]];

proptest! {
    #[test]
    fn a_cache_behaves_as_a_plain_list_would(calls in prop::collection::vec(call(), 1..150)) {
        let cache: Cache<u32, Infallible> = Cache::new(CacheSettings::default(), |_| 4).unwrap();
        let seconds = Duration::from_secs;
        let freshness = Freshness::new(seconds(10)).unwrap();
        let freshness = freshness.stale_while_revalidate(seconds(5)).unwrap().stale_if_error(seconds(20)).unwrap();
        let policies = TAGGED.map(|tags| cache.policy(freshness, tags));
        let key = |number: usize| CacheKey::new(ORGANISATIONS[number % 2], &[&[u8::try_from(number).unwrap()]]);
        // By key: value, policy, second.
        let mut model: [Option<(u32, usize, u64)>; 4] = [None; 4];
        let mut now = 50_u64;
        for (value, call) in (0_u32..).zip(calls) {
            match call {
                Call::Insert { key: number, policy } => {
                    cache.insert(&key(number), &policies[policy], value, at(now));
                    model[number] = Some((value, policy, now));
                }
                Call::Lookup { key: number } => {
                    let expected = model[number].and_then(|(value, _, stored)| {
                        match now.saturating_sub(stored) {
                            0..10 => Some((value, true)),
                            10..15 => Some((value, false)),
                            _ => None,
                        }
                    });
                    let seen = match cache.lookup(&key(number), at(now)) {
                        Lookup::Hit { value, .. } => Some((value, true)),
                        Lookup::Stale { value, refresh, .. } => {
                            prop_assert!(refresh.is_some(), "nobody else refreshes");
                            Some((value, false))
                        }
                        Lookup::Miss => None,
                    };
                    prop_assert_eq!(seen, expected);
                    // What is too old to be of any use is forgotten when it is asked for.
                    model[number] = model[number].filter(|(_, _, stored)| now.saturating_sub(*stored) < 30);
                }
                Call::StaleIfError { key: number } => {
                    let expected = model[number].filter(|(_, _, stored)| now.saturating_sub(*stored) < 30);
                    let seen = cache.stale_if_error(&key(number), at(now)).map(|(value, _)| value);
                    prop_assert_eq!(seen, expected.map(|(value, _, _)| value));
                }
                Call::Tag(tag) => {
                    cache.invalidate_tag(TAGS[tag]);
                    for kept in &mut model {
                        *kept = kept.filter(|(_, policy, _)| !TAGGED[*policy].contains(&TAGS[tag]));
                    }
                }
                Call::Organisation(organisation) => {
                    cache.invalidate_organisation(ORGANISATIONS[organisation]);
                    model[organisation] = None;
                    model[organisation + 2] = None;
                }
                Call::Key(number) => {
                    cache.invalidate_key(&key(number));
                    model[number] = None;
                }
                Call::All => {
                    cache.invalidate_all();
                    model = [None; 4];
                }
                Call::Sweep => {
                    cache.sweep(at(now));
                    for kept in &mut model {
                        *kept = kept.filter(|(_, _, stored)| now.saturating_sub(*stored) < 30);
                    }
                    let kept = model.iter().flatten().count() as u64;
                    prop_assert_eq!(cache.figures().entries, kept);
                }
                Call::Wait(seconds) => now += seconds,
                Call::Back(seconds) => now = now.saturating_sub(seconds),
            }
        }
    }
}
