//! How many sockets are whose, and how many may be.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use crate::access::throttle::network;
use crate::config::LimitsConfig;
use crate::event::UserId;

/// Counters that there are at least.
const COUNTERS: usize = 1024;

/// Why there can be no further socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowded {
    /// This node has all that it may.
    Node,
    /// The user has all that one may.
    User,
    /// The address has all that one may.
    Address,
}

/// Open sockets by user and by address, as far as there are limits.
pub struct Crowd {
    most: u32,
    by_user: Users,
    by_address: Addresses,
}

/// Users are seldom near their limit, and each of very many may have a socket. So nobody's name is kept:
/// users share counters, one a socket, and only where a counter reaches the limit it is looked whose they are.
struct Users {
    /// 0 for none: then nothing is counted.
    most: u32,
    hasher: RandomState,
    /// A power of two.
    counters: Vec<u32>,
    /// Those of whom it was looked, until they are far from it again.
    heavy: HashMap<UserId, u32>,
}

struct Addresses {
    /// 0 for none: then nothing is counted.
    most: u32,
    counts: HashMap<IpAddr, u32>,
}

impl Crowd {
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            most: limits.sockets,
            by_user: Users::new(limits.sockets_per_user),
            by_address: Addresses {
                most: limits.sockets_per_address,
                counts: HashMap::new(),
            },
        }
    }

    /// Whether somebody at `address` may have one more, beside `all` that there are.
    pub fn admits(&self, all: usize, address: IpAddr) -> Result<(), Crowded> {
        if self.most > 0 && all >= self.most as usize {
            return Err(Crowded::Node);
        }
        self.by_address.admits(&network(address))
    }

    /// Counts one more in, beside those that there are: `held` says whose each of them is.
    pub fn enter(
        &mut self,
        user: UserId,
        address: IpAddr,
        held: impl ExactSizeIterator<Item = UserId> + Clone,
    ) -> Result<(), Crowded> {
        self.admits(held.len(), address)?;
        self.by_user.enter(user, held)?;
        self.by_address.enter(network(address));
        Ok(())
    }

    /// Counts one out.
    pub fn leave(&mut self, user: UserId, address: IpAddr) {
        self.by_user.leave(user);
        self.by_address.leave(&network(address));
    }
}

impl Users {
    fn new(most: u32) -> Self {
        Self {
            most,
            hasher: RandomState::new(),
            counters: Vec::new(),
            heavy: HashMap::new(),
        }
    }

    fn enter(
        &mut self,
        user: UserId,
        held: impl ExactSizeIterator<Item = UserId> + Clone,
    ) -> Result<(), Crowded> {
        if self.most == 0 {
            return Ok(());
        }
        if held.len() >= self.counters.len() {
            self.grow(held.clone());
        }
        let counter = self.counter_of(user);
        if self.counters[counter] >= self.most {
            let of_user = || held.filter(|it| *it == user).map(|_| 1).sum();
            let count = *self.heavy.entry(user).or_insert_with(of_user);
            if count >= self.most {
                return Err(Crowded::User);
            }
        }
        self.counters[counter] += 1;
        if let Some(count) = self.heavy.get_mut(&user) {
            *count += 1;
        }
        Ok(())
    }

    fn leave(&mut self, user: UserId) {
        if self.most == 0 {
            return;
        }
        let counter = self.counter_of(user);
        self.counters[counter] -= 1;
        if let Some(count) = self.heavy.get_mut(&user) {
            *count -= 1;
            if *count == 0 || self.counters[counter] < self.most {
                self.heavy.remove(&user);
            }
        }
    }

    /// Makes at least one counter a socket, with one more to come.
    fn grow(&mut self, held: impl ExactSizeIterator<Item = UserId>) {
        let wanted = (held.len() + 1).next_power_of_two().max(COUNTERS);
        self.counters = vec![0; wanted];
        for user in held {
            let counter = self.counter_of(user);
            self.counters[counter] += 1;
        }
    }

    fn counter_of(&self, user: UserId) -> usize {
        let last = self.counters.len() - 1;
        usize::try_from(self.hasher.hash_one(user) & last as u64).unwrap_or(last)
    }
}

impl Addresses {
    fn admits(&self, address: &IpAddr) -> Result<(), Crowded> {
        let is_full = |count: &u32| self.most > 0 && *count >= self.most;
        if self.counts.get(address).is_some_and(is_full) {
            Err(Crowded::Address)
        } else {
            Ok(())
        }
    }

    fn enter(&mut self, address: IpAddr) {
        if self.most > 0 {
            *self.counts.entry(address).or_insert(0) += 1;
        }
    }

    fn leave(&mut self, address: &IpAddr) {
        if let Some(count) = self.counts.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    /// A crowd, and whose its sockets are.
    struct House {
        crowd: Crowd,
        held: Vec<(UserId, IpAddr)>,
    }

    impl House {
        fn new(sockets: u32, sockets_per_user: u32, sockets_per_address: u32) -> Self {
            let crowd = Crowd::new(&LimitsConfig {
                sockets,
                sockets_per_user,
                sockets_per_address,
                ..LimitsConfig::default()
            });
            let held = Vec::new();
            Self { crowd, held }
        }

        fn enter(&mut self, user: UserId, address: IpAddr) -> Result<(), Crowded> {
            let held = self.held.iter().map(|(user, _)| *user);
            self.crowd.enter(user, address, held)?;
            self.held.push((user, address));
            Ok(())
        }

        fn leave(&mut self, place: usize) {
            let (user, address) = self.held.swap_remove(place);
            self.crowd.leave(user, address);
        }

        fn of(&self, user: UserId) -> usize {
            self.held.iter().filter(|(it, _)| *it == user).count()
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_limit_counts_by_itself_and_whoever_leaves_makes_room() {
        let mut house = House::new(5, 2, 3);
        let [ada, bob, cy] = [(); 3].map(|()| UserId::random());
        let [here, near, far] = ["2001:db8::1", "2001:db8::ffff:2", "10.0.0.1"].map(address);
        house.enter(ada, here).unwrap();
        house.enter(ada, far).unwrap();
        assert_eq!(house.enter(ada, far), Err(Crowded::User));
        house.enter(bob, near).unwrap();
        house.enter(bob, here).unwrap();
        assert_eq!(house.enter(cy, near), Err(Crowded::Address), "one /64");
        assert_eq!(house.crowd.admits(4, here), Err(Crowded::Address));
        assert_eq!(house.crowd.admits(5, far), Err(Crowded::Node));
        // What was refused was not counted.
        house.leave(1);
        house.enter(ada, far).unwrap();
        house.leave(0);
        house.enter(cy, near).unwrap();
        while !house.held.is_empty() {
            house.leave(0);
        }
        assert!(house.crowd.by_user.counters.iter().all(|it| *it == 0));
        assert!(house.crowd.by_user.heavy.is_empty());
        assert!(house.crowd.by_address.counts.is_empty());
    }

    #[test]
    fn however_many_share_counters_each_user_has_exactly_what_one_may() {
        const MOST: usize = 3;
        let mut house = House::new(0, 3, 0);
        let users: Vec<UserId> = (0..1500).map(|_| UserId::random()).collect();
        let (mut random, here) = (rand::rng(), address("10.0.0.1"));
        let mut refused = 0;
        for step in 0..12_000 {
            if step % 4 == 3 {
                house.leave(random.random_range(0..house.held.len()));
                continue;
            }
            let user = users[random.random_range(0..users.len())];
            let before = house.of(user);
            match house.enter(user, here) {
                Ok(()) => assert!(before < MOST, "{before}"),
                Err(crowded) => {
                    assert_eq!((crowded, before), (Crowded::User, MOST));
                    refused += 1;
                }
            }
        }
        assert!(refused > 0 && house.held.len() > 2 * COUNTERS);
        // A counter a socket, and names only of those who are near their limit.
        assert!(house.crowd.by_user.counters.len() <= 2 * house.held.len());
        while !house.held.is_empty() {
            house.leave(0);
        }
        assert!(house.crowd.by_user.counters.iter().all(|it| *it == 0));
        assert!(house.crowd.by_user.heavy.is_empty());
    }

    #[test]
    fn zero_is_no_limit_and_takes_no_memory() {
        let mut house = House::new(0, 0, 0);
        let user = UserId::random();
        for _ in 0..2000 {
            house.enter(user, address("10.0.0.1")).unwrap();
        }
        assert!(house.crowd.by_user.counters.is_empty());
        assert!(house.crowd.by_address.counts.is_empty());
    }
}
