//! How much of the past the page shows; it stands in the URL as `?range=5m`.

/// A span of time up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    OneMinute,
    FiveMinutes,
    #[default]
    FifteenMinutes,
}

impl Range {
    /// All, shortest first.
    pub const ALL: [Self; 3] = [Self::OneMinute, Self::FiveMinutes, Self::FifteenMinutes];

    /// From the value in the URL; anything unknown is the default.
    #[must_use]
    pub fn from_query(text: &str) -> Self {
        Self::ALL.into_iter().find(|range| range.query() == text).unwrap_or_default()
    }

    /// The value in the URL.
    #[must_use]
    pub fn query(self) -> &'static str {
        match self {
            Self::OneMinute => "1m",
            Self::FiveMinutes => "5m",
            Self::FifteenMinutes => "15m",
        }
    }

    /// The label of its button.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::OneMinute => "1 min",
            Self::FiveMinutes => "5 min",
            Self::FifteenMinutes => "15 min",
        }
    }

    /// In words: `last 5 minutes`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::OneMinute => "last minute",
            Self::FiveMinutes => "last 5 minutes",
            Self::FifteenMinutes => "last 15 minutes",
        }
    }

    /// Its length in milliseconds.
    #[must_use]
    pub fn ms(self) -> u64 {
        match self {
            Self::OneMinute => 60_000,
            Self::FiveMinutes => 300_000,
            Self::FifteenMinutes => 900_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_reads_what_it_writes_and_nonsense_is_the_default() {
        for range in Range::ALL {
            assert_eq!(Range::from_query(range.query()), range);
        }
        assert_eq!(Range::from_query("7d"), Range::FifteenMinutes);
    }
}
