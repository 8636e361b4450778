//! Figures as people read them. By hand, because the standard float formatting is slow in a tick and heavy
//! in the bundle.

/// `value` with a fixed number of decimals and `,` between thousands; what is no number shows as `–`.
#[must_use]
pub fn fixed(value: f64, decimals: u32) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let unit = 10_u64.saturating_pow(decimals);
    let scaled = whole(value.abs() * approximate(unit));
    let sign = if value < 0.0 && scaled > 0 { "-" } else { "" };
    let integer = count(scaled / unit);
    if decimals == 0 {
        return format!("{sign}{integer}");
    }
    format!("{sign}{integer}.{:0width$}", scaled % unit, width = decimals as usize)
}

/// A whole number with `,` between thousands.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate: `574`, `18.2`, `0`.
#[must_use]
pub fn rate(value: f64) -> String {
    match value {
        v if v < 0.05 => "0".to_owned(),
        v if v < 99.95 => fixed(v, 1),
        v => fixed(v, 0),
    }
}

/// A number on a scale: with a decimal only where it has one.
#[must_use]
pub fn plain(value: f64) -> String {
    fixed(value, u32::from((value - value.round()).abs() > 0.01))
}

/// A share of 0 to 1 in percent: `99.46`. Never rounded up to a `100` that it is not.
#[must_use]
pub fn percent(share: f64) -> String {
    if share >= 1.0 {
        return "100".to_owned();
    }
    let hundredths = (share * 10_000.0 + 1e-7).floor().max(0.0);
    fixed(hundredths / 100.0, 2)
}

/// A share of 0 to 1 that somebody has set, in percent: `99.5`, to three decimals at most.
#[must_use]
pub fn target(share: f64) -> String {
    let text = fixed(share * 100.0, 3);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A duration of so many microseconds: figure and unit.
#[must_use]
pub fn duration(us: f64) -> (String, &'static str) {
    match us {
        v if v <= 0.0 => ("0".to_owned(), "ms"),
        v if v < 995.0 => (fixed(v / 1_000.0, 2), "ms"),
        v if v < 9_950.0 => (fixed(v / 1_000.0, 1), "ms"),
        v if v < 999_500.0 => (fixed(v / 1_000.0, 0), "ms"),
        v if v < 9_995_000.0 => (fixed(v / 1_000_000.0, 2), "s"),
        v => (fixed(v / 1_000_000.0, 1), "s"),
    }
}

/// How long ago: `0.4 s`, `12 s`, `3 min`, `2 h`.
#[must_use]
pub fn age(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{} s", fixed(approximate(ms) / 1_000.0, 1)),
        10_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

/// How long still, in tenths below a minute: `2.1 s`.
#[must_use]
pub fn countdown(ms: u64) -> String {
    format!("{} s", fixed(approximate(ms) / 1_000.0, 1))
}

/// How long still, in whole seconds, rounded up: `42 s`, `1 min 30 s`.
#[must_use]
pub fn seconds(ms: u64) -> String {
    length(ms.div_ceil(1_000).saturating_mul(1_000))
}

/// How long something lasts, never rounded up: `0.2 s`, `15 s`, `2 min 30 s`, `12 min`, `1 h 30 min`, `2 days`.
#[must_use]
pub fn length(ms: u64) -> String {
    let (minutes, hours) = (ms / 60_000, ms / 3_600_000);
    let (whole, unit, rest, small) = match ms {
        0..10_000 => return format!("{} s", plain(approximate(ms / 100) / 10.0)),
        10_000..60_000 => (ms / 1_000, "s", 0, ""),
        60_000..600_000 => (minutes, "min", ms / 1_000 % 60, "s"),
        600_000..3_600_000 => (minutes, "min", 0, ""),
        3_600_000..36_000_000 => (hours, "h", minutes % 60, "min"),
        36_000_000..172_800_000 => (hours, "h", 0, ""),
        _ => (hours / 24, "days", 0, ""),
    };
    if rest == 0 { format!("{whole} {unit}") } else { format!("{whole} {unit} {rest} {small}") }
}

/// A size, in decimal units: `640 B`, `2.5 kB`, `64 MB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    let size = approximate(bytes);
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", plain(size / 1e3)),
        1_000_000..1_000_000_000 => format!("{} MB", plain(size / 1e6)),
        _ => format!("{} GB", plain(size / 1e9)),
    }
}

/// The time of day `offset_min` minutes east of UTC: `20:41:30`.
#[must_use]
pub fn clock(at_ms: u64, offset_min: i32) -> String {
    let (hours, minutes, seconds) = time_of_day(at_ms, offset_min);
    format!("{hours:02}:{minutes:02}:{seconds:02}")
}

/// The time of day without seconds: `20:41`.
#[must_use]
pub fn clock_minutes(at_ms: u64, offset_min: i32) -> String {
    let (hours, minutes, _) = time_of_day(at_ms, offset_min);
    format!("{hours:02}:{minutes:02}")
}

fn time_of_day(at_ms: u64, offset_min: i32) -> (u64, u64, u64) {
    let seconds = (at_ms / 1_000).saturating_add_signed(i64::from(offset_min) * 60) % 86_400;
    (seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// A non-negative number rounded to a whole one; beyond the range it saturates.
#[must_use]
pub fn whole(value: f64) -> u64 {
    // Float to integer casts saturate, and NaN becomes 0.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = value.round() as u64;
    whole
}

/// A count or a time as a number to calculate with.
#[must_use]
pub fn approximate(value: u64) -> f64 {
    // Counts and milliseconds of this century are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let approximate = value as f64;
    approximate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_shown_as_it_was_set() {
        for (share, shown) in [(0.995, "99.5"), (0.99999, "99.999"), (0.9, "90"), (0.5, "50")] {
            assert_eq!(target(share), shown);
        }
    }

    #[test]
    fn a_success_below_one_is_never_shown_as_a_hundred() {
        assert_eq!(percent(0.999_999), "99.99");
        assert_eq!(percent(1.0), "100");
        assert_eq!(percent(0.9946), "99.46");
        assert_eq!(percent(0.0), "0.00");
    }

    #[test]
    fn figures_have_as_many_digits_as_they_are_worth() {
        assert_eq!([rate(0.0), rate(3.11), rate(18.23), rate(574.4)], ["0", "3.1", "18.2", "574"]);
        assert_eq!(rate(12_345.0), "12,345");
        assert_eq!(duration(420.0), ("0.42".to_owned(), "ms"));
        assert_eq!(duration(9_200.0), ("9.2".to_owned(), "ms"));
        assert_eq!(duration(212_000.0), ("212".to_owned(), "ms"));
        assert_eq!(duration(4_100_000.0), ("4.10".to_owned(), "s"));
        assert_eq!(fixed(f64::NAN, 1), "–");
        assert_eq!(fixed(-0.04, 1), "0.0");
    }

    #[test]
    fn sizes_are_told_in_decimal_units() {
        let shown = [bytes(640), bytes(2_500), bytes(67_108_864), bytes(2_000_000_000)];
        assert_eq!(shown, ["640 B", "2.5 kB", "67.1 MB", "2 GB"]);
    }

    #[test]
    fn the_clock_shows_the_time_of_the_zone() {
        let at = 1_700_000_000_000; // 22:13:20 UTC
        assert_eq!(clock(at, 0), "22:13:20");
        assert_eq!(clock(at, 120), "00:13:20");
        assert_eq!(clock_minutes(at, -330), "16:43");
    }

    #[test]
    fn ages_grow_coarser_with_time() {
        assert_eq!([age(400), age(12_900), age(200_000), age(8_000_000)], ["0.4 s", "12 s", "3 min", "2 h"]);
        assert_eq!(seconds(41_200), "42 s");
        let lengths =
            [250, 2_000, 15_900, 120_000, 150_900, 720_000, 3_600_000, 5_400_000, 172_800_000].map(length);
        assert_eq!(
            lengths,
            ["0.2 s", "2 s", "15 s", "2 min", "2 min 30 s", "12 min", "1 h", "1 h 30 min", "2 days"]
        );
        assert_eq!(
            [seconds(59_001), seconds(3_600_000), seconds(u64::MAX)],
            ["1 min", "1 h", "213503982334 days"]
        );
    }
}
