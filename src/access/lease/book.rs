//! Which leases are held, and which of them are to be asked about.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Deref;
use std::time::Instant;

use slab::Slab;
use uuid::Uuid;

use super::crowd::{Crowd, Crowded};
use super::roster::{Held, OpenSocket, SocketFilter};
use crate::access::policy::{self, Feed};
use crate::access::{Identity, Mark, Proof, Resource, RightsChanged};
use crate::config::LimitsConfig;
use crate::event::{OrganizationId, SocketId, Timestamp, Topic, UserId};
use crate::hub::{CloseReason, Subscriber};

/// So many leases are asked about in one question: the answer takes memory, and time in which nothing
/// is renewed.
const TOGETHER: usize = 1000;

/// On what grounds a socket was opened.
#[derive(Clone, Debug)]
pub struct Grounds {
    /// What proved the user.
    pub proof: Proof,
    /// Who it is.
    pub user: UserId,
    /// When that ends by itself, if it is known.
    pub until: Option<Timestamp>,
    /// What was asked for.
    pub feed: Feed,
    /// The user's password at that time: a new one ends the lease.
    pub password_version: i64,
    /// What the feed meant for the user at that time.
    pub topics: Topics,
}

/// The topics of a socket. Nearly every one is on one topic: that takes no memory of its own.
#[derive(Clone, Debug)]
pub enum Topics {
    /// This one.
    One(Topic),
    /// Several, or none.
    Many(Box<[Topic]>),
}

impl Deref for Topics {
    type Target = [Topic];

    fn deref(&self) -> &[Topic] {
        match self {
            Self::One(topic) => std::slice::from_ref(topic),
            Self::Many(topics) => topics,
        }
    }
}

impl<T: Into<Box<[Topic]>>> From<T> for Topics {
    fn from(topics: T) -> Self {
        match topics.into() {
            one if one.len() == 1 => Self::One(one[0]),
            topics => Self::Many(topics),
        }
    }
}

impl Grounds {
    /// That `identity` may listen to `topics`, which `feed` means for this user.
    #[must_use]
    pub fn new(identity: &Identity, feed: Feed, topics: Vec<Topic>) -> Self {
        Self {
            proof: identity.proof,
            user: identity.user.id,
            until: identity.until,
            feed,
            password_version: identity.user.password_version,
            topics: topics.into(),
        }
    }

    pub(super) fn resource(&self) -> Option<Resource> {
        match self.feed {
            Feed::Of(resource) => Some(resource),
            Feed::Fleet => None,
        }
    }

    /// Whether their change is told by name.
    fn are_named(&self, changed: &RightsChanged) -> bool {
        let resource = self.resource();
        changed.users.contains(&self.user)
            || resource.is_some_and(|resource| changed.resources.contains(&resource))
    }
}

struct Lease {
    serial: u64,
    is_due: bool,
    /// Seconds after the book's beginning.
    opened_s: u32,
    /// Of IPv4 as IPv6 writes it: a byte less.
    address: Ipv6Addr,
    grounds: Grounds,
    holder: Subscriber,
}

/// Which lease: places in the book are used again, serials are not.
#[derive(Clone, Copy)]
pub struct Number {
    place: usize,
    serial: u64,
}

/// A moment between two changes of rights that this node has heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(u64);

/// What is to be asked about some leases, each thing once.
pub struct Questions {
    numbers: Vec<Number>,
    pub proofs: Vec<Proof>,
    pub resources: Vec<Resource>,
}

/// The leases of this node.
pub struct Book {
    crowd: Crowd,
    /// What the identifiers of its sockets begin with, another at each start.
    run: u64,
    began: (Instant, Timestamp),
    /// How far the changes of rights were read.
    pub mark: Option<Mark>,
    last_serial: u64,
    leases: Slab<Lease>,
    changes: u64,
    /// Those that are to be asked about, in this order.
    due: VecDeque<Number>,
    /// No lease that is not due ends by itself before.
    earliest: Option<Timestamp>,
}

impl Book {
    /// An empty one, in which so many may be.
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            crowd: Crowd::new(limits),
            run: rand::random(),
            began: (Instant::now(), Timestamp::now()),
            mark: None,
            last_serial: 0,
            leases: Slab::new(),
            changes: 0,
            due: VecDeque::new(),
            earliest: None,
        }
    }

    /// Whether somebody at `address` may have one more.
    pub fn admits(&self, address: IpAddr) -> Result<(), Crowded> {
        self.crowd.admits(self.leases.len(), address)
    }

    pub fn moment(&self) -> Moment {
        Moment(self.changes)
    }

    /// Enters a lease, whose grounds were asked for after `asked`. Returns its place.
    pub fn enter(
        &mut self,
        grounds: Grounds,
        asked: Moment,
        holder: Subscriber,
        address: IpAddr,
    ) -> Result<usize, Crowded> {
        let held = self.leases.iter().map(|(_, lease)| lease.grounds.user);
        self.crowd.enter(grounds.user, address, held)?;
        self.last_serial += 1;
        let serial = self.last_serial;
        self.ends_at(grounds.until);
        // What changed meanwhile may be newer than what was found.
        let is_due = asked != self.moment();
        let place = self.leases.insert(Lease {
            serial,
            is_due,
            opened_s: u32::try_from(self.began.0.elapsed().as_secs()).unwrap_or(u32::MAX),
            address: match address {
                IpAddr::V4(address) => address.to_ipv6_mapped(),
                IpAddr::V6(address) => address,
            },
            grounds,
            holder,
        });
        if is_due {
            self.due.push_back(Number { place, serial });
        }
        Ok(place)
    }

    pub fn remove(&mut self, place: usize) {
        let lease = self.leases.remove(place);
        let address = lease.address.to_canonical();
        self.crowd.leave(lease.grounds.user, address);
    }

    /// The open sockets that `filter` means, but for whose organization they are, which is asked elsewhere.
    pub fn find(&self, filter: &SocketFilter) -> Vec<Held> {
        let held = self.leases.iter().map(|(_, lease)| {
            let grounds = &lease.grounds;
            let socket = OpenSocket {
                id: self.id_of(lease.serial),
                user: grounds.user,
                endpoint: grounds.feed.endpoint(),
                resource: grounds.resource().map(Resource::id),
                address: lease.address.to_canonical(),
                opened: self.began.1.plus_seconds(lease.opened_s.into()),
                waiting_bytes: None,
            };
            (socket, lease)
        });
        let meant = held.filter(|(socket, _)| filter.means(socket));
        meant
            .map(|(socket, lease)| Held {
                socket,
                resource: lease.grounds.resource(),
                topics: lease.grounds.topics.clone(),
                holder: lease.holder.clone(),
            })
            .collect()
    }

    /// An identifier like any other (RFC 9562, version 8), which nothing has to be kept for.
    fn id_of(&self, serial: u64) -> SocketId {
        const VERSION: u64 = 0x8000;
        const VARIANT: u64 = 1 << 63;
        let run = (self.run & !0xf000) | VERSION;
        let serial = (serial & ((VARIANT - 1) >> 1)) | VARIANT;
        SocketId(Uuid::from_u64_pair(run, serial))
    }

    pub fn count(&self) -> usize {
        self.leases.len()
    }

    pub fn holders(&self) -> Vec<Subscriber> {
        let leases = self.leases.iter();
        leases.map(|(_, lease)| lease.holder.clone()).collect()
    }

    /// Takes notice of whose rights have changed, and of what has come to its end by itself. Those are
    /// asked about before all who only may be concerned.
    pub fn note(&mut self, changed: &RightsChanged, now: Timestamp) {
        self.mark.clone_from(&changed.mark);
        if !changed.is_empty() {
            self.changes += 1;
        } else if self.earliest.is_none_or(|earliest| earliest > now) {
            return;
        }
        self.earliest = None;
        for (place, lease) in &mut self.leases {
            let (serial, until) = (lease.serial, lease.grounds.until);
            if lease.grounds.are_named(changed) || until.is_some_and(|until| until <= now) {
                self.due.push_front(Number { place, serial });
            } else if changed.all && !lease.is_due {
                self.due.push_back(Number { place, serial });
            } else {
                self.earliest = earlier(self.earliest, until);
                continue;
            }
            lease.is_due = true;
        }
    }

    /// Whether a lease is to be asked about.
    pub fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// What is to be asked next; nothing where no lease is due.
    pub fn questions(&self) -> Option<Questions> {
        let numbers: Vec<Number> = self.due.iter().take(TOGETHER).copied().collect();
        if numbers.is_empty() {
            return None;
        }
        let held = numbers.iter().filter_map(|number| self.lease(*number));
        let proofs: HashSet<Proof> = held.clone().map(|lease| lease.grounds.proof).collect();
        let resources: HashSet<Resource> =
            held.filter_map(|lease| lease.grounds.resource()).collect();
        Some(Questions {
            proofs: proofs.into_iter().collect(),
            resources: resources.into_iter().collect(),
            numbers,
        })
    }

    /// Acts on the answers.
    pub fn renew(
        &mut self,
        asked: &Questions,
        identities: &HashMap<Proof, Identity>,
        organizations: &HashMap<Resource, OrganizationId>,
    ) {
        self.due.drain(..asked.numbers.len());
        for number in &asked.numbers {
            // A socket that ended meanwhile is not there any more.
            let lease = self.leases.get_mut(number.place);
            if let Some(lease) = lease.filter(|lease| lease.serial == number.serial) {
                lease.is_due = false;
                lease.renew(identities, organizations);
                let until = lease.grounds.until;
                self.ends_at(until);
            }
        }
    }

    fn lease(&self, number: Number) -> Option<&Lease> {
        let lease = self.leases.get(number.place);
        lease.filter(|lease| lease.serial == number.serial)
    }

    fn ends_at(&mut self, until: Option<Timestamp>) {
        self.earliest = earlier(self.earliest, until);
    }
}

impl Lease {
    fn renew(
        &mut self,
        identities: &HashMap<Proof, Identity>,
        organizations: &HashMap<Resource, OrganizationId>,
    ) {
        let resource = self.grounds.resource();
        let organization = resource.and_then(|it| organizations.get(&it).copied());
        let identity = identities
            .get(&self.grounds.proof)
            .filter(|identity| identity.user.password_version == self.grounds.password_version);
        self.grounds.until = identity.and_then(|identity| identity.until);
        let topics = identity
            .and_then(|identity| policy::topics(&identity.user, self.grounds.feed, organization));
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

/// The earlier of two moments, of which either may never come.
fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_takes_few_bytes() {
        // Of the 400 that a socket may take in all; those of its only topic are among them.
        assert!(size_of::<Lease>() <= 152, "{}", size_of::<Lease>());
    }

    #[test]
    fn a_single_topic_is_kept_where_the_others_would_lie_elsewhere() {
        let [one, other] = [(); 2].map(|()| Topic::OrgLocations(OrganizationId::random()));
        for topics in [vec![], vec![one], vec![one, other]] {
            assert_eq!(*Topics::from(topics.clone()), *topics);
        }
        assert!(matches!(Topics::from([one]), Topics::One(_)));
    }
}
