//! The bounded queue in front of a socket.
//!
//! While there is room every snapshot is queued: one message an update. When the bound is
//! reached, an older unsent snapshot of the same subject gives way to the newer one (conflation),
//! so that the last state always arrives; only when even that does not fit is the socket closed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Mutex;

use tokio::sync::Notify;

use super::{CloseReason, Snapshot, lock};
use crate::event::{Frame, SubjectId};

/// What became of a pushed snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits to be written.
    Queued,
    /// It took the place of older unsent snapshots.
    Conflated,
    /// It did not fit: the socket is to be closed.
    Overflowed,
    /// It was there already, or the socket is closing.
    Ignored,
}

/// The frames that wait for one socket, and whether it is to be closed.
pub struct Outbox {
    // A std lock: pushing and taking are a few memory operations, never across an await.
    queue: Mutex<Queue>,
    /// Wakes the socket's writer.
    ready: Notify,
}

/// The version of each subject that was sent.
type Floors = HashMap<SubjectId, i64>;

fn is_below(floors: &Floors, snapshot: &Snapshot) -> bool {
    floors
        .get(&snapshot.subject)
        .is_some_and(|floor| snapshot.version <= *floor)
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Snapshot>,
    /// Bytes of `waiting`.
    bytes: usize,
    /// The most that `bytes` may be beyond the largest frame that waits.
    limit: usize,
    /// The snapshot pushed last: an event that reaches the socket on two topics comes twice in a
    /// row.
    last: Option<(SubjectId, i64)>,
    /// Snapshots that a replay has sent already, older ones of which may still be on their way.
    floors: Floors,
    /// Those raised before the floors were aged last.
    old_floors: Floors,
    close: Option<CloseReason>,
}

impl Outbox {
    /// An empty outbox that queues up to `limit` bytes beyond one frame.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            queue: Mutex::new(Queue {
                limit,
                ..Queue::default()
            }),
            ready: Notify::new(),
        }
    }

    /// Queues a snapshot; never waits.
    pub fn push(&self, snapshot: &Snapshot) -> Pushed {
        let pushed = lock(&self.queue).push(snapshot);
        if pushed != Pushed::Ignored {
            self.ready.notify_one();
        }
        pushed
    }

    /// Asks for the socket to be closed; the first reason stays.
    pub fn close(&self, reason: CloseReason) {
        lock(&self.queue).close.get_or_insert(reason);
        self.ready.notify_one();
    }

    /// Why the socket is to be closed, if it is.
    #[must_use]
    pub fn closing(&self) -> Option<CloseReason> {
        lock(&self.queue).close
    }

    /// Returns when something may have been pushed or the close was asked for since the last call.
    pub async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Returns when the socket is to be closed. (Whoever waits here must look for frames
    /// afterwards, as with [`Outbox::ready`].)
    pub async fn closed(&self) -> CloseReason {
        loop {
            if let Some(reason) = self.closing() {
                return reason;
            }
            self.ready().await;
        }
    }

    /// Takes frames in order, at least one if any waits and no more than `most` bytes otherwise.
    /// What is taken is the writer's: it is never conflated.
    #[must_use]
    pub fn take(&self, most: usize) -> Vec<Frame> {
        lock(&self.queue).take(most)
    }

    /// Makes way for snapshots that the caller is about to send itself, ahead of all that waits:
    /// of their subjects, nothing as old is delivered any more until [`Outbox::age_floors`] was
    /// called twice.
    pub fn raise_floors(&self, sent: impl IntoIterator<Item = (SubjectId, i64)>) {
        let mut queue = lock(&self.queue);
        queue.floors.extend(sent);
        let Queue {
            waiting, floors, ..
        } = &mut *queue;
        waiting.retain(|old| !is_below(floors, old));
        queue.bytes = queue.waiting.iter().map(|old| old.frame.size()).sum();
    }

    /// Forgets the floors that were raised before the last call; those raised since stay until
    /// the next one. Called so rarely that whatever is older than a floor has come meanwhile.
    pub fn age_floors(&self) {
        let mut queue = lock(&self.queue);
        queue.old_floors = std::mem::take(&mut queue.floors);
    }
}

impl Queue {
    fn push(&mut self, snapshot: &Snapshot) -> Pushed {
        let key = (snapshot.subject, snapshot.version);
        if self.close.is_some()
            || self.last == Some(key)
            || is_below(&self.floors, snapshot)
            || is_below(&self.old_floors, snapshot)
        {
            return Pushed::Ignored;
        }
        self.last = Some(key);
        if self.fits(snapshot) {
            self.append(snapshot);
            return Pushed::Queued;
        }
        if self.replace(snapshot) {
            return Pushed::Conflated;
        }
        self.compact(snapshot.subject);
        if self.fits(snapshot) {
            self.append(snapshot);
            return Pushed::Conflated;
        }
        self.close = Some(CloseReason::TooSlow);
        Pushed::Overflowed
    }

    fn fits(&self, snapshot: &Snapshot) -> bool {
        let size = snapshot.frame.size();
        self.is_within(self.bytes + size, size)
    }

    /// Whether that many bytes may wait, a frame of `size` among them. One frame, the largest, is
    /// always admitted: it does not count.
    fn is_within(&self, bytes: usize, size: usize) -> bool {
        // Sizes are looked through only at the bound.
        bytes <= self.limit || {
            let waiting = self.waiting.iter().map(|waiting| waiting.frame.size());
            bytes - waiting.fold(size, usize::max) <= self.limit
        }
    }

    fn append(&mut self, snapshot: &Snapshot) {
        self.bytes += snapshot.frame.size();
        self.waiting.push_back(snapshot.clone());
    }

    /// Puts the snapshot where the newest waiting one of its subject is, if the bytes allow it.
    /// The newest one's place, so that no older snapshot of the subject comes after it.
    fn replace(&mut self, snapshot: &Snapshot) -> bool {
        let newest = self
            .waiting
            .iter()
            .rposition(|waiting| waiting.subject == snapshot.subject);
        let Some(newest) = newest else { return false };
        let size = snapshot.frame.size();
        let older = std::mem::replace(&mut self.waiting[newest], snapshot.clone());
        let bytes = self.bytes - older.frame.size() + size;
        if self.is_within(bytes, size) {
            self.bytes = bytes;
            return true;
        }
        self.waiting[newest] = older;
        false
    }

    /// Keeps only the newest snapshot of each subject, and none of `incoming`.
    fn compact(&mut self, incoming: SubjectId) {
        let mut newest = HashSet::from([incoming]);
        let mut kept = VecDeque::new();
        for snapshot in self.waiting.drain(..).rev() {
            if newest.insert(snapshot.subject) {
                kept.push_front(snapshot);
            }
        }
        self.bytes = kept.iter().map(|snapshot| snapshot.frame.size()).sum();
        self.waiting = kept;
    }

    fn take(&mut self, most: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut taken = 0;
        while let Some(next) = self.waiting.front() {
            taken += next.frame.size();
            if taken > most && !frames.is_empty() {
                break;
            }
            frames.extend(self.waiting.pop_front().map(|snapshot| snapshot.frame));
        }
        if self.waiting.is_empty() {
            // An idle socket keeps no memory of the burst that went through it.
            self.waiting = VecDeque::new();
            self.bytes = 0;
        } else {
            self.bytes -= frames.iter().map(Frame::size).sum::<usize>();
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::LocationId;

    fn snapshot(subject: SubjectId, version: i64, size: usize) -> Snapshot {
        let text = format!("{version:0width$}", width = size - 2);
        Snapshot {
            subject,
            version,
            frame: Frame::text(&text),
        }
    }

    fn subject() -> SubjectId {
        LocationId::random().into()
    }

    /// The versions in the frames, in order.
    fn versions(outbox: &Outbox) -> Vec<i64> {
        outbox
            .take(usize::MAX)
            .iter()
            .map(|frame| {
                let text = std::str::from_utf8(&frame.bytes()[2..]).unwrap();
                text.parse().unwrap()
            })
            .collect()
    }

    #[test]
    fn while_there_is_room_every_update_is_queued() {
        let (outbox, bus) = (Outbox::new(100), subject());
        for version in 1..=5 {
            assert_eq!(outbox.push(&snapshot(bus, version, 20)), Pushed::Queued);
        }
        assert_eq!(versions(&outbox), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn one_frame_is_always_admitted_however_large() {
        let (outbox, bus) = (Outbox::new(10), subject());
        assert_eq!(outbox.push(&snapshot(bus, 1, 100)), Pushed::Queued);
        assert_eq!(versions(&outbox), [1]);
    }

    #[test]
    fn the_largest_frame_leaves_others_their_room() {
        for (first, second) in [(100, 10), (10, 100)] {
            let (outbox, bus, tram) = (Outbox::new(10), subject(), subject());
            assert_eq!(outbox.push(&snapshot(bus, 1, first)), Pushed::Queued);
            assert_eq!(outbox.push(&snapshot(tram, 2, second)), Pushed::Queued);
            let both = outbox.push(&snapshot(subject(), 3, 10));
            assert_eq!(
                both,
                Pushed::Overflowed,
                "one frame, and 10 bytes beyond it"
            );
        }
    }

    #[test]
    fn beside_the_largest_frame_the_newest_state_of_another_subject_is_kept() {
        let (outbox, log, bus) = (Outbox::new(30), subject(), subject());
        outbox.push(&snapshot(log, 1, 100));
        for version in 2..=9 {
            assert_ne!(outbox.push(&snapshot(bus, version, 20)), Pushed::Overflowed);
            assert_ne!(
                outbox.push(&snapshot(log, version, 100)),
                Pushed::Overflowed
            );
        }
        assert_eq!(versions(&outbox), [9, 9]);
    }

    #[test]
    fn at_the_bound_a_newer_snapshot_replaces_the_older_of_its_subject() {
        let (outbox, bus, tram) = (Outbox::new(40), subject(), subject());
        outbox.push(&snapshot(bus, 1, 20));
        outbox.push(&snapshot(tram, 2, 20));
        outbox.push(&snapshot(bus, 3, 20));
        assert_eq!(outbox.push(&snapshot(bus, 4, 20)), Pushed::Conflated);
        assert_eq!(versions(&outbox), [1, 2, 4]);
    }

    #[test]
    fn at_the_bound_other_subjects_give_up_their_older_snapshots_too() {
        let (outbox, bus, tram) = (Outbox::new(40), subject(), subject());
        for version in 1..=3 {
            outbox.push(&snapshot(bus, version, 20));
        }
        assert_eq!(outbox.push(&snapshot(tram, 9, 20)), Pushed::Conflated);
        assert_eq!(versions(&outbox), [3, 9]);
    }

    #[test]
    fn a_larger_snapshot_still_replaces_all_older_ones_of_its_subject() {
        let (outbox, bus) = (Outbox::new(40), subject());
        for (version, size) in [(1, 30), (2, 20), (3, 20)] {
            outbox.push(&snapshot(bus, version, size));
        }
        assert_eq!(outbox.push(&snapshot(bus, 4, 60)), Pushed::Conflated);
        assert_eq!(versions(&outbox), [4]);
    }

    #[test]
    fn closes_only_when_even_the_newest_of_each_subject_does_not_fit() {
        let outbox = Outbox::new(40);
        for version in 1..=3 {
            outbox.push(&snapshot(subject(), version, 20));
        }
        assert_eq!(outbox.push(&snapshot(subject(), 4, 20)), Pushed::Overflowed);
        assert_eq!(outbox.closing(), Some(CloseReason::TooSlow));
    }

    #[test]
    fn what_was_taken_for_writing_is_not_conflated() {
        let (outbox, bus) = (Outbox::new(10), subject());
        outbox.push(&snapshot(bus, 1, 20));
        let writing = outbox.take(usize::MAX);
        outbox.push(&snapshot(bus, 2, 20));
        outbox.push(&snapshot(bus, 3, 20));
        assert_eq!(writing.len(), 1);
        assert_eq!(versions(&outbox), [3]);
    }

    #[test]
    fn taking_stops_at_the_asked_bytes_but_never_at_nothing() {
        let (outbox, bus) = (Outbox::new(1000), subject());
        for version in 1..=4 {
            outbox.push(&snapshot(bus, version, 20));
        }
        assert_eq!(outbox.take(45).len(), 2);
        assert_eq!(outbox.take(1).len(), 1);
        assert_eq!(versions(&outbox), [4]);
    }

    #[test]
    fn after_a_replay_nothing_older_is_delivered() {
        let (outbox, bus, tram) = (Outbox::new(1000), subject(), subject());
        outbox.push(&snapshot(bus, 4, 20));
        outbox.push(&snapshot(tram, 7, 20));
        outbox.raise_floors([(bus, 5)]);
        assert_eq!(outbox.push(&snapshot(bus, 5, 20)), Pushed::Ignored);
        assert_eq!(outbox.push(&snapshot(bus, 6, 20)), Pushed::Queued);
        assert_eq!(versions(&outbox), [7, 6]);
    }

    #[test]
    fn floors_last_until_they_were_aged_twice() {
        let (outbox, bus) = (Outbox::new(1000), subject());
        outbox.raise_floors([(bus, 5)]);
        outbox.age_floors();
        assert_eq!(outbox.push(&snapshot(bus, 4, 20)), Pushed::Ignored);
        outbox.age_floors();
        assert_eq!(outbox.push(&snapshot(bus, 4, 20)), Pushed::Queued);
    }

    #[tokio::test]
    async fn closing_wakes_the_writer() {
        let outbox = Outbox::new(10);
        outbox.close(CloseReason::Draining);
        outbox.close(CloseReason::AccessLost);
        outbox.ready().await;
        assert_eq!(outbox.closing(), Some(CloseReason::Draining));
    }
}
