//! What waits for one shard: who joins, leaves and is told what, in the order in which it was said.
//!
//! Many threads put orders in, one shard takes them out. Putting in never waits for the shard: what
//! is published lies here until the shard comes round, which is seldom longer than the system calls
//! of one round. Should it ever be far behind, newer snapshots take the place of older ones of the same
//! subject, as in an [`Outbox`](super::Outbox).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::{Notify, oneshot};

use super::bell::Bell;
use super::{CloseReason, Snapshot, lock};
use crate::event::{SubjectId, Topic};

/// Bytes of snapshots that may wait for a shard before older ones give way.
const BACKLOG_BYTES: usize = 64 * 1024 * 1024;

/// A subscriber's place in its shard. The serial tells it from whoever had the place before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubscriberId {
    /// Its place: small numbers, used again.
    pub slot: u32,
    /// Of no other subscriber that had the same place.
    pub serial: u32,
}

/// A snapshot and the topics that it is published on.
#[derive(Debug)]
pub struct Publication {
    /// Whose subscribers get it, each once.
    pub topics: Box<[Topic]>,
    /// What they get.
    pub snapshot: Arc<Snapshot>,
}

/// What a shard is to do.
#[derive(Debug)]
pub enum Order {
    /// A new subscriber.
    Join(SubscriberId, Box<[Topic]>),
    /// From now on exactly these topics.
    Follow(SubscriberId, Box<[Topic]>),
    /// A snapshot for whoever is on its topics.
    Publish(Arc<Publication>),
    /// The socket is to be closed.
    Close(SubscriberId, CloseReason),
    /// The subscriber has gone before it had a socket.
    Leave(SubscriberId),
    /// Says how many bytes each of these has waiting; `None` for who has no socket.
    Weigh(Box<[SubscriberId]>, oneshot::Sender<Vec<Option<u64>>>),
    /// Every socket is to be closed: what waited for this shard was more than memory is for.
    Overflowed,
}

/// The orders of one shard, and what its subscribers listen to.
pub struct Inbox {
    number: usize,
    // A std lock: held for a few operations in memory, never across an await.
    state: Mutex<State>,
    backlog: usize,
    bell: Bell,
    /// Wakes the shard when it sleeps.
    waker: OnceLock<Box<dyn Fn() + Send + Sync>>,
    topics_changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    orders: Vec<Order>,
    /// Bytes of the snapshots in `orders`.
    bytes: usize,
    /// How often each topic is joined, those included that have just been left and are not yet
    /// [released](Inbox::release).
    listened: HashMap<Topic, u32>,
    free_slots: Vec<u32>,
    slots: u32,
    last_serial: u32,
    ended: bool,
}

impl Inbox {
    pub(super) fn new(number: usize, topics_changed: Arc<Notify>) -> Self {
        Self {
            number,
            state: Mutex::default(),
            backlog: BACKLOG_BYTES,
            bell: Bell::default(),
            waker: OnceLock::new(),
            topics_changed,
        }
    }

    /// Which of the hub's shards it is of.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Names what wakes the shard; the first one stays.
    pub fn wake_with(&self, waker: impl Fn() + Send + Sync + 'static) {
        self.waker.set(Box::new(waker)).ok();
    }

    /// Wakes the shard, if it sleeps, for what was put in just now, here or elsewhere.
    pub fn wake(&self) {
        if self.bell.rings()
            && let Some(waker) = self.waker.get()
        {
            waker();
        }
    }

    /// Before the shard sleeps it says so, and looks [whether something waits](Self::is_waiting) afterwards.
    #[must_use]
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(super) fn join(&self, topics: Vec<Topic>) -> SubscriberId {
        let mut state = lock(&self.state);
        let slot = state.free_slots.pop().unwrap_or_else(|| {
            state.slots += 1;
            state.slots - 1
        });
        state.last_serial = state.last_serial.wrapping_add(1);
        let serial = state.last_serial;
        let id = SubscriberId { slot, serial };
        let is_new = state.listen(&topics);
        // Nothing has to be done yet: the first snapshot, or the socket itself, wakes the shard.
        state.orders.push(Order::Join(id, topics.into()));
        drop(state);
        self.tell_topics(is_new);
        id
    }

    pub(super) fn follow(&self, id: SubscriberId, topics: Vec<Topic>) {
        let mut state = lock(&self.state);
        // Those that it is on already are counted twice until the shard has compared.
        let is_new = state.listen(&topics);
        state.orders.push(Order::Follow(id, topics.into()));
        drop(state);
        self.tell_topics(is_new);
        self.wake();
    }

    pub(super) fn close(&self, id: SubscriberId, reason: CloseReason) {
        self.order(Order::Close(id, reason));
    }

    pub(super) fn leave(&self, id: SubscriberId) {
        self.order(Order::Leave(id));
    }

    /// Asks how many bytes each of these has waiting; `None` for who has no socket. There is no answer
    /// from a shard that has ended.
    pub fn weigh(&self, ids: Vec<SubscriberId>) -> oneshot::Receiver<Vec<Option<u64>>> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Weigh(ids.into(), answer));
        answered
    }

    fn order(&self, order: Order) {
        lock(&self.state).orders.push(order);
        self.wake();
    }

    pub(super) fn publish(&self, publication: &Arc<Publication>) {
        let mut state = lock(&self.state);
        let topics = &publication.topics;
        if !topics.iter().any(|it| state.listened.contains_key(it)) {
            return;
        }
        state.bytes += publication.snapshot.frame.size();
        state.orders.push(Order::Publish(Arc::clone(publication)));
        if state.bytes > self.backlog {
            state.conflate(self.backlog);
        }
        drop(state);
        self.wake();
    }

    pub(super) fn wants(&self, topic: Topic) -> bool {
        lock(&self.state).listened.contains_key(&topic)
    }

    pub(super) fn topics(&self) -> Vec<Topic> {
        lock(&self.state).listened.keys().copied().collect()
    }

    pub(super) fn end(&self) {
        lock(&self.state).ended = true;
        self.wake();
    }

    /// Moves all orders behind those in `orders`.
    pub fn take(&self, orders: &mut Vec<Order>) {
        let mut state = lock(&self.state);
        if orders.is_empty() {
            std::mem::swap(orders, &mut state.orders);
        } else {
            orders.append(&mut state.orders);
        }
        state.bytes = 0;
    }

    /// Whether orders wait, or the end is to be noticed.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        let state = lock(&self.state);
        !state.orders.is_empty() || state.ended
    }

    /// Whether the hub is gone: nothing comes any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        lock(&self.state).ended
    }

    /// The shard has taken subscribers off `topics`, once for each time that one is named, and nobody
    /// has `slots` any more.
    pub fn release(&self, topics: &mut Vec<Topic>, slots: &mut Vec<u32>) {
        let mut state = lock(&self.state);
        let mut is_last = false;
        for topic in topics.drain(..) {
            if let Some(count) = state.listened.get_mut(&topic) {
                *count -= 1;
                if *count == 0 {
                    state.listened.remove(&topic);
                    is_last = true;
                }
            }
        }
        state.free_slots.append(slots);
        drop(state);
        self.tell_topics(is_last);
    }

    fn tell_topics(&self, have_changed: bool) {
        if have_changed {
            self.topics_changed.notify_one();
        }
    }
}

impl State {
    /// Counts `topics` in; whether one of them is new.
    fn listen(&mut self, topics: &[Topic]) -> bool {
        let mut is_new = false;
        for topic in topics {
            let count = self.listened.entry(*topic).or_insert(0);
            *count += 1;
            is_new |= *count == 1;
        }
        is_new
    }

    /// Keeps, of each subject, only the newest snapshot on the same topics. Where that is not enough,
    /// nothing of it is kept and the sockets are closed: their clients come back and ask for what they missed.
    fn conflate(&mut self, most: usize) {
        let mut newest: HashSet<(SubjectId, Box<[Topic]>)> = HashSet::new();
        let mut bytes = 0;
        let mut kept: Vec<Order> = Vec::with_capacity(self.orders.len());
        for order in self.orders.drain(..).rev() {
            if let Order::Publish(it) = &order {
                if !newest.insert((it.snapshot.subject, it.topics.clone())) {
                    continue;
                }
                bytes += it.snapshot.frame.size();
            }
            kept.push(order);
        }
        kept.reverse();
        // Half, so that a shard that hangs does not make this the price of every event.
        if bytes > most / 2 {
            kept.retain(|order| !matches!(order, Order::Publish(_)));
            kept.push(Order::Overflowed);
            bytes = 0;
        }
        (self.orders, self.bytes) = (kept, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Frame, LocationId};

    fn inbox(backlog: usize) -> Inbox {
        Inbox {
            backlog,
            ..Inbox::new(0, Arc::default())
        }
    }

    fn publication(topics: &[Topic], subject: SubjectId, version: i64) -> Arc<Publication> {
        Arc::new(Publication {
            topics: topics.into(),
            snapshot: Arc::new(Snapshot {
                subject,
                version,
                frame: Frame::text("12345678"),
            }),
        })
    }

    /// The versions of the snapshots that wait; 0 stands for the order to close all.
    fn versions(inbox: &Inbox) -> Vec<i64> {
        let mut orders = Vec::new();
        inbox.take(&mut orders);
        let versions = orders.iter().filter_map(|order| match order {
            Order::Publish(it) => Some(it.snapshot.version),
            Order::Overflowed => Some(0),
            _ => None,
        });
        versions.collect()
    }

    #[test]
    fn a_shard_that_is_far_behind_gets_the_newest_of_each_subject() {
        let inbox = inbox(100);
        let (fleet, other) = (Topic::AllLocations, Topic::Location(LocationId::random()));
        inbox.join(vec![fleet, other]);
        let (bus, tram) = (LocationId::random().into(), LocationId::random().into());
        inbox.publish(&publication(&[fleet], tram, 1));
        inbox.publish(&publication(&[other], bus, 2));
        for version in 3..=11 {
            inbox.publish(&publication(&[fleet], bus, version));
        }
        // Who is on other topics has not got the newest one: the older one stays for them.
        assert_eq!(versions(&inbox), [1, 2, 11]);
    }

    #[test]
    fn a_shard_that_gets_nothing_done_closes_its_sockets_and_keeps_no_memory() {
        let inbox = inbox(100);
        inbox.join(vec![Topic::AllLocations]);
        for version in 1..=11 {
            let subject = LocationId::random().into();
            inbox.publish(&publication(&[Topic::AllLocations], subject, version));
        }
        assert_eq!(versions(&inbox), [0]);
    }

    #[test]
    fn what_nobody_here_listens_to_does_not_wake_the_shard() {
        let inbox = inbox(100);
        let subject = LocationId::random().into();
        inbox.publish(&publication(&[Topic::AllLocations], subject, 1));
        assert!(!inbox.is_waiting());
    }

    #[test]
    fn a_place_is_given_again_under_another_serial() {
        let inbox = inbox(100);
        let first = inbox.join(vec![Topic::AllLocations]);
        inbox.release(&mut vec![Topic::AllLocations], &mut vec![first.slot]);
        assert!(!inbox.wants(Topic::AllLocations));
        let second = inbox.join(Vec::new());
        assert_eq!(first.slot, second.slot);
        assert_ne!(first.serial, second.serial);
    }
}
