//! The bounded queue in front of a socket.
//!
//! While there is room every snapshot is queued: one message an update. When the bound is
//! reached, an older unsent snapshot of the same subject gives way to the newer one (conflation),
//! so that the last state always arrives; only when even that does not fit is the socket closed.

mod sizes;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use self::sizes::Sizes;
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

/// Snapshots: what a busy fleet brings between two times that a socket is written to.
const SMALL: usize = 256;

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
    /// Shared with all other outboxes: what waits in many takes little memory in each.
    waiting: VecDeque<Arc<Snapshot>>,
    /// Of `waiting`.
    sizes: Sizes,
    /// Where the newest waiting snapshot of each subject is; kept only while the bound is reached.
    newest: Option<Newest>,
    /// The most bytes that may wait beyond the largest frame.
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
        self.waiting.is_empty() && !self.has_floors()
    }

    /// Whether something that comes may be held back, as a replay has sent it.
    #[must_use]
    pub fn has_floors(&self) -> bool {
        !(self.floors.is_empty() && self.old_floors.is_empty())
    }

    /// Whether a snapshot can be queued without one giving way to it.
    pub fn has_room_for(&mut self, snapshot: &Snapshot) -> bool {
        let size = snapshot.frame.size();
        self.is_within(self.sizes.bytes + size, size)
    }

    /// Whether it takes little memory while nothing waits.
    #[must_use]
    pub fn is_small(&self) -> bool {
        self.waiting.capacity() <= SMALL
    }

    /// Queues a snapshot.
    pub fn push(&mut self, snapshot: &Arc<Snapshot>) -> Pushed {
        if is_below(&self.floors, snapshot) || is_below(&self.old_floors, snapshot) {
            return Pushed::Ignored;
        }
        if self.has_room_for(snapshot) {
            self.append(snapshot);
            return Pushed::Queued;
        }
        if self.replace(snapshot) {
            return Pushed::Conflated;
        }
        self.compact(snapshot.subject);
        if self.has_room_for(snapshot) {
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
        self.drain(count).map(|snapshot| snapshot.frame.clone())
    }

    /// Forgets so many frames at the front, which are written.
    pub fn forget(&mut self, count: usize) {
        self.drain(count).for_each(drop);
    }

    fn drain(&mut self, count: usize) -> impl Iterator<Item = Arc<Snapshot>> {
        for taken in self.waiting.iter().take(count) {
            self.sizes.remove(taken.frame.size());
        }
        if self.sizes.bytes < self.limit / 2 {
            self.newest = None;
        } else if let Some(newest) = &mut self.newest {
            newest.gone += count;
        }
        self.waiting.drain(..count)
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
        self.count_anew();
    }

    /// Makes way for snapshots of these subjects, which are newer than all that wait.
    pub fn give_way_to(&mut self, subjects: &HashSet<SubjectId>) {
        self.waiting.retain(|old| !subjects.contains(&old.subject));
        self.count_anew();
    }

    /// Forgets the floors that were raised before the last call; those raised since stay until
    /// the next one. Called so rarely that whatever is older than a floor has come meanwhile.
    pub fn age_floors(&mut self) {
        self.old_floors = std::mem::take(&mut self.floors);
    }

    /// Whether that many bytes may wait, a frame of `size` among them. One frame, the largest, is
    /// always admitted: it does not count.
    fn is_within(&mut self, bytes: usize, size: usize) -> bool {
        // One that gives way to it may be the largest, and is not among the bytes.
        let mut largest = || self.sizes.largest(&self.waiting).max(size);
        bytes <= self.limit || bytes.saturating_sub(largest()) <= self.limit
    }

    fn append(&mut self, snapshot: &Arc<Snapshot>) {
        self.sizes.add(snapshot.frame.size());
        if let Some(newest) = &mut self.newest {
            newest.put(snapshot.subject, self.waiting.len());
            // Those whose snapshots have been taken are still in it.
            if newest.numbers.len() > 2 * self.waiting.len() + 64 {
                self.newest = None;
            }
        }
        self.waiting.push_back(Arc::clone(snapshot));
    }

    /// Puts the snapshot where the newest waiting one of its subject is, if the bytes allow it.
    /// The newest one's place, so that no older snapshot of the subject comes after it.
    fn replace(&mut self, snapshot: &Arc<Snapshot>) -> bool {
        let waiting = &self.waiting;
        let newest = self.newest.get_or_insert_with(|| Newest::of(waiting));
        let Some(place) = newest.place_of(snapshot.subject) else {
            return false;
        };
        let (older, size) = (self.waiting[place].frame.size(), snapshot.frame.size());
        if !self.is_within(self.sizes.bytes - older + size, size) {
            return false;
        }
        self.sizes.remove(older);
        self.sizes.add(size);
        self.waiting[place] = Arc::clone(snapshot);
        true
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
        self.waiting = kept;
        self.count_anew();
    }

    fn count_anew(&mut self) {
        self.sizes = Sizes::default();
        for waiting in &self.waiting {
            self.sizes.add(waiting.frame.size());
        }
        self.newest = None;
    }
}

/// Where the newest waiting snapshot of each subject is, as a number that stays while others are taken
/// from the front.
#[derive(Debug, Default)]
struct Newest {
    numbers: HashMap<SubjectId, usize>,
    /// How many have been taken since the numbers began.
    gone: usize,
}

impl Newest {
    fn of(waiting: &VecDeque<Arc<Snapshot>>) -> Self {
        let mut newest = Self::default();
        for (place, snapshot) in waiting.iter().enumerate() {
            newest.put(snapshot.subject, place);
        }
        newest
    }

    fn put(&mut self, subject: SubjectId, place: usize) {
        self.numbers.insert(subject, self.gone + place);
    }

    fn place_of(&self, subject: SubjectId) -> Option<usize> {
        self.numbers.get(&subject)?.checked_sub(self.gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::LocationId;

    fn snapshot(subject: SubjectId, version: i64, size: usize) -> Arc<Snapshot> {
        let text = format!("{version:0width$}", width = size - 2);
        Arc::new(Snapshot {
            subject,
            version,
            frame: Frame::text(&text),
        })
    }

    fn subject() -> SubjectId {
        LocationId::random().into()
    }

    /// The versions in the frames, in order.
    fn versions(outbox: &Outbox) -> Vec<i64> {
        let text = |frame: &Frame| String::from_utf8(frame.bytes()[2..].to_vec()).unwrap();
        let frames = outbox.front(usize::MAX);
        frames.map(|it| text(it).parse().unwrap()).collect()
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
    fn the_largest_frame_gives_way_to_a_smaller_one_of_its_subject() {
        let (mut outbox, bus, tram) = (Outbox::new(10), subject(), subject());
        outbox.push(&snapshot(bus, 1, 100));
        outbox.push(&snapshot(tram, 2, 10));
        assert_eq!(outbox.push(&snapshot(bus, 3, 10)), Pushed::Conflated);
        assert_eq!(versions(&outbox), [3, 2]);
    }

    #[test]
    fn closes_only_when_even_the_newest_of_each_subject_does_not_fit() {
        let mut outbox = Outbox::new(40);
        for version in 1..=3 {
            outbox.push(&snapshot(subject(), version, 20));
        }
        assert_eq!(outbox.push(&snapshot(subject(), 4, 20)), Pushed::Overflowed);
    }

    /// Compared with a queue that looks through all that waits, as the rules are written.
    #[test]
    fn long_at_the_bound_it_still_does_what_the_rules_say() {
        let subjects: Vec<SubjectId> = (0..40).map(|_| subject()).collect();
        let mut outbox = Outbox::new(1000);
        let mut plain: Vec<(usize, i64, usize)> = Vec::new();
        let mut random = 1_u64;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from((random >> 33) % below).unwrap()
        };
        let within = |plain: &[(usize, i64, usize)]| {
            let sizes = plain.iter().map(|it| it.2);
            sizes.clone().sum::<usize>() - sizes.max().unwrap_or(0) <= 1000
        };
        for version in 0..20_000_i64 {
            let drift = usize::try_from(version / 2000).unwrap();
            let (of, size) = (next(20) + drift, 10 + next(40));
            let pushed = outbox.push(&snapshot(subjects[of], version, size));
            let mut queued = plain.clone();
            queued.push((of, version, size));
            let mut replaced = plain.clone();
            let newest = replaced.iter().rposition(|it| it.0 == of);
            if let Some(newest) = newest {
                replaced[newest] = (of, version, size);
            }
            let expected = if within(&queued) {
                plain = queued;
                Pushed::Queued
            } else if newest.is_some() && within(&replaced) {
                plain = replaced;
                Pushed::Conflated
            } else {
                let is_newest = |at: usize| !queued[at + 1..].iter().any(|it| it.0 == queued[at].0);
                plain = (0..queued.len())
                    .filter(|at| is_newest(*at))
                    .map(|at| queued[at])
                    .collect();
                assert!(within(&plain), "40 subjects fit");
                Pushed::Conflated
            };
            assert_eq!(pushed, expected);
            if next(3) == 0 {
                let count = next(4).min(plain.len());
                assert_eq!(outbox.take(count).count(), count);
                plain.drain(..count);
            }
            if next(500) == 0 {
                plain.clear();
                outbox.take(outbox.front(usize::MAX).count()).for_each(drop);
            }
        }
        let left: Vec<i64> = plain.iter().map(|it| it.1).collect();
        assert_eq!(versions(&outbox), left);
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
