//! The seam through which events come in: the tail of our own database, or OpenWISP's channel
//! layer.

use async_trait::async_trait;

use super::Snapshot;
use crate::event::{Cursor, Timestamp, Topic};

/// The source could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("what changed cannot be read: {0}")]
pub struct SourceError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What hands events to the hub, as a socket sees it.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Prepares for a socket that is about to join `topics`: nothing that is saved from the call on is
    /// missed; what cannot be heard yet is handed to the hub later, as it is in the tables then. What
    /// was saved before the call has been handed to the hub where the database is our own; of
    /// OpenWISP's the socket may still be told.
    async fn attend(&self, topics: &[Topic]);

    /// What the clock shows that changes are stamped by.
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Counts up as the source goes through its log. When it is greater by two than it was, every
    /// event committed by then has been handed to the hub.
    fn passes(&self) -> u64;

    /// A page of the present states of what changed on `topics` from `cursor` on, oldest change
    /// first, and the cursor of the next page, `None` after the last one.
    async fn replay(
        &self,
        topics: &[Topic],
        cursor: Cursor,
    ) -> Result<(Vec<Snapshot>, Option<Cursor>), SourceError>;
}
