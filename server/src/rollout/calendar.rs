//! When a rollout may go forwards by itself: hours in which somebody is there to look, and days on which nothing
//! moves. Backwards it goes at all times.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ZonedDateTime};

/// So many days ahead the next opening is looked for.
const AHEAD: i32 = 400;
/// Length of a day, minutes.
const DAY: u16 = 24 * 60;

/// The hours and days of a rollout, by the clocks of one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    zone: TimeZone,
    windows: Box<[Window]>,
    freezes: Box<[Freeze]>,
}

/// From one time of day to another, on some weekdays; one that ends before it begins ends on the next day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// From Monday.
    days: [bool; 7],
    /// Minutes of the day.
    from: u16,
    to: u16,
}

/// From one day to another, both of them within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    from: Date,
    to: Date,
}

impl Default for Calendar {
    /// At all times, told in UTC.
    fn default() -> Self {
        Self::new(TimeZone::UTC, Vec::new(), Vec::new())
    }
}

impl Calendar {
    /// Without windows, all hours are open.
    #[must_use]
    pub fn new(zone: TimeZone, windows: Vec<Window>, freezes: Vec<Freeze>) -> Self {
        Self { zone, windows: windows.into(), freezes: freezes.into() }
    }

    /// Whether a rollout may go forwards at a moment, milliseconds since 1970.
    #[must_use]
    pub fn is_open(&self, now_ms: u64) -> bool {
        // Almost all have none.
        if self.windows.is_empty() && self.freezes.is_empty() {
            return true;
        }
        let now = self.local(now_ms);
        let (date, minute) = (now.date(), minute_of(now.time()));
        let is_frozen = self.freezes.iter().any(|freeze| (freeze.from..=freeze.to).contains(&date));
        !is_frozen
            && (self.windows.is_empty() || self.windows.iter().any(|one| one.holds(date.weekday(), minute)))
    }

    /// When it next may, milliseconds since 1970; none if not within a year.
    #[must_use]
    pub fn opens_at(&self, now_ms: u64) -> Option<u64> {
        if self.is_open(now_ms) {
            return Some(now_ms);
        }
        let today = self.local(now_ms).date();
        (0..AHEAD).find_map(|days| {
            let date = today.checked_add(Span::new().try_days(days).ok()?).ok()?;
            // It can open only where a window begins, or where a day does.
            let begins = self.windows.iter().map(|window| window.from).chain([0]);
            begins
                .filter_map(|minute| self.at(date, minute))
                .filter(|at| *at > now_ms && self.is_open(*at))
                .min()
        })
    }

    /// A moment as people there write it.
    #[must_use]
    pub fn tell(&self, at_ms: u64) -> String {
        self.local(at_ms).strftime("%a %Y-%m-%d %H:%M %Z").to_string()
    }

    fn at(&self, date: Date, minute: u16) -> Option<u64> {
        let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
        // An hour that the clocks leave out begins after it.
        let zoned = date.at(hour, minute, 0, 0).to_zoned_datetime(self.zone.clone()).ok()?;
        u64::try_from(zoned.timestamp().as_millisecond()).ok()
    }

    fn local(&self, at_ms: u64) -> ZonedDateTime {
        let at = i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        at.unwrap_or(Timestamp::MAX).to_zoned_datetime(self.zone.clone())
    }
}

impl Window {
    /// `Mon-Fri 09:00-16:00`, `Sat,Sun 10:00-12:00`, `22:00-04:00`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (days, hours) = match text.trim().rsplit_once(' ') {
            Some((days, hours)) => (days_of(days)?, hours),
            None => ([true; 7], text.trim()),
        };
        let (from, to) = hours.split_once('-')?;
        let (from, to) = (time_of_day(from)?, time_of_day(to)?);
        (from != to && from < DAY).then_some(Self { days, from, to })
    }

    fn holds(&self, day: Weekday, minute: u16) -> bool {
        let on = |day: Weekday| self.days.get(place(day)).copied().unwrap_or_default();
        if self.from < self.to {
            on(day) && (self.from..self.to).contains(&minute)
        } else {
            (on(day) && minute >= self.from) || (on(day.previous()) && minute < self.to)
        }
    }
}

impl Freeze {
    /// `2026-12-24/2027-01-02`, or one day.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('/').unwrap_or((text, text));
        let date = |text: &str| (text.trim().len() == 10).then(|| text.trim().parse::<Date>().ok()).flatten();
        let (from, to) = (date(from)?, date(to)?);
        (from <= to).then_some(Self { from, to })
    }
}

/// A moment as RFC 3339 writes it, milliseconds since 1970.
#[must_use]
pub fn moment(text: &str) -> Option<u64> {
    // With a date, a time and an offset: without one, nobody knows when it is.
    let at: Timestamp = text.trim().parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

/// A moment as RFC 3339 writes it, in UTC.
#[must_use]
pub fn written(at_ms: u64) -> Option<String> {
    Some(Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()?.to_string())
}

/// The time zone of a name of the IANA database.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

fn days_of(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (weekday(from)?, weekday(to)?);
        loop {
            *days.get_mut(place(day))? = true;
            if day == last {
                break;
            }
            day = day.next();
        }
    }
    Some(days)
}

fn weekday(text: &str) -> Option<Weekday> {
    let names = [
        ("mon", Weekday::Monday),
        ("tue", Weekday::Tuesday),
        ("wed", Weekday::Wednesday),
        ("thu", Weekday::Thursday),
        ("fri", Weekday::Friday),
        ("sat", Weekday::Saturday),
        ("sun", Weekday::Sunday),
    ];
    let text = text.trim().to_ascii_lowercase();
    names.into_iter().find(|(name, _)| *name == text).map(|(_, day)| day)
}

fn place(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).unwrap_or_default()
}

/// `HH:MM` as minutes of the day; `24:00` is its end.
fn time_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let is_pair = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_pair(hours) || !is_pair(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= DAY).then_some(minute)
}

fn minute_of(time: Time) -> u16 {
    u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(windows: &[&str], freezes: &[&str]) -> Calendar {
        Calendar::new(
            zone("Europe/Berlin").unwrap(),
            windows.iter().map(|text| Window::parse(text).unwrap()).collect(),
            freezes.iter().map(|text| Freeze::parse(text).unwrap()).collect(),
        )
    }

    fn at(text: &str) -> u64 {
        moment(text).unwrap()
    }

    #[test]
    fn it_is_open_in_its_hours_by_the_clocks_of_its_place_in_winter_and_in_summer() {
        let work = calendar(&["Mon-Fri 09:00-16:00"], &[]);
        for (moment, is_open) in [
            ("2026-12-01T07:59:59Z", false),
            ("2026-12-01T08:00:00Z", true),
            ("2026-12-01T14:59:59Z", true),
            ("2026-12-01T15:00:00Z", false),
            ("2026-07-01T07:00:00Z", true),
            ("2026-07-01T14:00:00Z", false),
            ("2026-12-05T10:00:00Z", false),
        ] {
            assert_eq!(work.is_open(at(moment)), is_open, "{moment}");
        }
        assert!(Calendar::default().is_open(0) && Calendar::default().is_open(u64::MAX));
    }

    #[test]
    fn it_says_when_it_opens_next() {
        let opens = |calendar: &Calendar, now| calendar.opens_at(at(now));
        let work = calendar(&["Mon-Fri 09:00-16:00", "Sat 10:00-12:00"], &[]);
        assert_eq!(opens(&work, "2026-12-01T10:00:00Z"), Some(at("2026-12-01T10:00:00Z")));
        // Friday evening; the window of Saturday; Sunday, before the clocks have changed.
        assert_eq!(opens(&work, "2026-12-04T17:00:00Z"), Some(at("2026-12-05T09:00:00Z")));
        assert_eq!(opens(&work, "2026-10-25T00:30:00Z"), Some(at("2026-10-26T08:00:00Z")));
        let holidays = calendar(&["Mon-Fri 09:00-16:00"], &["2026-12-24/2027-01-02"]);
        assert_eq!(opens(&holidays, "2026-12-24T10:00:00Z"), Some(at("2027-01-04T08:00:00Z")));
        let only_frozen = calendar(&[], &["2026-12-24"]);
        assert_eq!(opens(&only_frozen, "2026-12-24T10:00:00Z"), Some(at("2026-12-24T23:00:00Z")));
        assert_eq!(opens(&calendar(&[], &["2026-01-01/2030-01-01"]), "2026-02-01T00:00:00Z"), None);
        assert_eq!(work.tell(at("2026-12-07T08:00:00Z")), "Mon 2026-12-07 09:00 CET");
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = calendar(&["Fri 22:00-04:00"], &[]);
        for (moment, is_open) in [
            ("2026-12-04T20:59:00Z", false),
            ("2026-12-04T21:00:00Z", true),
            ("2026-12-05T02:59:00Z", true),
            ("2026-12-05T03:00:00Z", false),
            ("2026-12-05T21:30:00Z", false),
            ("2026-12-04T01:00:00Z", false),
        ] {
            assert_eq!(night.is_open(at(moment)), is_open, "{moment}");
        }
    }

    #[test]
    fn what_is_no_window_no_freeze_and_no_moment_is_none() {
        for text in [
            "",
            "9-16",
            "Mon 9:00-16:00",
            "Mon-Fri",
            "Mon 09:00-25:00",
            "Foo 09:00-16:00",
            "Mon 09:00-09:00",
            "Mon 24:00-02:00",
            "Mon 09:60-10:00",
        ] {
            assert_eq!(Window::parse(text), None, "{text:?}");
        }
        for text in ["sat,Sun 00:00-24:00", "Sat-Mon 10:00-12:00", "09:00-16:00"] {
            assert!(Window::parse(text).is_some(), "{text:?}");
        }
        for text in ["", "2026-13-01", "2027-01-02/2026-12-24", "2026-12-24/", "24.12.2026"] {
            assert_eq!(Freeze::parse(text), None, "{text:?}");
        }
        for text in ["", "2026-12-01", "2026-12-01T08:00:00", "tomorrow"] {
            assert_eq!(moment(text), None, "{text:?}");
        }
        assert_eq!(moment("2026-12-01T08:00:00+01:00"), moment("2026-12-01T07:00:00Z"));
        assert!(zone("Europe/Berlin").is_some() && zone("Europe/Atlantis").is_none());
    }
}
