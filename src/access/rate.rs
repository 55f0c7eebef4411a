//! So many a second on average, of all together or of each.
//!
//! A rate is kept as one instant: when everything that was admitted so far would have come at exactly that
//! rate. It may lie as far ahead as the rate lets something come at once.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::throttle::Wait;

/// How many are remembered at most. When more come at once, those beyond are not counted: whoever floods
/// with made-up names has nobody else refused by it.
const MOST: usize = 100_000;

/// Between two searches for who can be forgotten, while too many are remembered.
const CLEAR: Duration = Duration::from_secs(1);

/// How often, and how much at once after a silence.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Nanoseconds between two.
    every: u64,
    /// Nanoseconds that may be used at once.
    ahead: u64,
}

impl Pace {
    /// `None` for 0 a second, which is no limit.
    fn new(per_second: u32, at_once: Duration) -> Option<Self> {
        let every = 1_000_000_000_u64.checked_div(per_second.into())?;
        Some(Self {
            every,
            ahead: nanoseconds(at_once).max(every),
        })
    }

    /// Admits one at `now`, after which `at` is the instant to remember.
    fn take(self, at: u64, now: u64) -> Result<u64, Wait> {
        let next = at.max(now) + self.every;
        match next.checked_sub(now + self.ahead) {
            None | Some(0) => Ok(next),
            Some(early) => Err(Wait {
                seconds: early.div_ceil(1_000_000_000),
            }),
        }
    }
}

/// Of all together.
#[derive(Debug)]
pub struct Rate {
    pace: Option<Pace>,
    began: Instant,
    // A std lock around a number.
    at: Mutex<u64>,
}

/// Of each by itself. Memory is bounded.
#[derive(Debug)]
pub struct RateOfEach {
    pace: Option<Pace>,
    began: Instant,
    /// Who is who: the digest of a random hasher, so that nobody can choose to be another.
    hasher: RandomState,
    // A std lock, held for a few map operations.
    known: Mutex<Known>,
    most: usize,
}

#[derive(Debug, Default)]
struct Known {
    at: HashMap<u64, u64>,
    cleared: u64,
}

impl Rate {
    /// So many a second, those of a second at once; 0 is no limit.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self {
            pace: Pace::new(per_second, Duration::from_secs(1)),
            began: Instant::now(),
            at: Mutex::default(),
        }
    }

    /// Admits one more, or tells how long to wait.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn take(&self) -> Result<(), Wait> {
        let Some(pace) = self.pace else {
            return Ok(());
        };
        let now = nanoseconds(self.began.elapsed());
        let mut at = lock(&self.at);
        *at = pace.take(*at, now)?;
        Ok(())
    }
}

impl RateOfEach {
    /// So many a second of each, those of `at_once` at once; 0 is no limit.
    #[must_use]
    pub fn new(per_second: u32, at_once: Duration) -> Self {
        Self {
            pace: Pace::new(per_second, at_once),
            began: Instant::now(),
            hasher: RandomState::new(),
            known: Mutex::default(),
            most: MOST,
        }
    }

    /// Admits one more of `whom`, or tells how long to wait.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn take(&self, whom: impl Hash) -> Result<(), Wait> {
        self.take_at(whom, self.began.elapsed())
    }

    /// Takes back that one of `whom` was admitted: it does not count.
    pub fn give_back(&self, whom: impl Hash) {
        if let Some(pace) = self.pace
            && let Some(at) = lock(&self.known).at.get_mut(&self.hasher.hash_one(whom))
        {
            *at = at.saturating_sub(pace.every);
        }
    }

    fn take_at(&self, whom: impl Hash, now: Duration) -> Result<(), Wait> {
        let Some(pace) = self.pace else {
            return Ok(());
        };
        let (whom, now) = (self.hasher.hash_one(whom), nanoseconds(now));
        let mut known = lock(&self.known);
        if let Some(at) = known.at.get_mut(&whom) {
            *at = pace.take(*at, now)?;
        } else if known.has_room(self.most, now) {
            known.at.insert(whom, pace.take(0, now)?);
        }
        Ok(())
    }
}

impl Known {
    /// Whether one more can be remembered, after those are forgotten who may do as if they had never come.
    fn has_room(&mut self, most: usize, now: u64) -> bool {
        if self.at.len() >= most && now >= self.cleared + nanoseconds(CLEAR) {
            self.cleared = now;
            self.at.retain(|_, at| *at > now);
        }
        self.at.len() < most
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Numbers are whole whatever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// They last for centuries.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(rate: &RateOfEach, whom: &str, at_ms: u64, tries: usize) -> usize {
        let at = Duration::from_secs(10) + Duration::from_millis(at_ms);
        let admitted = (0..tries).filter(|_| rate.take_at(whom, at).is_ok());
        admitted.count()
    }

    #[test]
    fn each_has_a_burst_and_then_its_rate() {
        let rate = RateOfEach::new(10, Duration::from_secs(2));
        assert_eq!(admitted(&rate, "bus", 0, 100), 20, "two seconds at once");
        assert_eq!(admitted(&rate, "bus", 99, 100), 0);
        assert_eq!(admitted(&rate, "bus", 100, 100), 1);
        assert_eq!(admitted(&rate, "bus", 1100, 100), 10);
        assert_eq!(
            admitted(&rate, "tram", 1100, 100),
            20,
            "nobody else's matter"
        );
        assert_eq!(admitted(&rate, "bus", 60_000, 100), 20, "no more than that");
    }

    #[test]
    fn waiting_as_long_as_told_is_enough() {
        let rate = RateOfEach::new(1, Duration::from_secs(3));
        let at = |s| Duration::from_secs(s);
        for _ in 0..3 {
            rate.take_at("bus", at(10)).unwrap();
        }
        let wait = rate.take_at("bus", at(10)).unwrap_err();
        assert_eq!(wait.seconds, 1);
        // Who is refused does not pay for asking.
        assert_eq!(rate.take_at("bus", at(10)).unwrap_err(), wait);
        rate.take_at("bus", at(10 + wait.seconds)).unwrap();
    }

    #[test]
    fn slower_than_once_in_the_burst_is_still_admitted() {
        let rate = RateOfEach::new(1, Duration::ZERO);
        assert_eq!(admitted(&rate, "bus", 0, 5), 1);
        assert_eq!(admitted(&rate, "bus", 999, 5), 0);
        assert_eq!(admitted(&rate, "bus", 1000, 5), 1);
    }

    #[test]
    fn a_flood_of_names_takes_no_more_memory_and_refuses_nobody_else() {
        let mut rate = RateOfEach::new(1, Duration::from_secs(1));
        rate.most = 100;
        for number in 0..1000 {
            assert_eq!(admitted(&rate, &format!("made up {number}"), 0, 1), 1);
        }
        assert_eq!(lock(&rate.known).at.len(), 100);
        assert_eq!(admitted(&rate, "bus", 0, 1), 1);
        // The flood has ended: who is real is counted again.
        assert_eq!(admitted(&rate, "bus", 2000, 5), 1);
        assert_eq!(lock(&rate.known).at.len(), 1);
    }

    #[test]
    fn zero_is_no_limit() {
        let none = RateOfEach::new(0, Duration::from_secs(1));
        assert_eq!(admitted(&none, "bus", 0, 1000), 1000);
        assert!((0..1000).all(|_| Rate::new(0).take().is_ok()));
    }

    #[test]
    fn of_all_together_a_second_may_come_at_once() {
        let rate = Rate::new(5);
        let admitted = (0..100).filter(|_| rate.take().is_ok()).count();
        // A slow machine may be at it for longer than a fifth of a second.
        assert!((5..=10).contains(&admitted), "{admitted}");
    }
}
