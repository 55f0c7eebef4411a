//! A place in a shard: free, kept for one whose handshake is not complete yet, or an open socket's.

use super::kit::Kit;
use super::socket::Socket;
use crate::hub::{CloseReason, Outbox, Publication, SubscriberId};

/// A place for a subscriber.
pub enum Slot {
    Free,
    /// The handshake is not complete yet.
    Joined(u32, Box<Joined>),
    Open(u32, Socket),
}

/// What has come for a subscriber that has no socket yet.
pub struct Joined {
    pub outbox: Outbox,
    pub publication: u64,
    pub close: Option<CloseReason>,
}

impl Joined {
    /// For whom nothing has come, and of whose snapshots so many bytes may wait.
    pub fn new(outbox_bytes: usize) -> Self {
        Self {
            outbox: Outbox::new(outbox_bytes),
            publication: 0,
            close: None,
        }
    }

    pub fn push(&mut self, number: u64, publication: &Publication, kit: &mut Kit) {
        self.publication = number;
        if self.close.is_none() {
            let pushed = self.outbox.push(&publication.snapshot);
            if kit.tally.pushed(pushed).is_err() {
                self.close = Some(CloseReason::TooSlow);
            }
        }
    }
}

/// The bytes that each of these has waiting; `None` for who has no socket here.
pub fn weigh(slots: &[Slot], ids: &[SubscriberId]) -> Vec<Option<u64>> {
    let weigh = |id: &SubscriberId| match slots.get(id.slot as usize)? {
        Slot::Open(serial, socket) if *serial == id.serial => Some(socket.waiting_bytes()),
        _ => None,
    };
    ids.iter().map(weigh).collect()
}
