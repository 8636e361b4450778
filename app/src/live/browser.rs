//! Carries out in the browser what the state machine decides.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use leptos::leptos_dom::helpers::{IntervalHandle, TimeoutHandle};
use leptos::prelude::*;
use leptos::task::spawn_local;
use rad_model::{Frame, Hello};

use super::machine::{ABNORMAL, Effect, Input, Machine, Phase};
use super::socket::Socket;
use super::{Live, News, http, kill_switch};
use crate::signals::effect;

const POLL_EVERY: Duration = Duration::from_secs(10);

/// Countdowns show tenths.
const CLOCK_EVERY: Duration = Duration::from_millis(100);

/// Between two drawings of events only.
const EVENTS_APART_MS: u64 = 250;

/// While all is well the clock only has to keep "updated … ago" going.
const CALM: u32 = 5;

struct Driver {
    live: Live,
    machine: Machine,
    socket: Option<Socket>,
    timer: Option<TimeoutHandle>,
    poller: Option<IntervalHandle>,
}

thread_local! {
    static DRIVER: RefCell<Option<Driver>> = const { RefCell::new(None) };
    static TO_DRAW: Cell<Option<News>> = const { Cell::new(None) };
    static EVENTS_DRAWN_MS: Cell<u64> = const { Cell::new(0) };
}

/// Connects, or polls if the kill switch was thrown in an earlier life of the page.
pub fn start(live: Live) {
    let driver = Driver { live, machine: Machine::default(), socket: None, timer: None, poller: None };
    DRIVER.with_borrow_mut(|slot| *slot = Some(driver));
    for (event, input) in [("online", Input::Online), ("offline", Input::Offline)] {
        let _ = window_event_listener_untyped(event, move |_| feed(input));
    }
    // The event of the document bubbles up to the window.
    let _ = window_event_listener_untyped("visibilitychange", move |_| feed(visibility()));
    feed(visibility());
    if !window().navigator().on_line() {
        feed(Input::Offline);
    }
    start_clock(live);
    effect(move || {
        let stale = live.stale.get();
        if let Some(body) = document().body() {
            let _ = body.class_list().toggle_with_force("stale", stale);
        }
    });
    kill_switch::install();
    if kill_switch::is_thrown() { kill_switch::disable() } else { feed(Input::Start) }
}

/// Gives an input to the machine and does what it says.
pub fn feed(input: Input) {
    let step = DRIVER.with_borrow_mut(|slot| {
        let driver = slot.as_mut()?;
        let effects = driver.machine.step(input, now_ms(), js_sys::Math::random());
        Some((driver.live, driver.machine.clone(), effects))
    });
    let Some((live, machine, effects)) = step else { return };
    live.now_ms.set(Some(now_ms()));
    live.connection.set(machine);
    for effect in effects {
        carry_out(live, effect);
    }
}

/// Tells the views of a changed board in the next animation frame; a hidden tab has none until it returns.
///
/// A lone event is shown at once, a storm of them a few times a second.
pub fn draw_soon(live: Live, news: News) {
    let before = TO_DRAW.get();
    TO_DRAW.set(before.max(Some(news)));
    if before >= Some(news) {
        return;
    }
    let draw = move || match TO_DRAW.take() {
        Some(News::All) => live.board.notify(),
        Some(News::Events) => {
            EVENTS_DRAWN_MS.set(now_ms());
            live.told.notify();
        }
        None => {}
    };
    let next_ms = EVENTS_DRAWN_MS.get() + EVENTS_APART_MS;
    match next_ms.saturating_sub(now_ms()) {
        wait @ 1..=EVENTS_APART_MS if news == News::Events => {
            set_timeout(move || request_animation_frame(draw), Duration::from_millis(wait));
        }
        _ => request_animation_frame(draw),
    }
}

/// Takes in a frame of the socket.
pub fn receive(frame: Frame) {
    let Some(live) = live() else { return };
    match frame {
        Frame::Hello(hello) => greet(live, *hello),
        Frame::Bye(bye) => feed(Input::Bye(bye.reconnect_ms)),
        Frame::Tick(_) => {
            live.take_in(News::All, |board| usize::from(board.apply(&frame)));
            feed(Input::FrameSeen);
        }
        Frame::Event(_) => {
            live.take_in(News::Events, |board| usize::from(board.apply(&frame)));
            // The watchdog is told; what the page says of its connection can wait for the next tick.
            DRIVER.with_borrow_mut(|slot| {
                slot.as_mut().map(|driver| driver.machine.step(Input::FrameSeen, now_ms(), 0.0))
            });
        }
    }
}

/// Now by the browser's clock, milliseconds since 1970.
pub fn now_ms() -> u64 {
    crate::format::whole(js_sys::Date::now())
}

fn live() -> Option<Live> {
    DRIVER.with_borrow(|slot| slot.as_ref().map(|driver| driver.live))
}

fn greet(live: Live, hello: Hello) {
    live.take_in(News::All, |board| board.greet(hello));
    feed(Input::FrameSeen);
    DRIVER.with_borrow_mut(|slot| {
        if let Some(Driver { machine, socket: Some(socket), .. }) = slot {
            socket.send(&machine.take_report());
        }
    });
}

fn carry_out(live: Live, effect: Effect) {
    DRIVER.with_borrow_mut(|slot| {
        let Some(driver) = slot else { return };
        match effect {
            Effect::Connect => {
                driver.socket = Socket::open(&live.place());
                if driver.socket.is_none() {
                    queue_microtask(|| feed(Input::Closed(ABNORMAL)));
                }
            }
            Effect::CloseSocket => driver.socket = None,
            Effect::StartTimer(ms) => {
                driver.stop_timer();
                driver.timer =
                    set_timeout_with_handle(|| feed(Input::TimerFired), Duration::from_millis(ms)).ok();
            }
            Effect::CancelTimer => driver.stop_timer(),
            Effect::StartPolling => {
                driver.stop_polling();
                driver.poller = set_interval_with_handle(move || poll(live), POLL_EVERY).ok();
                poll(live);
            }
            Effect::StopPolling => driver.stop_polling(),
        }
    });
}

impl Driver {
    fn stop_timer(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.clear();
        }
    }

    fn stop_polling(&mut self) {
        if let Some(poller) = self.poller.take() {
            poller.clear();
        }
    }
}

/// What a page needs of `GET /api/metrics`.
#[derive(serde::Deserialize)]
struct Polled {
    live: Option<Hello>,
}

fn poll(live: Live) {
    spawn_local(async move {
        let (epoch, seq) = live.place();
        let answer = http::get::<Polled>(&format!("/api/metrics?epoch={epoch}&seq={seq}")).await;
        if !live.connection.with_untracked(|machine| machine.phase == Phase::Disabled) {
            return;
        }
        match answer.ok().and_then(|polled| polled.live) {
            Some(hello) => greet(live, hello),
            None => feed(Input::PollFailed),
        }
    });
}

fn visibility() -> Input {
    if document().hidden() { Input::Hidden } else { Input::Visible }
}

fn start_clock(live: Live) {
    let offset = js_sys::Date::new_0().get_timezone_offset();
    #[allow(clippy::cast_possible_truncation)] // at most a day of minutes
    live.zone_min.set(Some(-offset as i32));
    let beat = Cell::new(0_u32);
    let _ = set_interval_with_handle(
        move || {
            beat.set(beat.get().wrapping_add(1));
            let calm = live.connection.with_untracked(|machine| !machine.is_stale());
            if !document().hidden() && (!calm || beat.get().is_multiple_of(CALM)) {
                live.now_ms.set(Some(now_ms()));
            }
        },
        CLOCK_EVERY,
    );
}
