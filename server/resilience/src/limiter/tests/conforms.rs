use crate::conformance;
use crate::{Limiter, Strategy};

fn hold(strategy: Strategy) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(conformance::hold(strategy, |policy| Limiter::new(policy, 1_000))).unwrap();
}

#[test]
fn the_token_bucket_conforms() {
    hold(Strategy::TokenBucket);
}

#[test]
fn the_leaky_bucket_conforms() {
    hold(Strategy::LeakyBucket);
}

#[test]
fn the_sliding_window_conforms() {
    hold(Strategy::SlidingWindow);
}

#[test]
fn the_fixed_window_conforms() {
    hold(Strategy::FixedWindow);
}
