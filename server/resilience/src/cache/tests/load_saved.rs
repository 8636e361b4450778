//! What a cache saves the upstream.

use super::*;

/// Asks for queries 1 to 1,000 with the frequencies of Zipf's law, exponent 1.
struct Zipf {
    cumulative: Vec<f64>,
    random: u64,
}

impl Zipf {
    fn new(queries: u32) -> Self {
        let mut sum = 0.0;
        let cumulative = (1..=queries).map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        });
        Self { cumulative: cumulative.collect(), random: 0x9e37_79b9_7f4a_7c15 }
    }

    fn next(&mut self) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let uniform = f64::from(u32::try_from(self.random >> 32).unwrap()) / f64::from(u32::MAX);
        let at = uniform * self.cumulative.last().unwrap();
        self.cumulative.partition_point(|sum| *sum < at)
    }
}

#[tokio::test]
async fn a_skewed_mix_saves_at_least_seventy_percent_of_the_upstreams_load() {
    let cache: Cache<usize, Infallible> = Cache::new(CacheSettings::default(), |_| 1_000).unwrap();
    let policy = cache.tier(Tier::SearchResults);
    let mut zipf = Zipf::new(1_000);
    let received = Cell::new(0_u32);
    // 20 requests a second for an hour.
    let asked = 20 * 3_600_u32;
    for number in 0..asked {
        let query = zipf.next();
        let now = Timestamp::from_nanos(u64::from(number) * 50_000_000);
        let key = CacheKey::new("acme", &[b"POST", b"/_search", &query.to_le_bytes()]);
        let answer = cache.get_or_load(&key, &policy, now, async || {
            received.set(received.get() + 1);
            Ok(query)
        });
        assert_eq!(answer.await.unwrap().value, query);
    }
    let saved = 1.0 - f64::from(received.get()) / f64::from(asked);
    assert!(saved >= 0.7, "saved {saved}");
    assert_eq!(cache.figures().loads, u64::from(received.get()));
}
