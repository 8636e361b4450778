use super::*;

const MIDDLE: f64 = 0.5;

/// A machine with a clock.
struct Page {
    machine: Machine,
    now: u64,
}

impl Page {
    fn new() -> Self {
        Self { machine: Machine::default(), now: 1_000_000 }
    }

    fn live() -> Self {
        let mut page = Self::new();
        assert_eq!(page.feed(Input::Start), [Effect::Connect, Effect::StartTimer(WATCHDOG_MS)]);
        page.feed(Input::Opened);
        page.feed(Input::FrameSeen);
        page
    }

    fn feed(&mut self, input: Input) -> Vec<Effect> {
        self.machine.step(input, self.now, MIDDLE)
    }

    fn after(&mut self, ms: u64, input: Input) -> Vec<Effect> {
        self.now += ms;
        self.feed(input)
    }

    /// Lets the awaited attempt begin and fail.
    fn fail_an_attempt(&mut self) -> Vec<Effect> {
        let wait = self.machine.retry_in_ms(self.now).expect("an attempt is awaited");
        assert_eq!(self.after(wait, Input::TimerFired)[0], Effect::Connect);
        self.after(10, Input::Closed(ABNORMAL))
    }
}

#[test]
fn a_lost_connection_is_tried_again_with_growing_delays() {
    let mut page = Page::live();
    assert_eq!(page.after(60_000, Input::Closed(ABNORMAL)), [Effect::StartTimer(1_000)]);
    assert_eq!(page.fail_an_attempt(), [Effect::StartTimer(1_500)]);
    assert_eq!(page.fail_an_attempt(), [Effect::StartTimer(2_250)]);
    assert_eq!(page.machine.attempt, 3);
}

#[test]
fn the_first_retry_has_jitter_to_both_sides() {
    for (random, delay) in [(0.0, 800), (1.0, 1_200)] {
        let mut page = Page::live();
        let effects = page.machine.step(Input::Closed(ABNORMAL), page.now + 9_000, random);
        assert_eq!(effects, [Effect::StartTimer(delay)]);
    }
}

#[test]
fn a_connection_that_dies_within_five_seconds_does_not_reset_the_schedule() {
    let mut page = Page::live();
    page.after(60_000, Input::Closed(ABNORMAL));
    page.fail_an_attempt();
    page.after(1_500, Input::TimerFired);
    page.feed(Input::Opened);
    page.feed(Input::FrameSeen);
    assert_eq!(page.after(4_999, Input::Closed(ABNORMAL)), [Effect::StartTimer(2_250)]);
}

#[test]
fn a_connection_that_lived_five_seconds_resets_the_schedule() {
    let mut page = Page::live();
    page.after(60_000, Input::Closed(ABNORMAL));
    page.fail_an_attempt();
    page.after(1_500, Input::TimerFired);
    page.feed(Input::Opened);
    page.feed(Input::FrameSeen);
    assert_eq!(page.after(5_000, Input::Closed(ABNORMAL)), [Effect::StartTimer(1_000)]);
}

#[test]
fn after_ten_attempts_it_goes_on_at_the_cap_and_never_dies() {
    let mut page = Page::live();
    page.after(60_000, Input::Closed(ABNORMAL));
    for _ in 0..10 {
        page.fail_an_attempt();
    }
    assert_eq!(page.machine.attempt, 11);
    for _ in 0..100 {
        assert_eq!(page.fail_an_attempt(), [Effect::StartTimer(30_000)]);
    }
}

#[test]
fn five_seconds_without_a_frame_are_a_lost_connection() {
    let mut page = Page::live();
    page.after(3_000, Input::FrameSeen);
    let heard = page.now;
    assert_eq!(page.after(2_000, Input::TimerFired), [Effect::StartTimer(3_000)]);
    assert_eq!(page.after(3_000, Input::TimerFired), [Effect::CloseSocket, Effect::StartTimer(1_000)]);
    assert_eq!(page.machine.lost_ms, Some(heard));
}

#[test]
fn an_attempt_that_hangs_is_given_up_by_the_watchdog() {
    let mut page = Page::new();
    page.feed(Input::Start);
    assert_eq!(page.after(5_000, Input::TimerFired), [Effect::CloseSocket, Effect::StartTimer(1_000)]);
}

#[test]
fn figures_are_stale_from_the_loss_until_the_next_frame() {
    let mut page = Page::live();
    page.after(9_000, Input::Closed(ABNORMAL));
    assert!(page.machine.is_stale());
    page.after(1_000, Input::TimerFired);
    page.feed(Input::Opened);
    assert!(page.machine.is_stale());
    page.feed(Input::FrameSeen);
    assert!(!page.machine.is_stale());
}

#[test]
fn nothing_is_tried_while_the_browser_is_offline_and_at_once_when_it_returns() {
    let mut page = Page::live();
    page.feed(Input::Offline);
    assert_eq!(page.after(9_000, Input::Closed(ABNORMAL)), [Effect::CancelTimer]);
    assert_eq!(page.machine.phase, Phase::Deferred(Obstacle::Offline));
    assert_eq!(page.after(70_000, Input::Online)[0], Effect::Connect);
}

#[test]
fn a_waiting_attempt_is_called_off_when_the_browser_goes_offline() {
    let mut page = Page::live();
    page.after(9_000, Input::Closed(ABNORMAL));
    assert_eq!(page.feed(Input::Offline), [Effect::CancelTimer]);
    assert_eq!(page.feed(Input::Hidden), []);
    assert_eq!(page.feed(Input::Online), []);
    assert_eq!(page.feed(Input::Visible)[0], Effect::Connect);
}

#[test]
fn an_attempt_that_falls_due_in_a_hidden_tab_is_made_when_the_tab_returns() {
    let mut page = Page::live();
    page.feed(Input::Hidden);
    page.after(9_000, Input::Closed(ABNORMAL));
    assert_eq!(page.after(1_000, Input::TimerFired), []);
    assert_eq!(page.machine.phase, Phase::Deferred(Obstacle::Hidden));
    assert_eq!(page.feed(Input::Visible)[0], Effect::Connect);
}

#[test]
fn clients_spread_over_the_window_of_a_goodbye() {
    let mut page = Page::live();
    page.feed(Input::Bye(Some((2_000, 8_000))));
    assert_eq!(page.after(9_000, Input::Closed(close::RESTART)), [Effect::StartTimer(5_000)]);
    assert_eq!(page.fail_an_attempt(), [Effect::StartTimer(1_500)]);
}

#[test]
fn a_refusal_is_not_tried_again_but_a_person_may() {
    let mut page = Page::live();
    assert_eq!(page.feed(Input::Closed(close::POLICY)), [Effect::CancelTimer]);
    assert_eq!(page.machine.phase, Phase::Refused(close::POLICY));
    assert_eq!(page.after(99_000, Input::TimerFired), []);
    assert_eq!(page.feed(Input::RetryNow)[0], Effect::Connect);
}

#[test]
fn retry_now_does_not_wait() {
    let mut page = Page::live();
    page.after(9_000, Input::Closed(ABNORMAL));
    assert_eq!(page.after(300, Input::RetryNow), [Effect::Connect, Effect::StartTimer(WATCHDOG_MS)]);
    assert_eq!(page.feed(Input::RetryNow), []);
}

#[test]
fn the_kill_switch_closes_the_socket_cancels_the_timer_and_polls() {
    let mut page = Page::live();
    let effects = page.feed(Input::Disable);
    assert_eq!(effects, [Effect::CancelTimer, Effect::CloseSocket, Effect::StartPolling]);
    for input in [Input::Closed(1000), Input::TimerFired, Input::RetryNow, Input::Online, Input::Visible] {
        assert_eq!(page.after(50_000, input), [], "{input:?}");
    }
    let effects = page.feed(Input::Enable);
    assert_eq!(effects, [Effect::StopPolling, Effect::Connect, Effect::StartTimer(WATCHDOG_MS)]);
}

#[test]
fn a_page_that_starts_disabled_never_opens_a_socket() {
    let mut page = Page::new();
    assert!(!page.feed(Input::Disable).contains(&Effect::Connect));
    assert_eq!(page.feed(Input::Start), []);
}

#[test]
fn a_failing_poll_makes_figures_stale_and_a_good_one_fresh() {
    let mut page = Page::new();
    page.feed(Input::Disable);
    page.feed(Input::PollFailed);
    assert!(page.machine.is_stale());
    page.feed(Input::FrameSeen);
    assert!(!page.machine.is_stale());
}

#[test]
fn the_report_tells_attempts_delays_and_the_life_of_the_last_connection() {
    let mut page = Page::live();
    assert_eq!(
        page.machine.take_report(),
        ClientMessage::Report { attempts: 1, connected_ms: None, delays_ms: vec![] }
    );
    page.after(60_000, Input::Closed(ABNORMAL));
    page.fail_an_attempt();
    page.after(400, Input::RetryNow);
    assert_eq!(
        page.machine.take_report(),
        ClientMessage::Report { attempts: 2, connected_ms: Some(60_000), delays_ms: vec![1_000, 400] }
    );
}
