//! Whether leases that are over say anything of those who held them.

use std::time::Duration;

use tokio::time::Instant;

use crate::event::Timestamp;

/// So long the nodes that live have to renew their leases, which after an absence of the database, or when
/// its clock was set ahead, are over: before anybody ends what they run.
const RETURNED: Duration = Duration::from_secs(5);

/// A database that was asked in vain for longer was away.
pub(super) const AWAY: Duration = Duration::from_secs(4);

/// A clock that got further ahead from one look to the next was set.
const STEP: Duration = Duration::from_secs(1);

/// Since when the database has been there without a break and its clock has gone as time does.
#[derive(Default)]
pub(super) struct Presence(Option<Seen>);

#[derive(Clone, Copy)]
struct Seen {
    since: Instant,
    last: Look,
}

/// A look at the database's clock.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// When it was asked, and when it had answered: it showed `clock` in between.
    pub asked: Instant,
    pub answered: Instant,
    pub clock: Timestamp,
}

impl Presence {
    /// Notes that the database is there, and says whether it was for so long that whoever lives has renewed its
    /// leases.
    pub fn has_lasted(&mut self, now: Look) -> bool {
        let since = match self.0 {
            Some(seen) if now.follows(seen.last) => seen.since,
            _ => now.answered,
        };
        self.0 = Some(Seen { since, last: now });
        now.answered.duration_since(since) >= RETURNED
    }
}

impl Look {
    /// Whether nothing was amiss since `last`. A clock that was set back is no matter: leases last longer then.
    fn follows(self, last: Self) -> bool {
        let passed = self.clock.0.saturating_sub(last.clock.0);
        let passed = Duration::from_micros(u64::try_from(passed).unwrap_or_default());
        // As much as may have passed: a slow answer is no step.
        let most = self.answered.duration_since(last.asked) + STEP;
        self.asked.duration_since(last.answered) < AWAY && passed <= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said at these seconds, at which the clock shows so many seconds.
    fn told(presence: &mut Presence, start: Instant, looks: &[(u64, i64)]) -> Vec<bool> {
        let told = looks.iter().map(|(second, shown)| {
            let asked = start + Duration::from_secs(*second);
            presence.has_lasted(Look {
                asked,
                answered: asked + Duration::from_millis(100),
                clock: Timestamp(0).plus_seconds(*shown),
            })
        });
        told.collect()
    }

    #[test]
    fn after_an_absence_of_the_database_its_nodes_have_time_to_renew() {
        let (start, mut presence) = (Instant::now(), Presence::default());
        let at = |second: u64| (second, i64::try_from(second).unwrap() + 1000);
        let first = told(&mut presence, start, &[0, 2, 4, 6, 8].map(at));
        assert_eq!(first, [false, false, false, true, true]);
        let after_twelve_seconds = told(&mut presence, start, &[20, 22, 24, 26].map(at));
        assert_eq!(after_twelve_seconds, [false, false, false, true]);
    }

    #[test]
    fn after_a_clock_was_set_ahead_nodes_have_time_to_renew() {
        let (start, mut presence) = (Instant::now(), Presence::default());
        let before = told(
            &mut presence,
            start,
            &[(0, 100), (2, 102), (4, 104), (6, 106)],
        );
        assert!(before[3]);
        let ahead = told(
            &mut presence,
            start,
            &[(8, 168), (10, 170), (12, 172), (14, 174)],
        );
        assert_eq!(ahead, [false, false, false, true]);
        let set_back = told(&mut presence, start, &[(16, 50), (18, 52)]);
        assert_eq!(set_back, [true, true]);
    }

    #[test]
    fn a_slow_answer_is_no_step() {
        let (start, mut presence) = (Instant::now(), Presence::default());
        assert!(told(&mut presence, start, &[(0, 0), (2, 2), (4, 4), (6, 6)])[3]);
        let asked = start + Duration::from_secs(8);
        assert!(presence.has_lasted(Look {
            asked,
            answered: asked + Duration::from_secs(3),
            clock: Timestamp(0).plus_seconds(11),
        }));
    }
}
