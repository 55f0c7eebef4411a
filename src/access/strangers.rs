//! Keys that are made up: a rate for each address of those that are not known to be right.
//!
//! A device shows its key with each report, and whether it is right is known when it was asked of the database.
//! Whoever shows right ones pays nothing and is remembered, so that others behind the same address (of a proxy
//! that is not trusted) cannot keep it out.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::rate::RateOfEach;
use super::throttle::{Wait, network};

/// Wrong keys that an address may show, a second on average and at once. It is also how many unknown ones may
/// be asked about at once, as when a whole fleet behind one address meets a node that has just started.
const WRONG_PER_SECOND: u32 = 20;
const WRONG_AT_ONCE: u32 = 5000;

/// How many right ones are remembered; of more, all are forgotten, and known again with their next report.
const MOST: usize = 200_000;

/// Who shows keys.
#[derive(Debug)]
pub struct Strangers {
    unknown: RateOfEach,
    hasher: RandomState,
    /// Digests of what was right. A std lock, held for one operation.
    known: Mutex<HashSet<u64>>,
}

/// A key that is shown. Dropped without a word it was wrong, so that hanging up early buys nothing.
#[must_use]
#[derive(Debug)]
pub struct Shown<'a> {
    strangers: &'a Strangers,
    digest: u64,
    /// Who has paid for it; nobody for one that is known.
    paid: Option<IpAddr>,
}

impl Default for Strangers {
    fn default() -> Self {
        Self::new(WRONG_PER_SECOND, WRONG_AT_ONCE)
    }
}

impl Strangers {
    fn new(per_second: u32, at_once: u32) -> Self {
        let at_once = Duration::from_secs((at_once / per_second).into());
        Self {
            unknown: RateOfEach::new(per_second, at_once),
            hasher: RandomState::new(),
            known: Mutex::default(),
        }
    }

    /// Admits what is shown from `address`, or tells how long to wait.
    ///
    /// # Errors
    /// When it is not known, and the address has shown too many that were wrong.
    pub fn admit(&self, shown: impl Hash, address: IpAddr) -> Result<Shown<'_>, Wait> {
        let digest = self.hasher.hash_one(shown);
        let paid = if self.known().contains(&digest) {
            None
        } else {
            let address = network(address);
            self.unknown.take(address)?;
            Some(address)
        };
        Ok(Shown {
            strangers: self,
            digest,
            paid,
        })
    }

    fn known(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown<'_> {
    /// It is right.
    pub fn is_right(self) {
        self.give_back();
        let mut known = self.strangers.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(self.digest);
    }

    /// It is wrong.
    pub fn is_wrong(self) {
        // It may have been right until now.
        self.strangers.known().remove(&self.digest);
    }

    /// It could not be told.
    pub fn forget(self) {
        self.give_back();
    }

    fn give_back(&self) {
        if let Some(address) = self.paid {
            self.strangers.unknown.give_back(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    /// Few enough in an hour that no test sees one come back.
    fn strangers() -> Strangers {
        Strangers {
            unknown: RateOfEach::new(1, Duration::from_hours(1)),
            ..Strangers::default()
        }
    }

    fn wrong(strangers: &Strangers, number: u32, address: IpAddr) -> bool {
        let shown = strangers.admit(number, address);
        shown.map(Shown::is_wrong).is_ok()
    }

    #[test]
    fn an_address_may_show_so_many_wrong_keys_and_known_ones_go_by() {
        let strangers = strangers();
        strangers.admit("right", HERE).unwrap().is_right();
        let admitted = (0..10_000).filter(|number| wrong(&strangers, *number, HERE));
        assert_eq!(admitted.count(), 3600);
        strangers.admit("right", HERE).unwrap().is_right();
        strangers.admit("another", HERE).unwrap_err();
        strangers.admit("another", THERE).unwrap().is_right();
        strangers.admit("another", HERE).unwrap().is_right();
    }

    #[test]
    fn right_ones_and_untold_ones_use_up_nothing() {
        let strangers = strangers();
        for number in 0..10_000 {
            strangers.admit(number, HERE).unwrap().is_right();
            strangers.admit((number, "away"), HERE).unwrap().forget();
        }
    }

    #[test]
    fn hanging_up_buys_nothing() {
        let strangers = strangers();
        let admitted = (0..10_000).filter(|number| strangers.admit(number, HERE).is_ok());
        assert_eq!(admitted.count(), 3600);
    }

    #[test]
    fn a_key_that_was_changed_is_known_no_more() {
        let strangers = strangers();
        strangers.admit("old", HERE).unwrap().is_right();
        while wrong(&strangers, 1, HERE) {}
        strangers.admit("old", HERE).unwrap().is_wrong();
        strangers.admit("old", HERE).unwrap_err();
    }
}
