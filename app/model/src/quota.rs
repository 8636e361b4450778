//! So many requests in so long: `200/minute`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of requests in a window of time. Written `200/minute`, `1000/hour`, `5/10s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    requests: u32,
    window_s: u32,
}

/// Why a text is no quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidQuota {
    text: String,
    wrong: &'static str,
}

impl fmt::Display for InvalidQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no limit: {}; write REQUESTS/WINDOW, for example \"200/minute\", \"1000/hour\" or \"5/10s\" \
             (1 to {} requests; windows of 1 s to 365 days in s, second, minute, hour, day)",
            self.text,
            self.wrong,
            u32::MAX
        )
    }
}

impl std::error::Error for InvalidQuota {}

const YEAR_S: u32 = 365 * 86_400;

impl Quota {
    /// A quota of `requests` (at least 1) in `window_s` seconds (1 to 365 days); `None` outside these.
    #[must_use]
    pub fn new(requests: u32, window_s: u32) -> Option<Self> {
        (requests > 0 && (1..=YEAR_S).contains(&window_s)).then_some(Self { requests, window_s })
    }

    /// How many requests the window holds, at least 1.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// The window's length in seconds, at least 1.
    #[must_use]
    pub fn window_s(&self) -> u32 {
        self.window_s
    }

    /// The words of the 429 answer: `10 per 1 minute`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let (count, unit) = self.unit();
        format!("{} per {count} {unit}", self.requests)
    }

    /// The window as it is written: `minute`, `10s`.
    #[must_use]
    pub fn window_name(&self) -> String {
        match self.unit() {
            (1, unit) => unit.to_owned(),
            (count, unit) => format!("{count}{}", &unit[..1]),
        }
    }

    fn unit(&self) -> (u32, &'static str) {
        [(86_400, "day"), (3_600, "hour"), (60, "minute")]
            .into_iter()
            .find(|(length, _)| self.window_s.is_multiple_of(*length))
            .map_or((self.window_s, "second"), |(length, name)| (self.window_s / length, name))
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requests, self.window_name())
    }
}

impl FromStr for Quota {
    type Err = InvalidQuota;

    fn from_str(text: &str) -> Result<Self, InvalidQuota> {
        let wrong = |wrong| InvalidQuota { text: text.to_owned(), wrong };
        let (requests, window) = text.split_once('/').ok_or_else(|| wrong("it has no \"/\""))?;
        let requests =
            requests.trim().parse().map_err(|_| wrong("the number of requests is no whole number"))?;
        let window = window.trim();
        let digits = window.find(|c: char| !c.is_ascii_digit()).unwrap_or(window.len());
        let count: u32 = match &window[..digits] {
            "" => 1,
            digits => digits.parse().map_err(|_| wrong("the window is too long"))?,
        };
        let length = match window[digits..].trim() {
            "s" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            _ => return Err(wrong("the window has no known unit")),
        };
        let window_s = count.checked_mul(length).ok_or_else(|| wrong("the window is too long"))?;
        Self::new(requests, window_s).ok_or_else(|| {
            wrong(if requests == 0 {
                "a limit of 0 would reject everything"
            } else if window_s == 0 {
                "a window of 0 s holds nothing"
            } else {
                "the window is over 365 days"
            })
        })
    }
}

impl Serialize for Quota {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quota {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_reads_what_it_writes() {
        for text in ["200/minute", "1000/hour", "5/10s", "1/day", "3/90s", "7/5m", "2/second"] {
            assert_eq!(text.parse::<Quota>().map(|q| q.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("60/60s".parse::<Quota>().unwrap().to_string(), "60/minute");
    }

    #[test]
    fn the_words_are_those_of_the_429_answer() {
        assert_eq!("10/minute".parse::<Quota>().unwrap().in_words(), "10 per 1 minute");
        assert_eq!("7/5m".parse::<Quota>().unwrap().in_words(), "7 per 5 minute");
    }

    #[test]
    fn nonsense_is_refused_with_what_is_allowed() {
        for text in [
            "",
            "10",
            "0/minute",
            "10/0s",
            "x/minute",
            "10/fortnight",
            "10/9999999999d",
            "-1/s",
            "1/4000000000s",
        ] {
            let error = text.parse::<Quota>().expect_err(text).to_string();
            assert!(error.contains("200/minute"), "{error}");
        }
    }
}
