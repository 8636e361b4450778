//! Many equal requests at once.

use super::*;

/// Callers that wait for a load; it ends when the test says so.
struct Gate {
    loads: Cell<u32>,
    open: tokio::sync::Notify,
}

impl Gate {
    fn new() -> Self {
        Self { loads: Cell::new(0), open: tokio::sync::Notify::new() }
    }

    async fn load(&self, result: Result<&'static str, &'static str>) -> Result<&'static str, &'static str> {
        self.loads.set(self.loads.get() + 1);
        self.open.notified().await;
        result
    }
}

#[tokio::test]
async fn equal_requests_at_once_cause_one_load_and_all_get_its_value() {
    let (cache, gate) = (cache(), Gate::new());
    let (key, policy) = (key("a"), policy(&cache));
    let mut leader = pin!(cache.get_or_load(&key, &policy, at(0), || gate.load(Ok("A"))));
    let mut follower = pin!(cache.get_or_load(&key, &policy, at(0), || gate.load(Ok("never"))));
    assert!(poll(leader.as_mut()).is_pending());
    assert!(poll(follower.as_mut()).is_pending());
    gate.open.notify_one();
    assert_eq!(leader.await.unwrap().source, Source::Loaded);
    let answer = follower.await.unwrap();
    assert_eq!((answer.value, answer.source, gate.loads.get()), ("A", Source::Coalesced, 1));
    assert_eq!(cache.figures().saved(), 0.5);
}

#[tokio::test]
async fn a_failure_reaches_all_who_wait() {
    let (cache, gate) = (cache(), Gate::new());
    let (key, policy) = (key("a"), policy(&cache));
    let mut leader = pin!(cache.get_or_load(&key, &policy, at(0), || gate.load(Err("down"))));
    let mut follower = pin!(cache.get_or_load(&key, &policy, at(0), || gate.load(Ok("never"))));
    assert!(poll(leader.as_mut()).is_pending());
    assert!(poll(follower.as_mut()).is_pending());
    gate.open.notify_one();
    assert_eq!((leader.await.unwrap_err(), follower.await.unwrap_err()), ("down", "down"));
    assert_eq!(gate.loads.get(), 1);
}

#[tokio::test]
async fn a_leader_knows_whether_anybody_waits() {
    let cache = cache();
    let (key, policy) = (key("a"), policy(&cache));
    let Load::Lead(leader) = cache.begin_load(&key, &policy, at(0)) else { panic!("nobody else loads") };
    assert!(!leader.is_followed());
    let Load::Follow(follower) = cache.begin_load(&key, &policy, at(0)) else { panic!("somebody loads") };
    assert!(leader.is_followed());
    drop(follower);
    assert!(!leader.is_followed());
}

#[tokio::test]
async fn when_the_leader_goes_away_one_of_the_others_leads_on() {
    let (cache, gate) = (cache(), Gate::new());
    let (key, policy) = (key("a"), policy(&cache));
    let mut leader = Box::pin(cache.get_or_load(&key, &policy, at(0), || gate.load(Ok("never"))));
    let mut second = Box::pin(cache.get_or_load(&key, &policy, at(0), || gate.load(Ok("never"))));
    let mut third = pin!(cache.get_or_load(&key, &policy, at(0), || gate.load(Ok("A"))));
    assert!(poll(leader.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    assert!(poll(third.as_mut()).is_pending());
    drop(leader);
    // The one whose turn it is goes as well, before it knows.
    drop(second);
    assert!(poll(third.as_mut()).is_pending());
    gate.open.notify_one();
    let answer = third.await.unwrap();
    assert_eq!((answer.value, answer.source, gate.loads.get()), ("A", Source::Loaded, 2));
    let mut alone = Box::pin(cache.get_or_load(&key, &policy, at(60), || gate.load(Ok("never"))));
    assert!(poll(alone.as_mut()).is_pending());
    drop(alone);
    let Load::Lead(_) = cache.begin_load(&key, &policy, at(60)) else { panic!("nobody leads") };
}

#[tokio::test]
async fn when_the_answer_is_not_to_be_shared_everybody_asks_for_themselves() {
    let cache = cache();
    let (key, policy) = (key("a"), policy(&cache));
    let Load::Lead(leader) = cache.begin_load(&key, &policy, at(0)) else { panic!("the first leads") };
    let mut follower = pin!(cache.get_or_load(&key, &policy, at(0), async || Ok("own")));
    assert!(poll(follower.as_mut()).is_pending());
    leader.decline(Duration::ZERO, at(0));
    let answer = follower.await.unwrap();
    assert_eq!((answer.value, answer.source), ("own", Source::Loaded));
    assert_eq!(found(&cache, &key, at(0)), ("miss", ""));
    assert!(matches!(cache.begin_load(&key, &policy, at(0)), Load::Lead(_)), "the next one may be kept");
}

#[tokio::test]
async fn after_an_answer_that_was_not_to_be_shared_nobody_waits_for_another_for_a_time() {
    let cache = cache();
    let (one, policy) = (key("a"), policy(&cache));
    let Load::Lead(leader) = cache.begin_load(&one, &policy, at(0)) else { panic!("the first leads") };
    leader.decline(Duration::from_secs(10), at(0));
    for _ in 0..2 {
        assert!(matches!(cache.begin_load(&one, &policy, at(9)), Load::Pass));
    }
    let answer = cache.get_or_load(&one, &policy, at(9), async || Ok("own")).await.unwrap();
    assert_eq!((answer.value, answer.source), ("own", Source::Loaded));
    assert!(matches!(cache.begin_load(&key("b"), &policy, at(9)), Load::Lead(_)), "others are not concerned");
    assert!(matches!(cache.begin_load(&one, &policy, at(10)), Load::Lead(_)));
    assert_eq!((cache.figures().passed, cache.figures().loads), (3, 3));
}

#[test]
fn an_answer_may_say_itself_that_it_lives_shorter() {
    let cache = cache();
    let (key, policy) = (key("a"), policy(&cache));
    let Load::Lead(leader) = cache.begin_load(&key, &policy, at(0)) else { panic!("the first leads") };
    leader.insert_for(
        "A",
        at(0),
        Freshness::new(Duration::from_secs(60)).unwrap().at_most(Duration::from_secs(3)),
    );
    assert_eq!(found(&cache, &key, at(2)), ("hit", "A"));
    assert_eq!(found(&cache, &key, at(3)), ("miss", ""));
}

#[test]
fn who_missed_before_a_load_ended_finds_its_value() {
    let cache = cache();
    let (key, policy) = (key("a"), policy(&cache));
    assert_eq!(found(&cache, &key, at(0)), ("miss", ""));
    cache.insert(&key, &policy, "A", at(0));
    assert!(matches!(cache.begin_load(&key, &policy, at(0)), Load::Found { value: "A", .. }));
    assert_eq!(cache.figures().loads, 0);
}

#[test]
fn threads_with_runtimes_of_their_own_load_once() {
    let cache: Cache<u32, Infallible> = Cache::new(CacheSettings::default(), |_| 4).unwrap();
    let policy = cache.tier(Tier::SearchResults);
    let loads = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                for round in 0..300_u32 {
                    let key = CacheKey::new("acme", &[&round.to_le_bytes()]);
                    let load = async || {
                        loads.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        Ok(round)
                    };
                    // Some go away while they lead or follow.
                    if round % 3 == 0 {
                        let _ = poll(pin!(cache.get_or_load(&key, &policy, at(0), async || {
                            tokio::task::yield_now().await;
                            Ok(round)
                        })));
                    }
                    let answer = runtime.block_on(cache.get_or_load(&key, &policy, at(0), load)).unwrap();
                    assert_eq!(answer.value, round);
                }
            });
        }
    });
    assert_eq!(loads.into_inner(), 300);
}
