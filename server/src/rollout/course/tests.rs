use std::cell::{Cell, RefCell};

use super::*;
use crate::rollout::verdict::sample_ratio::{SampleRatio, place};
use crate::rollout::verdict::{Failure, LatencyGuard, latency};
use crate::rollout::{Seed, Target, calendar};
use crate::telemetry::histogram::{Counts, Histogram};

const SECOND: u64 = 1_000;

/// What a gateway would have counted.
#[derive(Default)]
struct Traffic {
    tallies: Cell<[Tally; 2]>,
    heads: [Histogram; 2],
    clients: RefCell<Vec<u32>>,
}

impl Traffic {
    /// So many requests of each side that took so long, none of which failed.
    fn serve(&self, requests: u64, us: [u64; 2]) {
        self.tallies.set(self.tallies.get().map(|tally| tally + Tally { requests, bad: 0 }));
        for (heads, us) in self.heads.iter().zip(us) {
            (0..requests).for_each(|_| heads.record(us));
        }
    }
}

impl Evidence for Traffic {
    fn tallies(&self) -> [Tally; 2] {
        self.tallies.get()
    }

    fn latencies(&self) -> [Counts; 2] {
        self.heads.each_ref().map(|heads| {
            let mut counts = Counts::default();
            heads.add_to(&mut counts);
            counts
        })
    }

    fn clients(&self, check: &mut SampleRatio) {
        for client in self.clients.borrow().iter() {
            let (bin, rank) = place(Seed::new(5).hash(&client.to_be_bytes()));
            check.see(bin, rank, u64::MAX);
        }
    }

    fn forget_clients(&self) {
        self.clients.borrow_mut().clear();
    }
}

fn criteria(latency: Option<LatencyGuard>) -> Criteria {
    Criteria { target: Target::default(), least: 100, latency }
}

fn stages() -> Stages {
    let shares = [50.0, 100.0].map(|percent| Share::from_percent(percent).unwrap());
    Stages::new(&shares, Duration::from_secs(10)).unwrap()
}

fn at_start(starts_at: Option<u64>, latency: Option<LatencyGuard>) -> Course {
    let place = Place { phase: Phase::Manual, share: Share::NONE, since_ms: 0 };
    Course::new(place, starts_at, criteria(latency))
}

/// Goes on for so many seconds with this traffic in each; the first step that it asks for.
fn go_on(
    course: &mut Course,
    traffic: &Traffic,
    calendar: &Calendar,
    seconds: u64,
    us: [u64; 2],
) -> Option<Step> {
    let (stages, from) = (stages(), course.place().since_ms);
    (1..=seconds).find_map(|second| {
        traffic.serve(200, us);
        course.look(traffic, false, Rules { stages: &stages, calendar }, from + second * SECOND)
    })
}

#[test]
fn it_starts_by_itself_at_its_time_and_no_more_after_a_start_or_a_rollback() {
    let (stages, calendar, traffic) = (stages(), Calendar::default(), Traffic::default());
    let rules = || Rules { stages: &stages, calendar: &calendar };
    let mut course = at_start(Some(60 * SECOND), None);
    assert_eq!(course.look(&traffic, false, rules(), 60 * SECOND - 1), None);
    assert_eq!(course.look(&traffic, false, rules(), 60 * SECOND), Some(Step::Start));
    course.take(Step::Start, &stages, 60 * SECOND);
    assert_eq!((course.place().phase, course.starts_at()), (Phase::Stage(0), None));
    assert_eq!(course.start_at(Some(90 * SECOND)), Err(NotNow::Started));

    let mut course = at_start(Some(60 * SECOND), None);
    course.obey(Order::RollBack, &stages, SECOND).unwrap();
    assert_eq!(course.look(&traffic, false, rules(), 61 * SECOND), None);
    assert_eq!(course.start_at(Some(90 * SECOND)), Ok(None));
    // A share by hand is no start.
    course.obey(Order::Set(Share::ALL), &stages, 80 * SECOND).unwrap();
    assert_eq!(course.look(&traffic, false, rules(), 90 * SECOND), Some(Step::Start));
}

#[test]
fn outside_of_its_hours_it_neither_starts_nor_goes_on_but_falls_back() {
    let night = calendar::Window::parse("00:00-00:01").unwrap();
    let shut = Calendar::new(jiff::tz::TimeZone::UTC, vec![night], vec![]);
    let (stages, traffic) = (stages(), Traffic::default());
    let noon = 12 * 3_600 * SECOND;
    let mut course = at_start(Some(noon), None);
    let rules = Rules { stages: &stages, calendar: &shut };
    assert_eq!(course.look(&traffic, false, rules, noon), None);
    course.obey(Order::Start, &stages, noon).unwrap();
    assert_eq!(go_on(&mut course, &traffic, &shut, 30, [1_000; 2]), None);
    assert_eq!(course.waits(&stages, noon + 30 * SECOND), Some(Waits::Hold(Hold::Calendar)));
    let open = Rules { stages: &stages, calendar: &Calendar::default() };
    assert_eq!(course.look(&traffic, false, open, noon + 31 * SECOND), Some(Step::Promote(1)));
    let broken = course.look(&traffic, true, rules, noon + 31 * SECOND);
    assert_eq!(broken, Some(Step::RollBack(Failure::BreakerOpen)));
}

#[test]
fn a_doubtful_sample_of_clients_holds_a_promotion_until_the_next_stage_and_takes_nobody_out() {
    let (stages, traffic, calendar) = (stages(), Traffic::default(), Calendar::default());
    let mut course = at_start(None, None);
    course.obey(Order::Start, &stages, 0).unwrap();
    // Nobody of the half that the candidate has comes through.
    traffic.serve(1, [1; 2]);
    assert_eq!(course.look(&traffic, false, Rules { stages: &stages, calendar: &calendar }, SECOND), None);
    let legacy = |client: &u32| Seed::new(5).hash(&client.to_be_bytes()).bucket() >= 5_000;
    *traffic.clients.borrow_mut() = (0..200).filter(legacy).collect();
    assert_eq!(go_on(&mut course, &traffic, &calendar, 30, [1_000; 2]), None);
    assert_eq!(course.verdict(), Verdict::Pass);
    let held = course.waits(&stages, 30 * SECOND);
    assert!(matches!(held, Some(Waits::Hold(Hold::Sample(_)))), "{held:?}");
    course.obey(Order::Promote, &stages, 31 * SECOND).unwrap();
    assert_eq!(course.hold(), None);
}

#[test]
fn a_slow_candidate_is_out_and_a_fast_one_goes_on_after_a_minute() {
    let guard =
        LatencyGuard { quantile: 0.99, at_most: Some(Duration::from_millis(300)), no_slower_than: None };
    let calendar = Calendar::default();
    let run = |candidate_us, seconds| {
        let (mut course, traffic) = (at_start(None, Some(guard)), Traffic::default());
        course.obey(Order::Start, &stages(), 0).unwrap();
        (go_on(&mut course, &traffic, &calendar, seconds, [100_000, candidate_us]), course)
    };
    let (step, course) = run(100_000, 30);
    assert_eq!((step, course.verdict(), course.hold()), (None, Verdict::Pass, Some(Hold::Latency)));
    assert_eq!(run(100_000, 70).0, Some(Step::Promote(1)));
    let slow = Failure::Slow(latency::TooSlow::OverLimit);
    assert_eq!(run(400_000, 60).0, Some(Step::RollBack(slow)));
    assert_eq!(run(400_000, 15).0, None, "three blocks may be one misfortune");
}
