//! A brake on guessing passwords: failed attempts are counted by user name and by address.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How many names and addresses are remembered at most. When more come in one window, those whose
/// last attempt is the oldest are forgotten.
const MAX_KEYS: usize = 20_000;

/// Counts failed attempts in a sliding window. Memory is bounded: so many keys, and for each no
/// more instants than its limit.
pub struct Throttle {
    per_user: usize,
    per_address: usize,
    window: Duration,
    max_keys: usize,
    /// User names are kept as a digest of a random hasher: of constant size, and unreadable.
    hasher: RandomState,
    /// Held for a few map operations, never over an `await`.
    counts: Mutex<HashMap<Key, Count>>,
    /// Told whenever an attempt has ended.
    ended: Notify,
}

/// Whose attempts are counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    User(u64),
    Address(IpAddr),
}

#[derive(Default)]
struct Count {
    /// When attempts failed, oldest first.
    failures: VecDeque<Instant>,
    /// How many are being checked right now.
    pending: usize,
}

/// An attempt under way. Dropped without a word it has failed, so that hanging up early does not
/// buy another one.
#[must_use]
pub struct Attempt<'a> {
    throttle: &'a Throttle,
    /// None where only the address counts.
    user: Option<Key>,
    address: Key,
    at: Instant,
    has_failed: bool,
}

/// Too many attempts have failed: how long until the next one is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// Whole seconds, at least 1.
    pub seconds: u64,
}

/// Why an attempt is not admitted now; of two, the greater counts.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Refusal {
    /// It depends on how those under way end.
    Pending,
    Wait(Wait),
}

impl Throttle {
    /// A brake that admits `per_user` failures for a user name and `per_address` for an address in
    /// any `window`. 0 sets no limit.
    #[must_use]
    pub fn new(per_user: u32, per_address: u32, window: Duration) -> Self {
        let limit = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            per_user: limit(per_user),
            per_address: limit(per_address),
            window,
            max_keys: MAX_KEYS,
            hasher: RandomState::new(),
            counts: Mutex::default(),
            ended: Notify::new(),
        }
    }

    /// Admits an attempt, or tells how long to wait. Attempts that could be one too many only if all
    /// those under way failed wait for these to end, so that neither many guesses at once slip
    /// through nor many right passwords at once are refused.
    ///
    /// # Errors
    /// When the user name (if there is one) or the address has used up its attempts. Refused attempts do
    /// not count, so waiting that long is enough.
    pub async fn begin(
        &self,
        username: Option<&str>,
        address: IpAddr,
    ) -> Result<Attempt<'_>, Wait> {
        loop {
            // Made before looking: an attempt that ends in between wakes it all the same.
            let ended = self.ended.notified();
            match self.try_begin(username, address, Instant::now()) {
                Ok(attempt) => return Ok(attempt),
                Err(Refusal::Wait(wait)) => return Err(wait),
                Err(Refusal::Pending) => ended.await,
            }
        }
    }

    fn try_begin(
        &self,
        username: Option<&str>,
        address: IpAddr,
        now: Instant,
    ) -> Result<Attempt<'_>, Refusal> {
        // E-mail addresses log in, too, in whatever case: each spelling would be one more attempt.
        let user = username.map(|name| Key::User(self.hasher.hash_one(name.to_lowercase())));
        let address = Key::Address(network(address));
        let mut counts = self.lock();
        let refusal = self
            .limits(user, address)
            .filter_map(|(key, limit)| counts.get_mut(&key)?.refusal(limit, now, self.window))
            .max();
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        self.make_room(&mut counts, now);
        for (key, _) in self.limits(user, address) {
            counts.entry(key).or_default().pending += 1;
        }
        Ok(Attempt {
            throttle: self,
            user,
            address,
            at: now,
            has_failed: true,
        })
    }

    /// What counts an attempt, and how many failures each admits.
    fn limits(&self, user: Option<Key>, address: Key) -> impl Iterator<Item = (Key, usize)> {
        let user = user.map(|key| (key, self.per_user));
        user.into_iter().chain([(address, self.per_address)])
    }

    /// Keeps the map within its bound before two keys are added.
    fn make_room(&self, counts: &mut HashMap<Key, Count>, now: Instant) {
        if counts.len() + 2 <= self.max_keys {
            return;
        }
        counts.retain(|_, count| {
            count.forget_before(now, self.window);
            count.is_needed()
        });
        if counts.len() + 2 <= self.max_keys {
            return;
        }
        // A tenth at once, so that a full map is not searched at every attempt.
        let mut last: Vec<Instant> = counts.values().filter_map(Count::last_failure).collect();
        if last.is_empty() {
            return;
        }
        let tenth = last.len() / 10;
        let cut = *last.select_nth_unstable(tenth).1;
        counts.retain(|_, count| {
            count.pending > 0 || count.last_failure().is_some_and(|instant| instant > cut)
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Count>> {
        // A panic between two map operations leaves counters, not a broken promise.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn refusal(&mut self, limit: usize, now: Instant, window: Duration) -> Option<Refusal> {
        self.forget_before(now, window);
        if limit == 0 || self.failures.len() + self.pending < limit {
            return None;
        }
        if self.failures.len() < limit {
            return Some(Refusal::Pending);
        }
        let left = window.saturating_sub(now.duration_since(*self.failures.front()?));
        // Up to the next whole second: who comes back then must not come too early.
        Some(Refusal::Wait(Wait {
            seconds: left.as_secs() + 1,
        }))
    }

    fn forget_before(&mut self, now: Instant, window: Duration) {
        while self
            .failures
            .front()
            .is_some_and(|failure| now.duration_since(*failure) >= window)
        {
            self.failures.pop_front();
        }
    }

    fn last_failure(&self) -> Option<Instant> {
        self.failures.back().copied()
    }

    fn is_needed(&self) -> bool {
        self.pending > 0 || !self.failures.is_empty()
    }
}

impl Attempt<'_> {
    /// The password was right: what failed before under this name is forgotten.
    pub fn succeeded(mut self) {
        self.has_failed = false;
        let Some(user) = self.user else {
            return;
        };
        if let Some(count) = self.throttle.lock().get_mut(&user) {
            count.failures.clear();
        }
    }

    /// It could not be told whether the password was right: this attempt does not count.
    pub fn forget(mut self) {
        self.has_failed = false;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let throttle = self.throttle;
        let mut counts = throttle.lock();
        for (key, limit) in throttle.limits(self.user, self.address) {
            let Some(count) = counts.get_mut(&key) else {
                continue;
            };
            count.pending = count.pending.saturating_sub(1);
            if self.has_failed && limit > 0 {
                count.failures.push_back(self.at);
            }
            if !count.is_needed() {
                counts.remove(&key);
            }
        }
        drop(counts);
        throttle.ended.notify_waiters();
    }
}

/// The address that counts: an IPv6 client commands a whole /64, so it is counted as one.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_mins(5);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn fail(throttle: &Throttle, user: &str, from: &str, at: Instant) -> Result<(), Wait> {
        match throttle.try_begin(Some(user), address(from), at) {
            Ok(attempt) => {
                drop(attempt);
                Ok(())
            }
            Err(Refusal::Wait(wait)) => Err(wait),
            Err(Refusal::Pending) => panic!("nothing is under way"),
        }
    }

    #[test]
    fn a_user_name_has_so_many_attempts_in_any_window_from_wherever() {
        let throttle = Throttle::new(2, 50, WINDOW);
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(fail(&throttle, "ann", "1.1.1.1", after(0)), Ok(()));
        assert_eq!(fail(&throttle, "ann", "1.1.1.2", after(100)), Ok(()));
        assert_eq!(
            fail(&throttle, "ann", "1.1.1.3", after(200)),
            Err(Wait { seconds: 101 })
        );
        assert_eq!(
            fail(&throttle, "bob", "1.1.1.1", after(200)),
            Ok(()),
            "another name"
        );
        // The window slides: the first failure has left it, the second has not.
        assert_eq!(fail(&throttle, "ann", "1.1.1.1", after(300)), Ok(()));
        assert_eq!(
            fail(&throttle, "ann", "1.1.1.1", after(301)),
            Err(Wait { seconds: 100 })
        );
    }

    #[test]
    fn without_a_user_name_only_the_address_counts() {
        let throttle = Throttle::new(1, 2, WINDOW);
        let now = Instant::now();
        for _ in 0..2 {
            drop(
                throttle
                    .try_begin(None, address("1.1.1.1"), now)
                    .ok()
                    .unwrap(),
            );
        }
        assert!(throttle.try_begin(None, address("1.1.1.1"), now).is_err());
        assert!(throttle.try_begin(None, address("1.1.1.2"), now).is_ok());
    }

    #[test]
    fn another_spelling_is_no_other_user() {
        let throttle = Throttle::new(1, 50, WINDOW);
        let now = Instant::now();
        assert_eq!(fail(&throttle, "ann@example.org", "1.1.1.1", now), Ok(()));
        assert!(fail(&throttle, "Ann@Example.org", "1.1.1.2", now).is_err());
    }

    #[test]
    fn an_address_has_so_many_attempts_under_whatever_names() {
        let throttle = Throttle::new(10, 2, WINDOW);
        let now = Instant::now();
        assert_eq!(fail(&throttle, "a", "2001:db8::1", now), Ok(()));
        assert_eq!(fail(&throttle, "b", "2001:db8::2", now), Ok(()));
        assert!(
            fail(&throttle, "c", "2001:db8::3", now).is_err(),
            "one /64 is one client"
        );
        assert_eq!(fail(&throttle, "c", "2001:db8:0:1::1", now), Ok(()));
    }

    #[tokio::test]
    async fn success_clears_the_users_failures_and_keeps_the_addresses() {
        let throttle = Throttle::new(2, 3, WINDOW);
        let now = Instant::now();
        fail(&throttle, "ann", "1.1.1.1", now).unwrap();
        throttle
            .begin(Some("ann"), address("1.1.1.1"))
            .await
            .unwrap()
            .succeeded();
        fail(&throttle, "ann", "1.1.1.1", now).unwrap();
        fail(&throttle, "ann", "1.1.1.1", now).unwrap();
        assert!(
            fail(&throttle, "bob", "1.1.1.1", now).is_err(),
            "three of the address have failed"
        );
    }

    #[tokio::test]
    async fn who_might_be_one_too_many_waits_for_those_under_way() {
        let throttle = Throttle::new(2, 50, WINDOW);
        let ann = || throttle.begin(Some("ann"), address("1.1.1.1"));
        let (first, second) = (ann().await.unwrap(), ann().await.unwrap());
        let third = tokio::time::timeout(Duration::ZERO, ann()).await;
        assert!(third.is_err(), "waits while two of two are under way");
        first.succeeded();
        let third = ann().await.unwrap();
        drop(second);
        drop(third);
        assert!(ann().await.is_err(), "two have failed, by being dropped");
    }

    #[tokio::test]
    async fn waiting_ends_when_an_attempt_ends() {
        let throttle = Throttle::new(1, 50, WINDOW);
        let first = throttle
            .begin(Some("ann"), address("1.1.1.1"))
            .await
            .unwrap();
        let second = throttle.begin(Some("ann"), address("1.1.1.1"));
        let (second, ()) = tokio::join!(second, async { first.succeeded() });
        second.unwrap().forget();
        assert!(throttle.lock().is_empty());
    }

    #[test]
    fn zero_sets_no_limit_and_keeps_nothing() {
        let throttle = Throttle::new(0, 0, WINDOW);
        for _ in 0..100 {
            fail(&throttle, "ann", "1.1.1.1", Instant::now()).unwrap();
        }
        assert!(throttle.lock().is_empty());
    }

    #[test]
    fn memory_is_bounded_and_the_latest_are_kept() {
        let mut throttle = Throttle::new(1, 1, WINDOW);
        throttle.max_keys = 100;
        let start = Instant::now();
        for number in 0..1000_u32 {
            let from = IpAddr::from(number.to_be_bytes()).to_string();
            let at = start + Duration::from_millis(number.into());
            fail(&throttle, &format!("user {number}"), &from, at).unwrap();
            assert!(throttle.lock().len() <= 100);
        }
        assert!(
            fail(
                &throttle,
                "user 999",
                "9.9.9.9",
                start + Duration::from_secs(1)
            )
            .is_err()
        );
    }

    #[test]
    fn what_has_left_the_window_is_forgotten_first() {
        let mut throttle = Throttle::new(1, 0, WINDOW);
        throttle.max_keys = 10;
        let start = Instant::now();
        for number in 0..9 {
            fail(&throttle, &format!("old {number}"), "1.1.1.1", start).unwrap();
        }
        fail(&throttle, "new", "1.1.1.1", start + WINDOW).unwrap();
        assert_eq!(throttle.lock().len(), 1);
    }
}
