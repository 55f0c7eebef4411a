//! When sockets that are behind catch up.

use std::sync::Arc;

use super::Shard;
use crate::hub::{Publication, SubscriberId};
use crate::socket::shard::slot::Slot;

impl Shard {
    /// Keeps what was just published for those who are behind, of whom one may have room for it. Some of those catch up who
    /// have, and some of those that are behind for the longest.
    pub(super) fn put_off(&mut self, publication: &Arc<Publication>, has_room: bool) {
        self.behind.keep(self.publications, publication, has_room);
        for _ in 0..self.behind.share() {
            if let Some(id) = self.has_room.pop() {
                self.catch_up(id);
            }
        }
        let mut due = self.behind.due();
        while let Some((id, since)) = self.behind.first() {
            let is_behind = is_behind_since(&self.slots, id, since);
            if is_behind && due == 0 {
                break;
            }
            self.behind.pass_over_first();
            if is_behind {
                due -= 1;
                self.catch_up(id);
            }
        }
        self.behind.forget();
    }

    /// Hands over what was put off for a socket, if it is behind.
    pub(super) fn catch_up(&mut self, id: SubscriberId) {
        let Some((socket, _)) = self.open(id) else {
            return;
        };
        let Some(since) = socket.ends_being_behind() else {
            return;
        };
        let mut topics = self.roll.topics_of(id.slot);
        topics.sort_unstable();
        let caught_up = match &mut self.slots[id.slot as usize] {
            Slot::Open(_, socket) => {
                let put_off = self.behind.since(since, &topics);
                socket.catch_up(put_off, &mut self.kit)
            }
            _ => Ok(()),
        };
        self.behind.remove();
        if let Err(ended) = caught_up {
            self.end(id, ended);
        }
    }

    /// What was put off for a socket is for nobody: it ends.
    pub(super) fn leave_behind(&mut self, id: SubscriberId) {
        if let Some((socket, _)) = self.open(id)
            && socket.ends_being_behind().is_some()
        {
            self.behind.remove();
        }
    }

    /// So that who falls behind often and catches up at once leaves nothing.
    pub(super) fn tidy_behind(&mut self) {
        if self.behind.is_cluttered() {
            let slots = &self.slots;
            self.behind
                .tidy(|id, since| is_behind_since(slots, id, since));
        }
    }
}

fn is_behind_since(slots: &[Slot], id: SubscriberId, since: u64) -> bool {
    match slots.get(id.slot as usize) {
        Some(Slot::Open(serial, socket)) => *serial == id.serial && socket.is_behind_since(since),
        _ => false,
    }
}
