//! Subscribers without sockets, for the tests of what publishes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::{Hub, Order, Roll, Subscriber, lock};
use crate::event::{Frame, Topic};

/// All subscribers of a hub: the shards are run by whoever asks what they heard.
pub struct Listeners {
    hub: Arc<Hub>,
    shards: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    roll: Roll,
    heard: HashMap<u32, Vec<Frame>>,
}

impl Listeners {
    /// The listeners of `hub`: there can be one such, as it takes all orders.
    pub fn of(hub: &Arc<Hub>) -> Arc<Self> {
        Arc::new(Self {
            shards: hub.inboxes().iter().map(|_| Mutex::default()).collect(),
            hub: Arc::clone(hub),
        })
    }

    /// A new one.
    #[must_use]
    pub fn join(self: &Arc<Self>, topics: Vec<Topic>) -> Listener {
        Listener {
            subscriber: self.hub.join(topics),
            listeners: Arc::clone(self),
        }
    }

    /// Does all that was ordered.
    pub fn settle(&self) {
        for (inbox, shard) in self.hub.inboxes().iter().zip(&self.shards) {
            let Shard { roll, heard } = &mut *lock(shard);
            let mut orders = Vec::new();
            inbox.take(&mut orders);
            let (mut left, mut slots) = (Vec::new(), Vec::new());
            for order in orders {
                match order {
                    Order::Join(id, topics) | Order::Follow(id, topics) => {
                        left.append(&mut roll.set(id.slot, &topics));
                    }
                    Order::Leave(id) => {
                        left.append(&mut roll.set(id.slot, &[]));
                        heard.remove(&id.slot);
                        slots.push(id.slot);
                    }
                    Order::Publish(it) => {
                        let mut members: Vec<u32> = Vec::new();
                        for topic in &it.topics {
                            members.extend(roll.members(*topic));
                        }
                        members.sort_unstable();
                        members.dedup();
                        for slot in members {
                            let frame = it.snapshot.frame.clone();
                            heard.entry(slot).or_default().push(frame);
                        }
                    }
                    Order::Close(..) | Order::Overflowed | Order::Weigh(..) => {}
                }
            }
            inbox.release(&mut left, &mut slots);
        }
    }
}

/// A subscriber. Dropping it leaves every topic.
pub struct Listener {
    subscriber: Subscriber,
    listeners: Arc<Listeners>,
}

impl Listener {
    /// The subscriber itself.
    #[must_use]
    pub fn subscriber(&self) -> &Subscriber {
        &self.subscriber
    }

    /// The frames that came since the last call.
    #[must_use]
    pub fn heard(&self) -> Vec<Frame> {
        self.listeners.settle();
        let shard = &self.listeners.shards[self.subscriber.inbox().number()];
        let heard = lock(shard).heard.remove(&self.subscriber.id().slot);
        heard.unwrap_or_default()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.subscriber.leave();
    }
}
