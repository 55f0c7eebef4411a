//! Instants, as the contract writes them: UTC with microseconds and `Z`.

use std::fmt;
use std::str::FromStr;

use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in microseconds since 1970-01-01T00:00:00Z; a plain integer in both databases, so
/// that comparing and ordering mean the same in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Timestamp(pub i64);

/// A text that is no ISO 8601 instant with an offset.
#[derive(Debug, thiserror::Error)]
#[error("not an ISO 8601 date and time with an offset, such as 2026-11-24T10:15:00Z")]
pub struct TimestampError(#[source] jiff::Error);

impl Timestamp {
    /// This machine's clock.
    #[must_use]
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_microsecond())
    }

    /// This instant moved by whole seconds, stopping at the ends of what can be written.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::written(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// The nearest instant that can be written: the first and the last are whole seconds.
    fn written(microseconds: i64) -> Self {
        let ends = [jiff::Timestamp::MIN, jiff::Timestamp::MAX];
        let [first, last] = ends.map(|end| end.as_second() * 1_000_000);
        Self(microseconds.clamp(first, last))
    }

    /// The first moment, in UTC, of a day such as `2026-11-24`; of the very last one, which people write
    /// for never, the last that can be written. `None` for what is no day.
    #[must_use]
    pub fn of_day(day: &str) -> Option<Self> {
        let day: jiff::civil::Date = day.parse().ok()?;
        let midnight = jiff::tz::TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0));
        let instant = midnight.unwrap_or(jiff::Timestamp::MAX);
        Some(Self::written(instant.as_microsecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MICROSECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
        let instant = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        f.write_str(&MICROSECONDS.timestamp_to_string(&instant))
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads ISO 8601 with `Z` or a numeric offset; finer than a microsecond is cut off.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>()
            .map(|instant| Self::written(instant.as_microsecond()))
            .map_err(TimestampError)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_in_utc_with_six_digits_even_when_they_are_zero() {
        let noon: Timestamp = "2026-07-01T14:00:00+02:00".parse().unwrap();
        assert_eq!(noon.to_string(), "2026-07-01T12:00:00.000000Z");
    }

    #[test]
    fn keeps_microseconds_both_ways() {
        let text = "2026-11-24T00:36:57.365939Z";
        assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
    }

    #[test]
    fn stays_within_what_can_be_written() {
        let written = |timestamp: Timestamp| timestamp.to_string();
        let never = Timestamp::of_day("9999-12-31").unwrap();
        assert_eq!(written(never), "9999-12-30T22:00:00.000000Z");
        assert_eq!(
            "9999-12-30T22:00:00.5Z".parse::<Timestamp>().unwrap(),
            never
        );
        assert_eq!(never.plus_seconds(86_400), never);
        assert_eq!(written(Timestamp(0).plus_seconds(i64::MAX)), written(never));
        let day = Timestamp::of_day("2026-11-24").unwrap();
        assert_eq!(written(day), "2026-11-24T00:00:00.000000Z");
        for other in ["", "2026-13-01", "tomorrow", "10000-01-01"] {
            assert_eq!(Timestamp::of_day(other), None, "{other}");
        }
    }

    #[test]
    fn refuses_a_time_without_an_offset() {
        assert!("2026-11-24T00:36:57".parse::<Timestamp>().is_err());
    }
}
