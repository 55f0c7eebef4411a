//! `?since=`: what changed while the client was away, before what changes now.

use std::sync::Arc;

use crate::event::{Cursor, Frame, Timestamp};
use crate::hub::{Source, SourceError, Subscriber};

/// How far back a client may ask.
const MOST_S: i64 = 24 * 60 * 60;

/// Clocks differ, and a change is stamped a moment before it is committed.
const MARGIN_S: i64 = 10;

/// The replay of one socket, a page at a time: the next one is read when the last one is written,
/// so that thousands of clients that return together cost a page each.
pub struct Replay {
    source: Arc<dyn Source>,
    /// Where the next page begins; `None` when there is none.
    cursor: Option<Cursor>,
    /// The source's passes when the outbox's floors were aged last. Two later, whatever is older
    /// than what was sent by then has come.
    aged_at: u64,
    /// How often the floors are still to be aged until none is left.
    ages_left: u8,
}

impl Replay {
    /// A replay from `since` on, if the client asked for one.
    #[must_use]
    pub fn new(source: Arc<dyn Source>, since: Option<Timestamp>) -> Self {
        let cursor = since.map(|since| {
            let oldest = Timestamp::now().plus_seconds(-MOST_S);
            Cursor::begin(since.plus_seconds(-MARGIN_S).max(oldest))
        });
        Self {
            aged_at: source.passes(),
            source,
            cursor,
            ages_left: 0,
        }
    }

    /// Whether a page is to be sent before what waits in the outbox.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.cursor.is_some()
    }

    /// The next page, to be written ahead of what waits in the outbox. Events as old as what it
    /// holds are not delivered after it.
    pub async fn next_page(&mut self, subscriber: &Subscriber) -> Result<Vec<Frame>, SourceError> {
        let Some(cursor) = self.cursor else {
            return Ok(Vec::new());
        };
        // The topics of now: an organization lost meanwhile is not replayed.
        let (page, next) = self.source.replay(&subscriber.topics(), cursor).await?;
        self.cursor = next;
        self.settle(subscriber);
        self.ages_left = 2;
        let versions = page
            .iter()
            .map(|snapshot| (snapshot.subject, snapshot.version));
        subscriber.outbox().raise_floors(versions);
        Ok(page.into_iter().map(|snapshot| snapshot.frame).collect())
    }

    /// Lets the outbox forget what was sent long enough ago that nothing older can come any more.
    pub fn settle(&mut self, subscriber: &Subscriber) {
        let passes = self.source.passes();
        if self.ages_left > 0 && passes >= self.aged_at + 2 {
            subscriber.outbox().age_floors();
            self.aged_at = passes;
            self.ages_left -= 1;
        }
    }
}
