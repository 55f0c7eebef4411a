//! Sockets that are behind: the kernel takes nothing for them, and their outboxes are at the bound.
//!
//! What is published for such a socket and has no room can only replace what waits for it, and most of it is replaced in
//! turn before the client reads on. So it is put off: kept once for all who are behind, the newest of each subject, and
//! handed to a socket's outbox when its client reads again, soon after something came that had room, or when it was put
//! off for long.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::event::{SubjectId, Topic};
use crate::hub::{Publication, Snapshot, SubscriberId};

/// So many publications may be put off. From half of it on some of those that are behind catch up with each
/// publication, so that all of them have when it is reached: all at once would hold up everybody else.
const WINDOW: usize = 4096;

/// One in so many catches up with each publication where that is more urgent: there is room for what was put off, or
/// more is put off than is to be, which may grow on for so many publications.
const SHARE: usize = 64;

/// What was put off, and for whom.
pub struct Behind {
    /// In the order in which it was published.
    put_off: VecDeque<PutOff>,
    /// The number of the newest of each subject.
    newest: HashMap<SubjectId, u64>,
    /// Bytes of what is in `put_off`.
    bytes: usize,
    most_bytes: usize,
    /// Since which publication who is behind, in that order; those that have caught up meanwhile are in it as well.
    sockets: VecDeque<(u64, SubscriberId)>,
    /// How many are behind.
    count: usize,
}

struct PutOff {
    number: u64,
    /// `None` when a newer one of the same subject went to all of its topics.
    publication: Option<Arc<Publication>>,
}

impl Behind {
    /// Nobody, and room for so many bytes before somebody catches up.
    pub fn new(most_bytes: usize) -> Self {
        Self {
            put_off: VecDeque::new(),
            newest: HashMap::new(),
            bytes: 0,
            most_bytes,
            sockets: VecDeque::new(),
            count: 0,
        }
    }

    /// A socket has fallen behind with the publication of that `number`, which it has got.
    pub fn add(&mut self, id: SubscriberId, number: u64) {
        self.sockets.push_back((number, id));
        self.count += 1;
    }

    /// One is behind no more.
    pub fn remove(&mut self) {
        self.count -= 1;
        if self.count == 0 {
            *self = Self::new(self.most_bytes);
        }
    }

    /// Whether most of those that it knows have caught up.
    pub fn is_cluttered(&self) -> bool {
        self.sockets.len() > 2 * self.count + 64
    }

    /// Forgets who is not behind since then, as `is_behind` knows.
    pub fn tidy(&mut self, is_behind: impl Fn(SubscriberId, u64) -> bool) {
        self.sockets.retain(|(since, id)| is_behind(*id, *since));
    }

    /// Keeps a publication that was put off for somebody, unless they have ended meanwhile. A newer one of the same
    /// subject takes its place unless one of them `has_room` for it.
    pub fn keep(&mut self, number: u64, publication: &Arc<Publication>, has_room: bool) {
        if self.count == 0 {
            return;
        }
        let subject = publication.snapshot.subject;
        let older = if has_room {
            self.newest.remove(&subject)
        } else {
            self.newest.insert(subject, number)
        };
        if let Some(older) = older
            && let Some(index) = self.index_of(older)
        {
            let older = &mut self.put_off[index].publication;
            // Who is on other topics does not get the newer one: the older one stays for them.
            let is_for_all = |it: &Topic| publication.topics.contains(it);
            if let Some(gone) = older.take_if(|it| it.topics.iter().all(is_for_all)) {
                self.bytes -= gone.snapshot.frame.size();
            }
        }
        self.bytes += publication.snapshot.frame.size();
        self.put_off.push_back(PutOff {
            number,
            publication: Some(Arc::clone(publication)),
        });
    }

    fn index_of(&self, number: u64) -> Option<usize> {
        self.put_off
            .binary_search_by_key(&number, |it| it.number)
            .ok()
    }

    /// How many may catch up with a publication when they are to soon.
    pub fn share(&self) -> usize {
        self.count.div_ceil(SHARE)
    }

    /// How many are to catch up now, whoever is behind for the longest first.
    pub fn due(&self) -> usize {
        if self.put_off.len() > WINDOW || self.bytes > self.most_bytes {
            self.share()
        } else if self.put_off.len() > WINDOW / 2 || self.bytes > self.most_bytes / 2 {
            self.count.div_ceil(WINDOW / 2)
        } else {
            0
        }
    }

    /// Publications and bytes that are put off, and how many places it has for those who are behind.
    #[cfg(test)]
    pub fn size(&self) -> (usize, usize, usize) {
        (self.put_off.len(), self.bytes, self.sockets.len())
    }

    /// Who fell behind first of all, and since when; they may have caught up meanwhile.
    pub fn first(&self) -> Option<(SubscriberId, u64)> {
        self.sockets.front().map(|(since, id)| (*id, *since))
    }

    /// Forgets the first.
    pub fn pass_over_first(&mut self) {
        self.sockets.pop_front();
    }

    /// Forgets what is put off for nobody.
    pub fn forget(&mut self) {
        let since = self.sockets.front().map_or(u64::MAX, |(since, _)| *since);
        while let Some(first) = self.put_off.pop_front_if(|it| it.number <= since) {
            if let Some(publication) = first.publication {
                let snapshot = &publication.snapshot;
                self.bytes -= snapshot.frame.size();
                if self.newest.get(&snapshot.subject) == Some(&first.number) {
                    self.newest.remove(&snapshot.subject);
                }
            }
        }
    }

    /// What was put off after the publication of that number for who is on `topics`, which are in order: the newest
    /// of each subject.
    pub fn since(
        &self,
        number: u64,
        topics: &[Topic],
    ) -> impl Iterator<Item = &Arc<Snapshot>> + Clone {
        let begin = self.put_off.partition_point(|it| it.number <= number);
        let publications = self.put_off.range(begin..);
        publications
            .filter_map(|it| it.publication.as_ref())
            .filter(|it| {
                it.topics
                    .iter()
                    .any(|topic| topics.binary_search(topic).is_ok())
            })
            .map(|it| &it.snapshot)
    }
}
