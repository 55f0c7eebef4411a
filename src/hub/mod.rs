//! Inside a node: topics, the subscribers on them, and the outbox in front of each.
//!
//! The hub carries frames: it knows no users, no HTTP, no SQL and no sockets. It is made of shards, each
//! of which serves its own subscribers: [`Hub::publish`] puts what is published into the [`Inbox`] of
//! every shard that has subscribers for it, so it is synchronous, never waits and cannot fail. A shard
//! finds its subscribers in its [`Roll`]; what a slow one costs is bounded by its [`Outbox`]. An empty topic
//! leaves no trace.

mod bell;
mod close;
mod inbox;
mod outbox;
mod roll;
mod source;
#[cfg(test)]
pub mod testing;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use bell::Bell;
pub use close::CloseReason;
pub use inbox::{Inbox, Order, Publication, SubscriberId};
pub use outbox::{Outbox, Pushed};
pub use roll::Roll;
pub use source::{Source, SourceError};

use tokio::sync::Notify;

use crate::event::{Frame, SubjectId, Topic};

/// What [`bell`] is made of; `loom/` puts its own in the place.
mod atomic {
    pub use std::sync::atomic::{AtomicBool, Ordering};
}

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

/// Topics and who listens to them.
pub struct Hub {
    inboxes: Box<[Arc<Inbox>]>,
    next: AtomicUsize,
    /// Wakes who wants to know what is listened to.
    topics_changed: Arc<Notify>,
}

impl Hub {
    /// A hub without subscribers, of so many shards (at least one).
    #[must_use]
    pub fn new(shards: usize) -> Self {
        let topics_changed = Arc::new(Notify::new());
        let inbox = |number| Arc::new(Inbox::new(number, Arc::clone(&topics_changed)));
        Self {
            inboxes: (0..shards.max(1)).map(inbox).collect(),
            next: AtomicUsize::new(0),
            topics_changed,
        }
    }

    /// The shards' inboxes, for those who run the shards.
    #[must_use]
    pub fn inboxes(&self) -> &[Arc<Inbox>] {
        &self.inboxes
    }

    /// Joins `topics`: from now on their snapshots go to the subscriber's outbox.
    #[must_use]
    pub fn join(&self, topics: Vec<Topic>) -> Subscriber {
        let shard = self.next.fetch_add(1, Ordering::Relaxed) % self.inboxes.len();
        let inbox = &self.inboxes[shard];
        Subscriber {
            id: inbox.join(topics),
            inbox: Arc::clone(inbox),
        }
    }

    /// Whether anybody here listens to `topic`.
    #[must_use]
    pub fn wants(&self, topic: Topic) -> bool {
        self.inboxes.iter().any(|inbox| inbox.wants(topic))
    }

    /// Everything that somebody here listens to now.
    #[must_use]
    pub fn topics(&self) -> Vec<Topic> {
        self.inboxes.iter().flat_map(|it| it.topics()).collect()
    }

    /// Returns when [`Hub::topics`] may have changed since the last call. For one waiter.
    pub async fn topics_changed(&self) {
        self.topics_changed.notified().await;
    }

    /// Hands a snapshot to every subscriber of `topics`; one who is on several gets it once.
    pub fn publish(&self, topics: &[Topic], snapshot: &Snapshot) {
        let publication = Arc::new(Publication {
            topics: topics.into(),
            snapshot: Arc::new(snapshot.clone()),
        });
        for inbox in &self.inboxes {
            inbox.publish(&publication);
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        for inbox in &self.inboxes {
            inbox.end();
        }
    }
}

/// An open socket inside the hub, or one that is about to open; seen from those who decide about it.
/// It may have ended already: then it hears nothing.
#[derive(Clone)]
pub struct Subscriber {
    inbox: Arc<Inbox>,
    id: SubscriberId,
}

impl Subscriber {
    /// Its place in its shard.
    #[must_use]
    pub fn id(&self) -> SubscriberId {
        self.id
    }

    /// The inbox of its shard.
    #[must_use]
    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Listens to exactly `topics` (each named once) from now on. Nothing that is on both sides is
    /// missed.
    pub fn follow(&self, topics: Vec<Topic>) {
        self.inbox.follow(self.id, topics);
    }

    /// Asks for the socket to be closed; the first reason stays.
    pub fn close(&self, reason: CloseReason) {
        self.inbox.close(self.id, reason);
    }

    /// Takes back a join that has led to no socket.
    pub fn leave(&self) {
        self.inbox.leave(self.id);
    }
}

/// A poisoned lock guards maps and queues that are whole after every operation: a panic elsewhere
/// is no reason to stop serving everybody else.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::testing::Listeners;
    use super::*;
    use crate::event::{LocationId, OrganizationId};

    fn snapshot(version: i64) -> Snapshot {
        Snapshot {
            subject: LocationId::random().into(),
            version,
            frame: Frame::text("{}"),
        }
    }

    fn organization() -> Topic {
        Topic::OrgLocations(OrganizationId::random())
    }

    #[test]
    fn only_subscribers_of_the_topic_get_it() {
        let hub = Arc::new(Hub::new(1));
        let listeners = Listeners::of(&hub);
        let (here, there) = (organization(), organization());
        let (a, b) = (listeners.join(vec![here]), listeners.join(vec![there]));
        hub.publish(&[here], &snapshot(1));
        assert_eq!(a.heard().len(), 1);
        assert!(b.heard().is_empty());
    }

    #[test]
    fn what_is_listened_to_is_known_from_the_join_to_the_leave() {
        let hub = Arc::new(Hub::new(3));
        let listeners = Listeners::of(&hub);
        let (old, new) = (organization(), organization());
        let joined: Vec<_> = (0..4).map(|_| listeners.join(vec![old])).collect();
        assert!(hub.wants(old));
        for listener in &joined {
            listener.subscriber().follow(vec![new]);
            assert!(hub.wants(new));
        }
        listeners.settle();
        assert_eq!(HashSet::from_iter(hub.topics()), HashSet::from([new]));
        drop(joined);
        listeners.settle();
        assert_eq!(hub.topics(), []);
    }

    #[test]
    fn following_other_topics_leaves_the_old_ones() {
        let hub = Arc::new(Hub::new(1));
        let listeners = Listeners::of(&hub);
        let (old, both, new) = (organization(), organization(), organization());
        let listener = listeners.join(vec![old, both]);
        listener.subscriber().follow(vec![both, new]);
        for topic in [old, both, new] {
            hub.publish(&[topic], &snapshot(1));
        }
        assert_eq!(listener.heard().len(), 2);
        assert!(!hub.wants(old));
    }
}
