//! How sockets come to their end, and what that leaves behind.

use super::Shard;
use crate::hub::{CloseReason, SubscriberId};
use crate::socket::shard::ended::Ended;
use crate::socket::shard::slot::Slot;

impl Shard {
    pub(super) fn close(&mut self, id: SubscriberId, reason: CloseReason) {
        match self.slots.get_mut(id.slot as usize) {
            Some(Slot::Joined(serial, joined)) if *serial == id.serial => {
                joined.close.get_or_insert(reason);
            }
            Some(Slot::Open(serial, socket))
                if *serial == id.serial && socket.closing().is_none() =>
            {
                self.end(id, Ended::Closed(reason));
            }
            _ => {}
        }
    }

    pub(super) fn close_all(&mut self, reason: CloseReason) {
        let slots = self.slots.iter().enumerate();
        let ids: Vec<SubscriberId> = slots
            .filter_map(|(index, slot)| match slot {
                Slot::Free => None,
                Slot::Joined(serial, _) | Slot::Open(serial, _) => Some(SubscriberId {
                    slot: u32::try_from(index).ok()?,
                    serial: *serial,
                }),
            })
            .collect();
        for id in ids {
            self.close(id, reason);
        }
    }

    /// Ends a socket: with a good-bye if there is somebody to say it to and it is not under way already.
    pub(super) fn end(&mut self, id: SubscriberId, ended: Ended) {
        self.leave_behind(id);
        let Some((socket, kit)) = self.open(id) else {
            return;
        };
        let was_closing = socket.closing();
        let parting = socket.begin_closing(ended, kit);
        if parting.is_ok() {
            let (due, has_said) = (socket.due, socket.has_said_good_bye());
            self.wheel.put(id, due);
            // Nothing is delivered any more.
            self.left.append(&mut self.roll.set(id.slot, &[]));
            if has_said {
                self.read_from(id);
            }
            return;
        }
        let endpoint = socket.endpoint().label();
        let ended = was_closing.or(socket.closing()).unwrap_or(ended);
        self.metrics.socket_closed(endpoint, ended.label());
        tracing::debug!(endpoint, reason = ended.label(), "a socket ended");
        self.free(id);
    }

    pub(super) fn free(&mut self, id: SubscriberId) {
        self.leave_behind(id);
        self.left.append(&mut self.roll.set(id.slot, &[]));
        self.slots[id.slot as usize] = Slot::Free;
        self.freed.push(id.slot);
    }
}
