//! Leases: the proof that a socket may stay open, renewed by asking about its user again.
//!
//! All leases are checked together, in a few queries however many sockets are open, every
//! `lease.check_ms` and at once when this node itself changed somebody's rights.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::seq::SliceRandom;
use slab::Slab;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::policy::{self, Feed};
use super::{Directory, DirectoryError, Proof, Resource, User};
use crate::event::{OrganizationId, Topic};
use crate::hub::{CloseReason, Subscriber};

/// An answer that takes longer than this is none.
const PATIENCE: Duration = Duration::from_secs(2);

/// Over how long the sockets are closed whose grace is over.
const GIVE_UP_WINDOW: Duration = Duration::from_secs(10);

/// Sockets closed together leave at least this far apart, so that few sockets are closed quickly
/// and many do not return in the same moment.
const APART: Duration = Duration::from_millis(5);

/// On what grounds a socket was opened.
#[derive(Clone, Debug)]
pub struct Grounds {
    /// What proved the user.
    pub proof: Proof,
    /// What was asked for.
    pub feed: Feed,
    /// The user's password at that time: a new one ends the lease.
    pub password_version: i64,
    /// What the feed meant for the user at that time.
    pub topics: Box<[Topic]>,
}

struct Lease {
    serial: u64,
    grounds: Grounds,
    holder: Subscriber,
}

/// Which lease: places in the book are used again, serials are not.
#[derive(Clone, Copy)]
struct Number {
    place: usize,
    serial: u64,
}

/// The leases of all open sockets of this node.
pub struct Leases {
    directory: Arc<dyn Directory>,
    grace: Duration,
    // A std lock around a map, never held across an await.
    book: Mutex<Book>,
    rights_changed: Notify,
    empty: Notify,
}

#[derive(Default)]
struct Book {
    last_serial: u64,
    leases: Slab<Lease>,
}

/// A granted lease; dropping it ends it.
pub struct Granted {
    place: usize,
    leases: Arc<Leases>,
}

impl Leases {
    /// An empty book, whose users `directory` knows. While the directory cannot be asked, leases
    /// last for `grace`.
    #[must_use]
    pub fn new(directory: Arc<dyn Directory>, grace: Duration) -> Self {
        Self {
            directory,
            grace,
            book: Mutex::default(),
            rights_changed: Notify::new(),
            empty: Notify::new(),
        }
    }

    /// Grants a lease to a socket that the policy has just admitted.
    #[must_use]
    pub fn grant(self: &Arc<Self>, grounds: Grounds, holder: Subscriber) -> Granted {
        let mut book = self.book();
        book.last_serial += 1;
        let lease = Lease {
            serial: book.last_serial,
            grounds,
            holder,
        };
        Granted {
            place: book.leases.insert(lease),
            leases: Arc::clone(self),
        }
    }

    /// This node took or gave rights: do not wait for the next round.
    pub fn rights_changed(&self) {
        self.rights_changed.notify_one();
    }

    /// Closes every open socket for `reason`, in random order and spread over up to `window`, so that
    /// clients do not all return at once.
    pub async fn end_all(&self, window: Duration, reason: CloseReason) {
        let mut holders: Vec<Subscriber> = {
            let book = self.book();
            let leases = book.leases.iter();
            leases.map(|(_, lease)| lease.holder.clone()).collect()
        };
        holders.shuffle(&mut rand::rng());
        let count = u32::try_from(holders.len()).unwrap_or(u32::MAX).max(1);
        let spread = window.min(APART * count);
        let begin = Instant::now();
        for (position, holder) in (0_u32..).zip(holders) {
            sleep_until(begin + spread * position / count).await;
            holder.close(reason);
        }
    }

    /// How many are held.
    #[cfg(test)]
    #[must_use]
    pub fn count(&self) -> usize {
        self.book().leases.len()
    }

    /// Returns when no lease is held.
    pub async fn all_ended(&self) {
        loop {
            let ended = self.empty.notified();
            if self.book().leases.is_empty() {
                return;
            }
            ended.await;
        }
    }

    /// Checks all leases every `every` for as long as the program runs.
    ///
    /// A directory that does not answer refuses nobody: leases last on until the grace is over,
    /// then every socket is given up.
    pub async fn run(&self, every: Duration, outcome: impl Fn(&'static str)) {
        let mut answered = Instant::now();
        loop {
            // Elapsing is the ordinary case: nothing changed here, but elsewhere something may have.
            timeout(every, self.rights_changed.notified()).await.ok();
            let asked = Instant::now();
            let checked = timeout(PATIENCE, self.check()).await;
            let Err(error) = checked.unwrap_or_else(|late| Err(DirectoryError(late.into()))) else {
                answered = asked;
                outcome("renewed");
                continue;
            };
            outcome("unreachable");
            tracing::warn!(%error, "rights cannot be checked; open sockets are kept for the grace");
            if answered.elapsed() > self.grace {
                self.end_all(GIVE_UP_WINDOW, CloseReason::Unavailable).await;
            }
        }
    }

    /// Asks the directory about every lease and acts on the answers.
    async fn check(&self) -> Result<(), DirectoryError> {
        let (numbers, proofs, resources) = self.questions();
        if numbers.is_empty() {
            return Ok(());
        }
        let users = self.directory.renew(&proofs).await?;
        let organizations = self.directory.organizations_of(&resources).await?;
        let mut book = self.book();
        for number in numbers {
            // A socket that ended meanwhile is not there any more.
            let lease = book.leases.get_mut(number.place);
            if let Some(lease) = lease.filter(|lease| lease.serial == number.serial) {
                lease.renew(&users, &organizations);
            }
        }
        Ok(())
    }

    /// The leases held now, and what has to be asked about them, each thing once.
    fn questions(&self) -> (Vec<Number>, Vec<Proof>, Vec<Resource>) {
        let book = self.book();
        let leases = || book.leases.iter();
        let numbers = leases().map(|(place, lease)| Number {
            place,
            serial: lease.serial,
        });
        let proofs: HashSet<Proof> = leases().map(|(_, lease)| lease.grounds.proof).collect();
        let resources: HashSet<Resource> = leases()
            .filter_map(|(_, lease)| match lease.grounds.feed {
                Feed::Of(resource) => Some(resource),
                Feed::Fleet => None,
            })
            .collect();
        (
            numbers.collect(),
            proofs.into_iter().collect(),
            resources.into_iter().collect(),
        )
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    fn renew(
        &mut self,
        users: &HashMap<Proof, User>,
        organizations: &HashMap<Resource, OrganizationId>,
    ) {
        let organization = match self.grounds.feed {
            Feed::Of(resource) => organizations.get(&resource).copied(),
            Feed::Fleet => None,
        };
        let topics = users
            .get(&self.grounds.proof)
            .filter(|user| user.password_version == self.grounds.password_version)
            .and_then(|user| policy::topics(user, self.grounds.feed, organization));
        match topics {
            None => self.holder.close(CloseReason::AccessLost),
            Some(topics) => {
                if !same(&topics, &self.grounds.topics) {
                    self.grounds.topics = topics.clone().into();
                    self.holder.follow(topics);
                }
            }
        }
    }
}

fn same(one: &[Topic], other: &[Topic]) -> bool {
    one.iter().collect::<BTreeSet<_>>() == other.iter().collect::<BTreeSet<_>>()
}

impl Drop for Granted {
    fn drop(&mut self) {
        let mut book = self.leases.book();
        book.leases.remove(self.place);
        if book.leases.is_empty() {
            self.leases.empty.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::access::{Credential, Identity};
    use crate::event::{SessionId, UserId};
    use crate::hub::{Hub, Order};

    /// One user who can be altered, and a switch that makes the directory unreachable.
    struct OneUser {
        user: Mutex<Option<User>>,
        away: AtomicBool,
    }

    #[async_trait]
    impl Directory for OneUser {
        async fn identify(&self, _: &Credential) -> Result<Option<Identity>, DirectoryError> {
            Ok(None)
        }

        async fn renew(&self, proofs: &[Proof]) -> Result<HashMap<Proof, User>, DirectoryError> {
            if self.away.load(Ordering::Relaxed) {
                return Err(DirectoryError("away".into()));
            }
            let user = self.user.lock().unwrap().clone();
            Ok(proofs
                .iter()
                .filter_map(|proof| Some((*proof, user.clone()?)))
                .collect())
        }

        async fn organizations_of(
            &self,
            _: &[Resource],
        ) -> Result<HashMap<Resource, OrganizationId>, DirectoryError> {
            Ok(HashMap::new())
        }
    }

    struct House {
        directory: Arc<OneUser>,
        leases: Arc<Leases>,
        hub: Hub,
        _granted: Granted,
    }

    /// A superuser's open fleet feed.
    fn house() -> House {
        let user = User {
            id: UserId::random(),
            username: "ada".into(),
            is_superuser: true,
            is_staff: true,
            permissions: super::super::PermissionSet::default(),
            manages: BTreeSet::new(),
            member_of: BTreeSet::new(),
            password_version: 1,
        };
        let directory = Arc::new(OneUser {
            user: Mutex::new(Some(user)),
            away: AtomicBool::new(false),
        });
        let leases = Arc::new(Leases::new(
            Arc::clone(&directory) as Arc<dyn Directory>,
            Duration::from_mins(1),
        ));
        let hub = Hub::new(1);
        let grounds = Grounds {
            proof: Proof::Session(SessionId::random()),
            feed: Feed::Fleet,
            password_version: 1,
            topics: [Topic::AllLocations].into(),
        };
        let granted = leases.grant(grounds, hub.join(vec![Topic::AllLocations]));
        House {
            directory,
            leases,
            hub,
            _granted: granted,
        }
    }

    /// What the hub was told about the socket since the last call.
    fn ordered(house: &House) -> Vec<String> {
        let mut orders = Vec::new();
        house.hub.inboxes()[0].take(&mut orders);
        let told = orders.iter().filter_map(|order| match order {
            Order::Follow(_, topics) => Some(format!("follow {}", topics.len())),
            Order::Close(_, reason) => Some(format!("close {}", reason.label())),
            _ => None,
        });
        told.collect()
    }

    fn alter(house: &House, alter: impl FnOnce(&mut User)) {
        alter(house.directory.user.lock().unwrap().as_mut().unwrap());
    }

    #[tokio::test]
    async fn an_unaltered_user_keeps_the_socket_as_it_is() {
        let house = house();
        house.leases.check().await.unwrap();
        assert!(ordered(&house).is_empty());
    }

    #[tokio::test]
    async fn a_vanished_user_or_session_revokes_the_socket() {
        let house = house();
        *house.directory.user.lock().unwrap() = None;
        house.leases.check().await.unwrap();
        assert_eq!(ordered(&house), ["close access_lost"]);
    }

    #[tokio::test]
    async fn a_new_password_revokes_the_socket() {
        let house = house();
        alter(&house, |user| user.password_version = 2);
        house.leases.check().await.unwrap();
        assert_eq!(ordered(&house), ["close access_lost"]);
    }

    #[tokio::test]
    async fn a_superuser_who_becomes_an_ordinary_manager_follows_the_own_organizations() {
        let house = house();
        alter(&house, |user| {
            user.is_superuser = false;
            user.permissions = ["geo.view_location".parse().unwrap()].into_iter().collect();
            user.manages = [OrganizationId::random(), OrganizationId::random()].into();
        });
        house.leases.check().await.unwrap();
        house.leases.check().await.unwrap();
        assert_eq!(ordered(&house), ["follow 2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unreachable_directory_refuses_nobody_until_the_grace_is_over() {
        let house = house();
        house.directory.away.store(true, Ordering::Relaxed);
        let leases = Arc::clone(&house.leases);
        let run = tokio::spawn(async move { leases.run(Duration::from_secs(2), |_| {}).await });
        tokio::time::sleep(Duration::from_secs(58)).await;
        assert!(ordered(&house).is_empty());
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(
            ordered(&house).first().map(String::as_str),
            Some("close unavailable")
        );
        run.abort();
    }

    #[tokio::test]
    async fn ending_all_reaches_every_holder() {
        let house = house();
        house
            .leases
            .end_all(Duration::from_secs(10), CloseReason::Draining)
            .await;
        assert_eq!(ordered(&house), ["close draining"]);
    }
}
