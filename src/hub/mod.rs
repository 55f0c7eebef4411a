//! Inside a node: topics, the subscribers on them, and the outbox in front of each.
//!
//! The hub carries frames: it knows no users, no HTTP and no SQL. [`Hub::publish`] is
//! synchronous, never waits and cannot fail; what a slow subscriber costs is decided by its
//! [`Outbox`](outbox::Outbox) alone. An empty topic leaves no trace.

mod close;
mod outbox;
mod source;

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use close::CloseReason;
pub use outbox::{Outbox, Pushed};
pub use source::{Source, SourceError};

use tokio::sync::Notify;

use crate::event::{Frame, SubjectId, Topic};

/// Enough that publishers and joining sockets of different topics seldom meet on a lock.
const SHARDS: usize = 16;

type Shard = HashMap<Topic, HashMap<u64, Arc<Outbox>>>;

/// A snapshot on its way to subscribers: encoded once, however many listen.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What it is a snapshot of.
    pub subject: SubjectId,
    /// Orders it among the snapshots of the same subject.
    pub version: i64,
    /// Its bytes.
    pub frame: Frame,
}

/// What became of publishing, summed over its subscribers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Outboxes that took the snapshot.
    pub queued: u64,
    /// Outboxes in which it replaced an older unsent one.
    pub conflated: u64,
    /// Outboxes that had to give up and close their socket.
    pub overflowed: u64,
}

/// Topics and who listens to them.
pub struct Hub {
    // std locks: they are held for a few map operations or for pushing to queues in memory, and
    // never across an await.
    shards: [Mutex<Shard>; SHARDS],
    outbox_bytes: usize,
    next_id: AtomicU64,
    /// Wakes who wants to know what is listened to.
    topics_changed: Notify,
}

impl Hub {
    /// A hub without subscribers, whose outboxes queue up to `outbox_bytes` beyond one frame.
    #[must_use]
    pub fn new(outbox_bytes: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            outbox_bytes,
            next_id: AtomicU64::new(0),
            topics_changed: Notify::new(),
        }
    }

    /// Joins `topics`: from now on their snapshots arrive in the subscriber's outbox.
    #[must_use]
    pub fn join(self: &Arc<Self>, topics: Vec<Topic>) -> Subscriber {
        let subscriber = Subscriber {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            outbox: Arc::new(Outbox::new(self.outbox_bytes)),
            hub: Arc::clone(self),
            topics: Mutex::default(),
        };
        subscriber.follow(topics);
        subscriber
    }

    /// Whether anybody here listens to `topic`.
    #[must_use]
    pub fn wants(&self, topic: Topic) -> bool {
        self.shard(topic).contains_key(&topic)
    }

    /// Everything that somebody here listens to now.
    #[must_use]
    pub fn topics(&self) -> Vec<Topic> {
        let shards = self.shards.iter();
        shards
            .flat_map(|shard| lock(shard).keys().copied().collect::<Vec<_>>())
            .collect()
    }

    /// Returns when [`Hub::topics`] may have changed since the last call. For one waiter.
    pub async fn topics_changed(&self) {
        self.topics_changed.notified().await;
    }

    /// Hands a snapshot to every subscriber of `topics`; one who is on several gets it once.
    pub fn publish(&self, topics: &[Topic], snapshot: &Snapshot) -> Delivered {
        let mut delivered = Delivered::default();
        for &topic in topics {
            let shard = self.shard(topic);
            for outbox in shard.get(&topic).into_iter().flat_map(HashMap::values) {
                match outbox.push(snapshot) {
                    Pushed::Queued => delivered.queued += 1,
                    Pushed::Conflated => delivered.conflated += 1,
                    Pushed::Overflowed => delivered.overflowed += 1,
                    Pushed::Ignored => {}
                }
            }
        }
        delivered
    }

    fn shard(&self, topic: Topic) -> MutexGuard<'_, Shard> {
        let mut hasher = DefaultHasher::new();
        topic.hash(&mut hasher);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "any bits of a hash will do"
        )]
        let index = hasher.finish() as usize % SHARDS;
        lock(&self.shards[index])
    }

    fn add(&self, topic: Topic, subscriber: &Subscriber) {
        let mut shard = self.shard(topic);
        let members = shard.entry(topic).or_default();
        if members.is_empty() {
            self.topics_changed.notify_one();
        }
        members.insert(subscriber.id, Arc::clone(&subscriber.outbox));
    }

    fn remove(&self, topic: Topic, subscriber: &Subscriber) {
        let mut shard = self.shard(topic);
        if let Some(members) = shard.get_mut(&topic) {
            members.remove(&subscriber.id);
            if members.is_empty() {
                shard.remove(&topic);
                self.topics_changed.notify_one();
            }
        }
    }
}

/// An open socket inside the hub. Dropping it leaves every topic.
pub struct Subscriber {
    id: u64,
    outbox: Arc<Outbox>,
    hub: Arc<Hub>,
    /// Written by [`Subscriber::follow`] alone.
    topics: Mutex<Vec<Topic>>,
}

impl Subscriber {
    /// What waits to be written to the socket.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The topics listened to now.
    #[must_use]
    pub fn topics(&self) -> Vec<Topic> {
        lock(&self.topics).clone()
    }

    /// Listens to exactly `topics` from now on. New ones are joined before old ones are left, so
    /// nothing that is on both sides is missed.
    pub fn follow(&self, topics: Vec<Topic>) {
        let mut followed = lock(&self.topics);
        for &topic in topics.iter().filter(|topic| !followed.contains(topic)) {
            self.hub.add(topic, self);
        }
        for &topic in followed.iter().filter(|topic| !topics.contains(topic)) {
            self.hub.remove(topic, self);
        }
        *followed = topics;
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.follow(Vec::new());
    }
}

/// A poisoned lock guards maps and queues that are whole after every operation: a panic elsewhere
/// is no reason to stop serving everybody else.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{LocationId, OrganizationId};

    fn snapshot(version: i64) -> Snapshot {
        Snapshot {
            subject: LocationId::random().into(),
            version,
            frame: Frame::text("{}"),
        }
    }

    fn hub() -> Arc<Hub> {
        Arc::new(Hub::new(1024))
    }

    #[test]
    fn only_subscribers_of_the_topic_get_it() {
        let hub = hub();
        let (here, there) = (
            Topic::OrgLocations(OrganizationId::random()),
            Topic::OrgLocations(OrganizationId::random()),
        );
        let (a, b) = (hub.join(vec![here]), hub.join(vec![there]));
        hub.publish(&[here], &snapshot(1));
        assert_eq!(a.outbox().take(usize::MAX).len(), 1);
        assert!(b.outbox().take(usize::MAX).is_empty());
    }

    #[test]
    fn a_subscriber_on_two_topics_of_an_event_gets_it_once() {
        let hub = hub();
        let org = Topic::OrgLocations(OrganizationId::random());
        let subscriber = hub.join(vec![org, Topic::AllLocations]);
        hub.publish(&[org, Topic::AllLocations], &snapshot(1));
        assert_eq!(subscriber.outbox().take(usize::MAX).len(), 1);
    }

    #[test]
    fn following_other_topics_leaves_the_old_ones() {
        let hub = hub();
        let (old, new) = (
            Topic::OrgLocations(OrganizationId::random()),
            Topic::OrgLocations(OrganizationId::random()),
        );
        let subscriber = hub.join(vec![old]);
        subscriber.follow(vec![new]);
        assert!(!hub.wants(old));
        assert!(hub.wants(new));
        hub.publish(&[old], &snapshot(1));
        assert!(subscriber.outbox().take(usize::MAX).is_empty());
    }

    #[test]
    fn an_empty_topic_leaves_no_trace() {
        let hub = hub();
        let topics: Vec<_> = (0..100)
            .map(|_| Topic::Location(LocationId::random()))
            .collect();
        drop(hub.join(topics));
        assert!(hub.shards.iter().all(|shard| lock(shard).is_empty()));
    }
}
