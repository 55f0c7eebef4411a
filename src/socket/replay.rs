//! `?since=`: what changed while the client was away, before what changes now.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::shard::post::{Delivery, Page, Post};
use crate::event::{Cursor, Timestamp, Topic};
use crate::hub::{CloseReason, Source, Subscriber};

/// How far back a client may ask.
const MOST_S: i64 = 24 * 60 * 60;

/// Clocks differ, and a change is stamped a moment before it is committed.
const MARGIN_S: i64 = 10;

/// Between two looks whether the floors can be forgotten.
const LOOK: Duration = Duration::from_millis(250);

/// The replay of one socket, a page at a time: the next one is read when the last one is written,
/// so that thousands of clients that return together cost a page each.
pub struct Replay {
    source: Arc<dyn Source>,
    subscriber: Subscriber,
    post: Arc<Post>,
    /// Where the next page begins.
    cursor: Cursor,
    /// The source's passes when the outbox's floors were aged last. Two later, whatever is older
    /// than what was sent by then has come.
    aged_at: u64,
}

impl Replay {
    /// A replay for `subscriber` from `since` on.
    #[must_use]
    pub fn new(
        source: Arc<dyn Source>,
        since: Timestamp,
        subscriber: Subscriber,
        post: Arc<Post>,
    ) -> Self {
        let oldest = source.now().plus_seconds(-MOST_S);
        Self {
            aged_at: source.passes(),
            source,
            subscriber,
            post,
            cursor: Cursor::begin(since.plus_seconds(-MARGIN_S).max(oldest)),
        }
    }

    /// Reads the pages that the shard asks for, until the last one or the end of the socket.
    pub async fn run(mut self, mut asked: Receiver<Vec<Topic>>) {
        while let Some(topics) = asked.recv().await {
            match self.source.replay(&topics, self.cursor).await {
                Ok((snapshots, next)) => {
                    let versions = snapshots.iter().map(|it| (it.subject, it.version));
                    let page = Page {
                        versions: versions.collect(),
                        frames: snapshots.into_iter().map(|it| it.frame).collect(),
                        ages: self.may_age(),
                        is_last: next.is_none(),
                    };
                    self.post.send(Delivery::Page(self.subscriber.id(), page));
                    match next {
                        Some(next) => self.cursor = next,
                        None => return self.settle(asked).await,
                    }
                }
                Err(error) => {
                    tracing::warn!(code = "replay_broken_off", %error, "a replay was broken off");
                    self.subscriber.close(CloseReason::Unavailable);
                    return;
                }
            }
        }
    }

    fn may_age(&mut self) -> bool {
        let passes = self.source.passes();
        let may = passes >= self.aged_at + 2;
        if may {
            self.aged_at = passes;
        }
        may
    }

    /// Lets the outbox forget what was sent long enough ago that nothing older can come any more.
    async fn settle(mut self, mut asked: Receiver<Vec<Topic>>) {
        let id = self.subscriber.id();
        self.aged_at = self.source.passes();
        for last in [Delivery::Age(id), Delivery::Replayed(id)] {
            while !self.may_age() {
                // It asks for nothing any more: an answer means that the socket has ended.
                if timeout(LOOK, asked.recv()).await.is_ok() {
                    return;
                }
            }
            self.post.send(last);
        }
    }
}
