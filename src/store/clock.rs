//! The clock that rows are stamped by, and that decides what is over.
//!
//! On PostgreSQL it is the database's: nodes' own differ and may be turned, and a move that one of them
//! stamped an hour ago would be missed by whoever asks another one for what changed since a minute ago. It is
//! read with each pass of the tail; in between, time goes on by a clock that nobody can turn. SQLite's is this
//! machine's.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::{Engine, Store};
use crate::event::Timestamp;

pub(super) enum Clock {
    Own,
    /// What it showed, and when; nothing before it was read for the first time.
    Database(Mutex<Option<Reading>>),
}

#[derive(Clone, Copy)]
pub(super) struct Reading {
    shown: Timestamp,
    at: Instant,
}

impl Clock {
    pub fn of(engine: &Engine) -> Self {
        match engine {
            Engine::Sqlite { .. } => Self::Own,
            Engine::Postgres { .. } => Self::Database(Mutex::new(None)),
        }
    }

    /// What it shows at `at`.
    fn at(&self, at: Instant) -> Timestamp {
        match self {
            Self::Own => Timestamp::now(),
            Self::Database(reading) => {
                let reading = *reading.lock().unwrap_or_else(PoisonError::into_inner);
                reading.map_or_else(Timestamp::now, |reading| reading.at(at))
            }
        }
    }

    /// Sets it by what the database said when it was asked at `asked` and answered at `answered`. It showed
    /// that at some moment in between: as long as we are within, we go on as before, so that a slow answer
    /// does not set us back.
    pub fn set(&self, asked: Instant, answered: Instant, shown: Timestamp) {
        let Self::Database(reading) = self else {
            return;
        };
        let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
        let least = Reading {
            shown,
            at: answered,
        };
        let most = Reading { shown, at: asked }.at(answered);
        let shown = reading.map_or(shown, |it| it.at(answered).clamp(shown, most));
        *reading = Some(Reading { shown, ..least });
    }
}

impl Reading {
    fn at(self, at: Instant) -> Timestamp {
        let passed = at.saturating_duration_since(self.at).as_micros();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        Timestamp(self.shown.0.saturating_add(passed))
    }
}

impl Store {
    /// What the clock shows that rows are stamped by.
    #[must_use]
    pub fn instant(&self) -> Timestamp {
        self.inner.clock.at(Instant::now())
    }

    /// By how many seconds this machine's own clock is ahead of it, behind it where that is negative.
    #[must_use]
    pub fn own_clock_ahead_s(&self) -> i64 {
        let ahead = Timestamp::now().0 - self.instant().0;
        (ahead + ahead.signum() * 500_000) / 1_000_000
    }

    /// Reads the database's clock, where it has one of its own.
    pub(super) fn set_clock(&self, asked: Instant, shown: Timestamp) {
        self.inner.clock.set(asked, Instant::now(), shown);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: i64 = 1_000_000;

    /// A clock of a database that showed 100 s at `begin`.
    fn clock(begin: Instant) -> Clock {
        let clock = Clock::of(&Engine::Postgres { url: String::new() });
        clock.set(begin, begin, Timestamp(100 * SECOND));
        clock
    }

    fn after(begin: Instant, milliseconds: u64) -> Instant {
        begin + Duration::from_millis(milliseconds)
    }

    #[test]
    fn goes_on_by_itself() {
        let begin = Instant::now();
        let shown = clock(begin).at(after(begin, 1500));
        assert_eq!(shown, Timestamp(101 * SECOND + SECOND / 2));
    }

    #[test]
    fn a_slow_answer_does_not_set_it_back() {
        let begin = Instant::now();
        let clock = clock(begin);
        // Asked at 1 s, answered at 3 s with what was shown in between.
        clock.set(
            after(begin, 1000),
            after(begin, 3000),
            Timestamp(102 * SECOND),
        );
        assert_eq!(clock.at(after(begin, 3000)), Timestamp(103 * SECOND));
    }

    #[test]
    fn follows_a_database_whose_clock_was_turned() {
        let begin = Instant::now();
        let clock = clock(begin);
        for (second, shown) in [(1, 4000), (2, 50)] {
            let asked = after(begin, second * 1000);
            clock.set(
                asked,
                after(begin, second * 1000 + 100),
                Timestamp(shown * SECOND),
            );
            let off = clock.at(asked).0 - shown * SECOND;
            assert!((0..=SECOND / 10).contains(&off), "{off}");
        }
    }
}
