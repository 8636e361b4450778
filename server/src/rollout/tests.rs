use std::time::Duration;

use super::*;

fn rollout(percent: f64) -> Rollout {
    let share = Share::from_percent(percent).unwrap();
    let settings = RolloutSettings {
        name: "r".to_owned(),
        legacy: 0,
        candidate: 1,
        share,
        stages: Stages::to_all(Duration::from_mins(1)),
        least: 100,
        target: Target::default(),
        assign: AssignBy::Client,
        overrides: None,
        latency: None,
        start_at: None,
        calendar: Calendar::default(),
        shadow: crate::rollout::shadow::ShadowSettings::default(),
    };
    let place = Place { phase: Phase::Manual, share, since_ms: 0 };
    Rollout::new(&settings, &StoredRollout { seed: Seed::new(7), place }, None)
}

fn candidates(rollout: &Rollout) -> Vec<u32> {
    let side = |client: &u32| rollout.side(rollout.draw(&client.to_be_bytes()));
    (0..20_000).filter(|client| side(client) == Side::Candidate).collect()
}

#[test]
fn raising_the_share_never_moves_anyone_back() {
    let (ten, half) = (candidates(&rollout(10.0)), candidates(&rollout(50.0)));
    assert!(ten.iter().all(|client| half.binary_search(client).is_ok()));
}

#[test]
fn the_share_of_clients_is_the_share_that_was_asked_for() {
    for percent in [0.0, 0.5, 10.0, 25.0, 50.0, 100.0] {
        let seen = f64::from(u32::try_from(candidates(&rollout(percent)).len()).unwrap()) / 200.0;
        // Four standard deviations of a fair draw of 20,000.
        let allowed = 4.0 * (percent * (100.0 - percent) / 20_000.0).sqrt();
        assert!((seen - percent).abs() <= allowed, "{percent} % asked, {seen} % seen");
    }
}
