//! The log: committed moves in an order that misses nothing, for the tail, and by time, for `?since=`.

use std::collections::BTreeSet;

use super::{Store, StoreError};
use crate::event::{LocationId, LocationMoved, OrganizationId, Timestamp};

/// How far the tail has read: everything committed before it has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position(pub(super) i64);

/// A committed change of a location with a geometry: what is needed to tell whether it is news.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Change {
    pub id: LocationId,
    pub organization: OrganizationId,
    pub moved_version: i64,
    pub fleet_version: i64,
}

/// Whose moves `?since=` asks for.
#[derive(Clone, Debug)]
pub enum SinceScope {
    /// One location's last move.
    Location(LocationId),
    /// The last moves that counted for the fleet, of these organizations (`None`: of all).
    Fleet(Option<BTreeSet<OrganizationId>>),
}

/// Hints of committed moves from the database (PostgreSQL's LISTEN).
pub struct HintListener {}

impl HintListener {
    /// The next hint: a move, or `None` for "read the tail now" (a bare NOTIFY, a move too large to
    /// carry, or hints that may have been lost because the connection had to be made anew).
    pub async fn next(&mut self) -> Result<Option<LocationMoved>, StoreError> { todo!() }
}

impl Store {
    /// Where the tail stands now: what is committed later comes after it.
    pub async fn position(&self) -> Result<Position, StoreError> { todo!() }
    /// All changes after `position` that are certain not to be followed by an earlier one, and the
    /// position behind them.
    pub async fn changes_after(&self, position: Position) -> Result<(Vec<Change>, Position), StoreError> { todo!() }
    /// The present state of these locations, as last moved (those without geometry, or gone, are absent).
    pub async fn moves_of(&self, ids: &[LocationId]) -> Result<Vec<LocationMoved>, StoreError> { todo!() }
    /// The present state of what moved at or after `since`, oldest move first.
    pub async fn moves_since(&self, scope: &SinceScope, since: Timestamp) -> Result<Vec<LocationMoved>, StoreError> { todo!() }
    /// SQLite: a number that differs whenever another connection has committed since the last call
    /// (`PRAGMA data_version`); `None` on PostgreSQL, where NOTIFY tells.
    pub async fn data_version(&self) -> Result<Option<i64>, StoreError> { todo!() }
    /// PostgreSQL: opens the stream of hints; `None` on SQLite, where [`Store::on_commit`] tells.
    pub async fn listen(&self) -> Result<Option<HintListener>, StoreError> { todo!() }
    /// Returns when every hint of a move committed before this call has been handed over, or when it is
    /// plain that it will not be: so that the tail does not overtake hints on their way.
    pub async fn settle(&self) { todo!() }
}
