//! How many sockets are whose, and how many may be.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::access::throttle::network;
use crate::config::LimitsConfig;
use crate::event::UserId;

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
    by_user: Counts<UserId>,
    by_address: Counts<IpAddr>,
}

struct Counts<K> {
    /// 0 for none: then nothing is counted.
    most: u32,
    counts: HashMap<K, u32>,
}

impl Crowd {
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            most: limits.sockets,
            by_user: Counts::new(limits.sockets_per_user),
            by_address: Counts::new(limits.sockets_per_address),
        }
    }

    /// Whether somebody at `address` may have one more, beside `all` that there are.
    pub fn admits(&self, all: usize, address: IpAddr) -> Result<(), Crowded> {
        if self.most > 0 && all >= self.most as usize {
            return Err(Crowded::Node);
        }
        if self.by_address.is_full(&network(address)) {
            return Err(Crowded::Address);
        }
        Ok(())
    }

    /// Counts one more in, beside `all` that there are.
    pub fn enter(&mut self, all: usize, user: UserId, address: IpAddr) -> Result<(), Crowded> {
        self.admits(all, address)?;
        if self.by_user.is_full(&user) {
            return Err(Crowded::User);
        }
        self.by_user.add(user);
        self.by_address.add(network(address));
        Ok(())
    }

    /// Counts one out.
    pub fn leave(&mut self, user: UserId, address: IpAddr) {
        self.by_user.remove(&user);
        self.by_address.remove(&network(address));
    }
}

impl<K: std::hash::Hash + Eq> Counts<K> {
    fn new(most: u32) -> Self {
        Self {
            most,
            counts: HashMap::new(),
        }
    }

    fn is_full(&self, key: &K) -> bool {
        self.most > 0 && self.counts.get(key).is_some_and(|it| *it >= self.most)
    }

    fn add(&mut self, key: K) {
        if self.most > 0 {
            *self.counts.entry(key).or_insert(0) += 1;
        }
    }

    fn remove(&mut self, key: &K) {
        if let Some(count) = self.counts.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_counts_by_itself_and_whoever_leaves_makes_room() {
        let mut crowd = Crowd::new(&LimitsConfig {
            sockets: 5,
            sockets_per_user: 2,
            sockets_per_address: 3,
            ..LimitsConfig::default()
        });
        let [ada, bob, cy] = [(); 3].map(|()| UserId::random());
        let here: IpAddr = "2001:db8::1".parse().unwrap();
        let near: IpAddr = "2001:db8::ffff:2".parse().unwrap();
        let far: IpAddr = "10.0.0.1".parse().unwrap();
        crowd.enter(0, ada, here).unwrap();
        crowd.enter(1, ada, far).unwrap();
        assert_eq!(crowd.enter(2, ada, far), Err(Crowded::User));
        crowd.enter(2, bob, near).unwrap();
        crowd.enter(3, bob, here).unwrap();
        assert_eq!(crowd.enter(4, cy, near), Err(Crowded::Address), "one /64");
        assert_eq!(crowd.admits(4, here), Err(Crowded::Address));
        assert_eq!(crowd.admits(5, far), Err(Crowded::Node));
        // What was refused was not counted.
        crowd.leave(ada, far);
        crowd.enter(3, ada, far).unwrap();
        crowd.leave(bob, here);
        crowd.enter(4, cy, near).unwrap();
        for (user, address) in [(ada, here), (ada, far), (bob, near), (cy, near)] {
            crowd.leave(user, address);
        }
        assert!(crowd.by_user.counts.is_empty() && crowd.by_address.counts.is_empty());
    }

    #[test]
    fn zero_is_no_limit_and_takes_no_memory() {
        let mut crowd = Crowd::new(&LimitsConfig {
            sockets: 0,
            sockets_per_user: 0,
            sockets_per_address: 0,
            ..LimitsConfig::default()
        });
        let (user, here) = (UserId::random(), IpAddr::from([10, 0, 0, 1]));
        for all in 0..1000 {
            crowd.enter(all, user, here).unwrap();
        }
        assert!(crowd.by_user.counts.is_empty() && crowd.by_address.counts.is_empty());
    }
}
