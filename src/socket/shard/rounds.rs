//! The rounds of a shard.

mod catching_up;
mod ending;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::behind::Behind;
use super::ended::Ended;
use super::kit::Kit;
use super::outcome::{Delivered, Read};
use super::pace::Pace;
use super::poll::{Poll, Readiness};
use super::post::{Attachment, Delivery, Post};
use super::slot::{Joined, Slot, weigh};
use super::socket::Socket;
use super::wheel::{TICK_MS, Wheel};
use crate::event::Topic;
use crate::hub::{CloseReason, Inbox, Order, Publication, Roll, SubscriberId};
use crate::telemetry::Metrics;

/// Sockets that are written to before the shard looks what else has come.
const TURN: usize = 256;

/// Sockets are looked at so often when one has sent more than the inbound rate allows.
const INBOUND_STEP: Duration = Duration::from_millis(10);

/// A thread's sockets, and what it knows of them.
pub struct Shard {
    inbox: Arc<Inbox>,
    post: Arc<Post>,
    poll: Poll,
    roll: Roll,
    slots: Vec<Slot>,
    wheel: Wheel,
    kit: Kit,
    /// Sockets for which something waits.
    soon: VecDeque<SubscriberId>,
    /// Those that wait for more to be joined, and until when.
    later: Vec<SubscriberId>,
    later_until: Instant,
    throttled: Vec<SubscriberId>,
    behind: Behind,
    /// Those of them who have room for something that was put off.
    has_room: Vec<SubscriberId>,
    /// Sockets that came to their end while the members of a topic were gone through.
    failed: Vec<(SubscriberId, Ended)>,
    orders: Vec<Order>,
    /// What is to be released of the inbox.
    left: Vec<Topic>,
    freed: Vec<u32>,
    publications: u64,
    metrics: Arc<Metrics>,
}

impl Shard {
    pub fn new(post: Arc<Post>, poll: Poll, pace: Pace, metrics: Arc<Metrics>) -> Self {
        let inbox = Arc::clone(post.inbox());
        inbox.wake_with(poll.waker());
        Self {
            inbox,
            post,
            poll,
            roll: Roll::default(),
            slots: Vec::new(),
            wheel: Wheel::new(),
            kit: Kit::new(pace),
            soon: VecDeque::new(),
            later: Vec::new(),
            later_until: Instant::now(),
            throttled: Vec::new(),
            behind: Behind::new(pace.outbox_bytes),
            has_room: Vec::new(),
            failed: Vec::new(),
            orders: Vec::new(),
            left: Vec::new(),
            freed: Vec::new(),
            publications: 0,
            metrics,
        }
    }

    /// Until the hub is gone.
    ///
    /// # Errors
    /// When the system does not let us wait for sockets.
    pub fn run(&mut self) -> io::Result<()> {
        while !self.inbox.has_ended() {
            self.round()?;
        }
        Ok(())
    }

    /// # Errors
    /// When the system does not let us wait for sockets.
    pub fn round(&mut self) -> io::Result<()> {
        // Before the orders: whoever comes by post has joined by then.
        let deliveries = self.post.take();
        let mut orders = std::mem::take(&mut self.orders);
        self.inbox.take(&mut orders);
        self.kit.look();
        self.follow(&mut orders);
        self.orders = orders;
        for delivery in deliveries {
            self.receive(delivery);
        }
        self.write_to_those_due();
        if !self.left.is_empty() || !self.freed.is_empty() {
            self.inbox.release(&mut self.left, &mut self.freed);
        }
        self.kit.tally.tell(&self.metrics);
        self.poll.wait(self.may_wait())?;
        self.inbox.bell().stays_awake();
        self.kit.look();
        for index in 0..self.poll.count() {
            if let Some(readiness) = self.poll.readiness(index) {
                self.happened(readiness);
            }
        }
        self.keep_time();
        Ok(())
    }

    /// Sockets that sent more than the inbound rate allows.
    #[cfg(test)]
    pub fn throttled(&self) -> usize {
        self.throttled.len()
    }

    /// Sockets that are behind.
    #[cfg(test)]
    pub fn behind(&self) -> usize {
        let is_behind = |slot: &&Slot| matches!(slot, Slot::Open(_, socket) if socket.is_behind);
        self.slots.iter().filter(is_behind).count()
    }

    /// Publications and bytes that are put off for them, and places that are kept for them.
    #[cfg(test)]
    pub fn put_off_for_them(&self) -> (usize, usize, usize) {
        self.behind.size()
    }

    /// How long nothing is to be done unless something happens.
    fn may_wait(&self) -> Duration {
        if !self.soon.is_empty() {
            return Duration::ZERO;
        }
        // In this order: what comes before we look is seen, what comes after wakes us.
        self.inbox.bell().may_sleep();
        if self.inbox.is_waiting() || !self.post.is_empty() {
            return Duration::ZERO;
        }
        let tick = Duration::from_millis(TICK_MS);
        let mut wait = if self.slots.is_empty() {
            tick * 10
        } else {
            tick
        };
        if !self.later.is_empty() {
            // The kernel rounds it up to whole milliseconds.
            wait = wait.min(self.later_until.saturating_duration_since(Instant::now()));
        }
        if !self.throttled.is_empty() {
            wait = wait.min(INBOUND_STEP);
        }
        wait
    }

    /// Does what was ordered.
    fn follow(&mut self, orders: &mut Vec<Order>) {
        let publications = orders.iter().filter(|it| matches!(it, Order::Publish(_)));
        let is_alone = publications.count() == 1;
        for order in orders.drain(..) {
            match order {
                Order::Join(id, topics) => self.join(id, &topics),
                Order::Follow(id, topics) => {
                    // What was put off was for the topics until now.
                    self.catch_up(id);
                    if self.has(id) {
                        self.left.append(&mut self.roll.set(id.slot, &topics));
                    } else {
                        // It ended meanwhile: they were counted for nobody.
                        self.left.extend(topics);
                    }
                }
                Order::Publish(publication) => {
                    if let Some(has_room) = self.publish(&publication, is_alone) {
                        self.put_off(&publication, has_room);
                    }
                }
                Order::Close(id, reason) => self.close(id, reason),
                Order::Leave(id) => {
                    if self.has(id) {
                        self.free(id);
                    }
                }
                Order::Overflowed => self.close_all(CloseReason::TooSlow),
                // Who asked may have given up.
                Order::Weigh(ids, answer) => drop(answer.send(weigh(&self.slots, &ids))),
            }
        }
    }

    fn join(&mut self, id: SubscriberId, topics: &[Topic]) {
        let index = id.slot as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || Slot::Free);
        }
        let joined = Joined::new(self.kit.pace.outbox_bytes);
        self.slots[index] = Slot::Joined(id.serial, Box::new(joined));
        self.roll.set(id.slot, topics);
    }

    fn has(&self, id: SubscriberId) -> bool {
        match self.slots.get(id.slot as usize) {
            Some(Slot::Joined(serial, _) | Slot::Open(serial, _)) => *serial == id.serial,
            _ => false,
        }
    }

    fn open(&mut self, id: SubscriberId) -> Option<(&mut Socket, &mut Kit)> {
        match self.slots.get_mut(id.slot as usize) {
            Some(Slot::Open(serial, socket)) if *serial == id.serial => {
                Some((socket, &mut self.kit))
            }
            _ => None,
        }
    }

    /// Hands a snapshot to all who are on its topics, each once. When it is put off for some of them, the answer is
    /// whether one of those has room for it.
    fn publish(&mut self, publication: &Publication, mut is_alone: bool) -> Option<bool> {
        let mut put_off = None;
        self.publications += 1;
        let number = self.publications;
        let snapshot = &publication.snapshot;
        let mut until_look = TURN;
        for topic in &publication.topics {
            for &slot in self.roll.members(*topic) {
                let (id, delivered) = match &mut self.slots[slot as usize] {
                    Slot::Open(serial, socket) if socket.publication != number => {
                        socket.publication = number;
                        let id = SubscriberId {
                            slot,
                            serial: *serial,
                        };
                        if socket.is_behind {
                            self.kit.tally.put_off();
                            let has_room = socket.has_room_for(snapshot);
                            *put_off.get_or_insert(false) |= has_room;
                            if has_room && socket.is_to_catch_up() {
                                self.has_room.push(id);
                            }
                            continue;
                        }
                        (id, socket.deliver(snapshot, is_alone, &mut self.kit))
                    }
                    Slot::Joined(_, joined) if joined.publication != number => {
                        joined.push(number, publication, &mut self.kit);
                        continue;
                    }
                    _ => continue,
                };
                match delivered {
                    Ok(Delivered::Done) => {}
                    Ok(Delivered::Soon) => self.soon.push_back(id),
                    Ok(Delivered::Later) => {
                        if self.later.is_empty() {
                            let batch = u64::from(self.kit.pace.batch) * 100;
                            self.later_until = Instant::now() + Duration::from_micros(batch);
                        }
                        self.later.push(id);
                    }
                    Ok(Delivered::Behind) => self.behind.add(id, number),
                    Err(ended) => self.failed.push((id, ended)),
                }
                until_look -= 1;
                if until_look == 0 {
                    // What comes meanwhile is joined with this for all who have not got it yet.
                    until_look = TURN;
                    is_alone &= !self.inbox.is_waiting();
                    self.kit.look();
                }
            }
        }
        while let Some((id, ended)) = self.failed.pop() {
            self.end(id, ended);
        }
        self.tidy_behind();
        put_off
    }

    /// Writes to sockets for which something waits, as many as a turn has.
    fn write_to_those_due(&mut self) {
        if !self.later.is_empty() && Instant::now() >= self.later_until {
            self.soon.extend(self.later.drain(..));
        }
        for _ in 0..TURN {
            let Some(id) = self.soon.pop_front() else {
                break;
            };
            self.write_to(id);
        }
    }

    fn write_to(&mut self, id: SubscriberId) {
        let Some((socket, kit)) = self.open(id) else {
            return;
        };
        let mut written = socket.write_out(kit);
        if socket.is_behind && written.is_ok() {
            // After what waited, which is older and has made room.
            let is_blocked = socket.is_blocked();
            self.catch_up(id);
            if let Some((socket, kit)) = self.open(id)
                && !is_blocked
            {
                written = socket.write_out(kit);
            }
        }
        let Some((socket, _)) = self.open(id) else {
            return;
        };
        match written {
            Ok(false) if socket.has_said_good_bye() => self.read_from(id),
            Ok(false) => {}
            Ok(true) => self.ask_for_page(id),
            Err(ended) => self.end(id, ended),
        }
    }

    fn ask_for_page(&mut self, id: SubscriberId) {
        let topics = self.roll.topics_of(id.slot);
        if let Some((socket, _)) = self.open(id) {
            socket.ask_for_page(topics);
        }
    }

    /// Takes what came by post.
    fn receive(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Attachment(id, attachment) => self.attach(id, *attachment),
            Delivery::Page(id, page) => {
                let Some((socket, kit)) = self.open(id) else {
                    return;
                };
                match socket.add_page(page, kit) {
                    Ok(false) => {}
                    Ok(true) => self.ask_for_page(id),
                    Err(ended) => self.end(id, ended),
                }
            }
            Delivery::Age(id) => {
                if let Some((socket, kit)) = self.open(id) {
                    socket.age_floors(false, kit);
                }
            }
            Delivery::Replayed(id) => {
                if let Some((socket, kit)) = self.open(id) {
                    socket.age_floors(true, kit);
                }
            }
        }
    }

    /// A subscriber's handshake is complete: it has a socket now.
    fn attach(&mut self, id: SubscriberId, attachment: Attachment) {
        let Some(slot) = self.slots.get_mut(id.slot as usize) else {
            return;
        };
        if !matches!(slot, Slot::Joined(serial, _) if *serial == id.serial) {
            return;
        }
        let Slot::Joined(serial, joined) = std::mem::replace(slot, Slot::Free) else {
            return;
        };
        let Attachment {
            endpoint,
            stream,
            early,
            lease,
            pages,
        } = attachment;
        let Joined { outbox, close, .. } = *joined;
        let connection = (stream, endpoint, lease);
        let mut socket = Socket::new(connection, outbox, pages, &mut self.kit);
        let mut begun = self.poll.add(socket.stream(), id).map_err(|error| {
            tracing::warn!(code = "socket_not_watched", %error, "a socket cannot be watched; are there too many?");
            Ended::Lost
        });
        if begun.is_ok() {
            begun = socket.take_in(&early, &mut self.kit);
        }
        if let (Ok(()), Some(reason)) = (begun, close) {
            begun = Err(Ended::Closed(reason));
        }
        socket.due = self.kit.tick + self.kit.pace.ping.min(self.kit.pace.idle);
        self.wheel.put(id, socket.due);
        self.metrics.socket_opened(endpoint.label());
        *slot = Slot::Open(serial, socket);
        match begun {
            Ok(()) => self.write_to(id),
            Err(ended) => self.end(id, ended),
        }
    }

    /// Something happened on a socket.
    fn happened(&mut self, readiness: Readiness) {
        let id = readiness.id;
        if readiness.readable {
            self.read_from(id);
        }
        if readiness.writable {
            self.write_to(id);
        }
    }

    fn read_from(&mut self, id: SubscriberId) {
        let Some((socket, kit)) = self.open(id) else {
            return;
        };
        match socket.read_in(kit) {
            Ok(Read::Throttled) if !std::mem::replace(&mut socket.is_throttled, true) => {
                kit.tally.throttled();
                self.throttled.push(id);
            }
            Ok(_) => {}
            Err(ended) => self.end(id, ended),
        }
    }

    /// Does what is a matter of time.
    fn keep_time(&mut self) {
        for id in std::mem::take(&mut self.throttled) {
            if let Some((socket, _)) = self.open(id) {
                socket.is_throttled = false;
                self.read_from(id);
            }
        }
        let mut due = Vec::new();
        self.wheel.turn(self.kit.tick, &mut due);
        for id in due {
            let tick = self.kit.tick;
            let Some((socket, kit)) = self.open(id) else {
                continue;
            };
            if socket.due > tick {
                // The wheel does not reach that far.
                let due = socket.due;
                self.wheel.put(id, due);
                continue;
            }
            match socket.keep_time(kit) {
                Ok(next) => {
                    socket.due = next;
                    self.wheel.put(id, next);
                }
                Err(ended) => self.end(id, ended),
            }
        }
    }
}
