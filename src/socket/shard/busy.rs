//! What a socket has while something waits for it, or is out of the ordinary.

use super::ended::Ended;
use super::post::Pages;
use crate::hub::{Outbox, Snapshot};
use crate::socket::writer::Writer;

/// What a socket has while something waits or is unusual.
pub struct Busy {
    pub outbox: Outbox,
    pub writer: Writer,
    pub replay: Replay,
    pub closing: Option<Closing>,
    /// The number of the last publication that it got, if it is [behind](super::behind).
    pub behind_since: Option<u64>,
    /// Whether it is about to catch up, as there was room for something.
    pub catches_up: bool,
    /// The kernel's buffer is full: the kernel tells when there is room.
    pub is_blocked: bool,
    /// The shard comes round to it.
    pub is_queued: bool,
}

/// Where a replay stands.
pub enum Replay {
    None,
    /// A page is to be asked for once all that was taken is written.
    Due(Pages),
    /// A page is being read: what waits comes after it.
    Reading(Pages),
    /// All pages are written; the floors that they raised are not forgotten yet.
    Settling {
        _pages: Pages,
    },
}

/// How far a good-bye is.
#[derive(Clone, Copy)]
pub struct Closing {
    pub ended: Ended,
    /// Whether all was written that was to be.
    pub has_written: bool,
    pub until: u32,
}

impl Busy {
    pub fn new(limit: usize) -> Self {
        Self {
            outbox: Outbox::new(limit),
            writer: Writer::default(),
            replay: Replay::None,
            closing: None,
            behind_since: None,
            catches_up: false,
            is_blocked: false,
            is_queued: false,
        }
    }

    /// Whether what it holds is as if it had just been made.
    pub fn is_idle(&self) -> bool {
        self.outbox.is_idle()
            && self.writer.is_empty()
            && matches!(self.replay, Replay::None)
            && self.closing.is_none()
            && self.behind_since.is_none()
            && !self.is_queued
    }

    /// Whether what follows a `snapshot` that was conflated and has no room is put off: it would be conflated as well.
    pub fn falls_behind(&mut self, snapshot: &Snapshot) -> bool {
        // While floors are aged, what is older than they are must not be put off until they are gone.
        self.is_blocked
            && matches!(self.replay, Replay::None)
            && !self.outbox.has_floors()
            && !self.outbox.has_room_for(snapshot)
    }

    /// Bytes of what waits.
    pub fn waiting_bytes(&self) -> u64 {
        let frames = self.outbox.front(usize::MAX);
        let queued: usize = frames.map(|frame| frame.bytes().len()).sum();
        (queued + self.writer.waiting_bytes()) as u64
    }

    /// Whether what waits has to go on waiting, for the kernel or for a page.
    pub fn is_held(&self) -> bool {
        self.is_blocked || matches!(self.replay, Replay::Reading(_))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Frame, LocationId};
    use crate::hub::Pushed;

    fn snapshot(version: i64) -> Arc<Snapshot> {
        Arc::new(Snapshot {
            subject: LocationId(uuid::Uuid::nil()).into(),
            version,
            frame: Frame::text("{}"),
        })
    }

    #[test]
    fn only_who_is_blocked_and_has_no_replay_falls_behind() {
        let mut busy = Busy::new(1);
        while busy.outbox.push(&snapshot(9)) != Pushed::Conflated {}
        assert!(!busy.falls_behind(&snapshot(9)), "the kernel takes more");
        busy.is_blocked = true;
        assert!(busy.falls_behind(&snapshot(9)));
        let (pages, _asked) = tokio::sync::mpsc::channel(1);
        busy.replay = Replay::Due(pages);
        assert!(!busy.falls_behind(&snapshot(9)), "a replay is to come");
        busy.replay = Replay::None;
        // Of another subject: what waits stays.
        busy.outbox.raise_floors([(LocationId::random().into(), 5)]);
        assert!(
            !busy.falls_behind(&snapshot(9)),
            "something may be held back"
        );
        busy.outbox.age_floors();
        assert!(!busy.falls_behind(&snapshot(9)), "still");
        busy.outbox.age_floors();
        assert!(busy.falls_behind(&snapshot(9)));
    }
}
