//! How far a replay of what was missed has come.

use uuid::Uuid;

use super::Timestamp;

/// Where a replay goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When what was sent last had changed.
    pub changed: Timestamp,
    /// What was sent last: orders what changed in the same microsecond.
    pub id: Uuid,
    /// What changes after this instant comes as events; `None` until the first page was read.
    pub until: Option<Timestamp>,
}

impl Cursor {
    /// The beginning of a replay of everything that changed at or after `since`.
    #[must_use]
    pub fn begin(since: Timestamp) -> Self {
        Self {
            changed: since,
            id: Uuid::nil(),
            until: None,
        }
    }
}
