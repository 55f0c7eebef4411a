//! The server's clock, as seen from here.

use http::HeaderMap;
use http::header::DATE;
use tokio::time::Instant;

use crate::event::Timestamp;

/// What time it was at the server when it answered, so that `?since=` is told in the server's own
/// time however wrong this machine's clock is.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerClock {
    answered: Instant,
    date: Timestamp,
}

impl ServerClock {
    /// Reads the `Date` of an answer that has just come; without one, this machine's clock has to
    /// do. The header is cut to whole seconds, which errs on the safe side.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        let date = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        Self {
            answered: Instant::now(),
            date: date.map_or_else(Timestamp::now, |date| {
                Timestamp(date.timestamp().as_microsecond())
            }),
        }
    }

    /// When the server answered, by this machine's steady clock.
    pub(super) fn answered(self) -> Instant {
        self.answered
    }

    /// The server's time at `instant`, `margin_s` seconds less.
    pub(super) fn at(self, instant: Instant, margin_s: i64) -> Timestamp {
        let elapsed = instant.saturating_duration_since(self.answered).as_secs();
        self.date
            .plus_seconds(i64::try_from(elapsed).unwrap_or(i64::MAX) - margin_s)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_servers_time_is_that_of_its_date_header() {
        let mut headers = HeaderMap::new();
        headers.insert(
            DATE,
            HeaderValue::from_static("Tue, 24 Nov 2026 01:02:03 GMT"),
        );
        let clock = ServerClock::read(&headers);
        let later = clock.answered() + Duration::from_mins(1);
        assert_eq!(clock.at(later, 2), "2026-11-24T01:03:01Z".parse().unwrap());
    }
}
