//! The bounded queue in front of a socket.
//!
//! While there is room every snapshot is queued: one message an update. When the bound is
//! reached, an older unsent snapshot of the same subject gives way to the newer one (conflation),
//! so that the last state always arrives; only when even that does not fit is the socket closed.

use std::collections::{HashMap, HashSet, VecDeque};

use super::Snapshot;
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
    /// A replay has sent it, or a newer one.
    Ignored,
}

/// The version of each subject that was sent.
type Floors = HashMap<SubjectId, i64>;

fn is_below(floors: &Floors, snapshot: &Snapshot) -> bool {
    floors
        .get(&snapshot.subject)
        .is_some_and(|floor| snapshot.version <= *floor)
}

/// The frames that wait for one socket.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Snapshot>,
    /// Bytes of `waiting`.
    bytes: usize,
    /// The most that `bytes` may be beyond the largest frame that waits.
    limit: usize,
    /// Snapshots that a replay has sent already, older ones of which may still be on their way.
    floors: Floors,
    /// Those raised before the floors were aged last.
    old_floors: Floors,
}

impl Outbox {
    /// An empty outbox that queues up to `limit` bytes beyond one frame.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Whether it can be forgotten: nothing waits, and nothing that comes is to be held back.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.floors.is_empty() && self.old_floors.is_empty()
    }

    /// Queues a snapshot.
    pub fn push(&mut self, snapshot: &Snapshot) -> Pushed {
        if is_below(&self.floors, snapshot) || is_below(&self.old_floors, snapshot) {
            return Pushed::Ignored;
        }
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
        Pushed::Overflowed
    }

    /// The frames at the front, in order: at least one if any waits and no more than `most` bytes
    /// otherwise.
    pub fn front(&self, most: usize) -> impl Iterator<Item = &Frame> {
        let mut taken = 0;
        self.waiting.iter().map_while(move |next| {
            let is_first = taken == 0;
            taken += next.frame.size();
            (is_first || taken <= most).then_some(&next.frame)
        })
    }

    /// Takes so many frames from the front. What is taken is the writer's: it is never conflated.
    pub fn take(&mut self, count: usize) -> impl Iterator<Item = Frame> {
        let taken = self.waiting.iter().take(count);
        self.bytes -= taken.map(|it| it.frame.size()).sum::<usize>();
        self.waiting.drain(..count).map(|snapshot| snapshot.frame)
    }

    /// Makes way for snapshots that the caller is about to send itself, ahead of all that waits:
    /// of their subjects, nothing as old is delivered any more until [`Outbox::age_floors`] was
    /// called twice.
    pub fn raise_floors(&mut self, sent: impl IntoIterator<Item = (SubjectId, i64)>) {
        self.floors.extend(sent);
        let Self {
            waiting, floors, ..
        } = self;
        waiting.retain(|old| !is_below(floors, old));
        self.bytes = self.waiting.iter().map(|old| old.frame.size()).sum();
    }

    /// Forgets the floors that were raised before the last call; those raised since stay until
    /// the next one. Called so rarely that whatever is older than a floor has come meanwhile.
    pub fn age_floors(&mut self) {
        self.old_floors = std::mem::take(&mut self.floors);
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
        let frames = outbox.front(usize::MAX);
        frames
            .map(|frame| {
                let text = std::str::from_utf8(&frame.bytes()[2..]).unwrap();
                text.parse().unwrap()
            })
            .collect()
    }

    #[test]
    fn while_there_is_room_every_update_is_queued() {
        let (mut outbox, bus) = (Outbox::new(100), subject());
        for version in 1..=5 {
            assert_eq!(outbox.push(&snapshot(bus, version, 20)), Pushed::Queued);
        }
        assert_eq!(versions(&outbox), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn one_frame_is_always_admitted_however_large() {
        let (mut outbox, bus) = (Outbox::new(10), subject());
        assert_eq!(outbox.push(&snapshot(bus, 1, 100)), Pushed::Queued);
        assert_eq!(versions(&outbox), [1]);
    }

    #[test]
    fn the_largest_frame_leaves_others_their_room() {
        for (first, second) in [(100, 10), (10, 100)] {
            let (mut outbox, bus, tram) = (Outbox::new(10), subject(), subject());
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
        let (mut outbox, log, bus) = (Outbox::new(30), subject(), subject());
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
        let (mut outbox, bus, tram) = (Outbox::new(40), subject(), subject());
        outbox.push(&snapshot(bus, 1, 20));
        outbox.push(&snapshot(tram, 2, 20));
        outbox.push(&snapshot(bus, 3, 20));
        assert_eq!(outbox.push(&snapshot(bus, 4, 20)), Pushed::Conflated);
        assert_eq!(versions(&outbox), [1, 2, 4]);
    }

    #[test]
    fn at_the_bound_other_subjects_give_up_their_older_snapshots_too() {
        let (mut outbox, bus, tram) = (Outbox::new(40), subject(), subject());
        for version in 1..=3 {
            outbox.push(&snapshot(bus, version, 20));
        }
        assert_eq!(outbox.push(&snapshot(tram, 9, 20)), Pushed::Conflated);
        assert_eq!(versions(&outbox), [3, 9]);
    }

    #[test]
    fn a_larger_snapshot_still_replaces_all_older_ones_of_its_subject() {
        let (mut outbox, bus) = (Outbox::new(40), subject());
        for (version, size) in [(1, 30), (2, 20), (3, 20)] {
            outbox.push(&snapshot(bus, version, size));
        }
        assert_eq!(outbox.push(&snapshot(bus, 4, 60)), Pushed::Conflated);
        assert_eq!(versions(&outbox), [4]);
    }

    #[test]
    fn closes_only_when_even_the_newest_of_each_subject_does_not_fit() {
        let mut outbox = Outbox::new(40);
        for version in 1..=3 {
            outbox.push(&snapshot(subject(), version, 20));
        }
        assert_eq!(outbox.push(&snapshot(subject(), 4, 20)), Pushed::Overflowed);
    }

    #[test]
    fn what_was_taken_for_writing_is_not_conflated() {
        let (mut outbox, bus) = (Outbox::new(10), subject());
        outbox.push(&snapshot(bus, 1, 20));
        let writing: Vec<_> = outbox.take(1).collect();
        outbox.push(&snapshot(bus, 2, 20));
        outbox.push(&snapshot(bus, 3, 20));
        assert_eq!(writing.len(), 1);
        assert_eq!(versions(&outbox), [3]);
    }

    #[test]
    fn taking_stops_at_the_asked_bytes_but_never_at_nothing() {
        let (mut outbox, bus) = (Outbox::new(1000), subject());
        for version in 1..=4 {
            outbox.push(&snapshot(bus, version, 20));
        }
        assert_eq!(outbox.front(45).count(), 2);
        assert_eq!(outbox.front(1).count(), 1);
        assert_eq!(outbox.take(3).count(), 3);
        assert_eq!(versions(&outbox), [4]);
    }

    #[test]
    fn after_a_replay_nothing_older_is_delivered() {
        let (mut outbox, bus, tram) = (Outbox::new(1000), subject(), subject());
        outbox.push(&snapshot(bus, 4, 20));
        outbox.push(&snapshot(tram, 7, 20));
        outbox.raise_floors([(bus, 5)]);
        assert_eq!(outbox.push(&snapshot(bus, 5, 20)), Pushed::Ignored);
        assert_eq!(outbox.push(&snapshot(bus, 6, 20)), Pushed::Queued);
        assert_eq!(versions(&outbox), [7, 6]);
    }

    #[test]
    fn floors_last_until_they_were_aged_twice() {
        let (mut outbox, bus) = (Outbox::new(1000), subject());
        outbox.raise_floors([(bus, 5)]);
        outbox.age_floors();
        assert_eq!(outbox.push(&snapshot(bus, 4, 20)), Pushed::Ignored);
        outbox.age_floors();
        assert_eq!(outbox.push(&snapshot(bus, 4, 20)), Pushed::Queued);
    }
}
