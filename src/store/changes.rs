//! The log: committed updates in an order that misses nothing, for the tail; by time, for
//! `?since=`.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::db::{Db, on_pool};
use super::location::{COLUMNS, LocationRow};
use super::{Scope, Store, StoreError};
use crate::access::Resource;
use crate::event::{
    CommandId, Cursor, DeviceId, LocationId, LocationMoved, OrganizationId, Timestamp, Topic,
};

/// Clocks of nodes differ, and a move is stamped a moment before it is committed.
const UNTIL_MARGIN_S: i64 = 10;

/// How far the tail has read: everything committed before it has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position(i64);

impl Position {
    /// As a number, which never falls: what is stamped with a lower one has been seen.
    #[must_use]
    pub fn number(self) -> i64 {
        self.0
    }
}

/// Committed changes: what is needed to tell whether they are news.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Locations that were updated.
    pub locations: Vec<ChangedLocation>,
    /// Commands that were updated after their creation.
    pub commands: Vec<ChangedCommand>,
}

/// A location that was updated.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct ChangedLocation {
    /// The location.
    pub id: LocationId,
    /// Whose it is.
    #[sqlx(rename = "organization_id")]
    pub organization: OrganizationId,
    /// The row's version at its last move.
    pub moved_version: i64,
    /// The row's version at its last move that counts for the fleet.
    pub fleet_version: i64,
}

/// A command that was updated.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct ChangedCommand {
    /// The command.
    pub id: CommandId,
    /// What it runs on.
    #[sqlx(rename = "device_id")]
    pub device: DeviceId,
    /// The row's version.
    pub version: i64,
}

/// Whose moves `?since=` asks for.
#[derive(Clone, Debug)]
pub enum SinceScope {
    /// One location's last move.
    Location(LocationId),
    /// The last moves that counted for the fleet, of these organizations (`None`: of all).
    Fleet(Option<BTreeSet<OrganizationId>>),
}

impl Store {
    /// Where the tail stands now: what is committed later comes after it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn position(&self) -> Result<Position, StoreError> {
        let position = match self.db() {
            Db::Sqlite { read, .. } => {
                sqlx::query_scalar("SELECT value FROM change_sequence")
                    .fetch_one(read)
                    .await?
            }
            Db::Postgres { pool, .. } => {
                let asked = Instant::now();
                let (horizon, clock) = sqlx::query_as(HORIZON).fetch_one(pool).await?;
                self.set_clock(asked, clock);
                horizon
            }
        };
        Ok(Position(position))
    }

    /// All committed changes after `position`, and the position from which to read on. Where an
    /// earlier transaction is still open that position is before it, so some changes are read
    /// again; none is ever skipped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn changes_after(
        &self,
        position: Position,
    ) -> Result<(Changes, Position), StoreError> {
        // Read before the rows: what it covers is committed by then.
        let next = self.position().await?;
        let after = match self.db() {
            // A number is taken once the transaction before it is committed: order of commits.
            Db::Sqlite { .. } => "change > $1 ORDER BY change",
            // Everything below the position has ended; what is at or above it may yet be joined
            // by a transaction that began earlier.
            Db::Postgres { .. } => "change >= $1 ORDER BY change",
        };
        let (locations, commands) = (
            format!("{LOCATIONS} {after}"),
            format!("{COMMANDS} {after}"),
        );
        let changes = on_pool!(self, pool => Changes {
            locations: sqlx::query_as(AssertSqlSafe(locations))
                .bind(position.0)
                .fetch_all(pool)
                .await?,
            commands: sqlx::query_as(AssertSqlSafe(commands))
                .bind(position.0)
                .fetch_all(pool)
                .await?,
        });
        Ok((changes, next))
    }

    /// The present state of these locations, as last moved; those without geometry, or gone, are
    /// absent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn moves_of(&self, ids: &[LocationId]) -> Result<Vec<LocationMoved>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let select = format!("SELECT {COLUMNS} FROM location WHERE id");
        let rows: Vec<LocationRow> = self.for_ids(&select, None, &ids).await?;
        Ok(rows.iter().filter_map(LocationRow::moved).collect())
    }

    /// A page of at most `most` present states of what moved from `cursor` on, oldest move first,
    /// and the cursor of the next page, `None` after the last. What moves after `cursor.until` is
    /// left out; a first page sets it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn moves_since(
        &self,
        scope: &SinceScope,
        cursor: Cursor,
        most: u32,
    ) -> Result<(Vec<LocationMoved>, Option<Cursor>), StoreError> {
        let until = self.until(cursor);
        let (moment, tenancy, what) = match scope {
            SinceScope::Location(id) => ("moved", Scope::All, Some(*id)),
            SinceScope::Fleet(None) => ("fleet_moved", Scope::All, None),
            SinceScope::Fleet(Some(organizations)) => (
                "fleet_moved",
                Scope::Organizations(organizations.clone()),
                None,
            ),
        };
        let in_scope = tenancy.condition(self.db(), "organization_id");
        let sql = format!(
            "SELECT {COLUMNS} FROM location WHERE {in_scope} AND longitude IS NOT NULL
                 AND ($2 IS NULL OR id = $2) AND ({moment}, id) > ($3, $4) AND {moment} <= $5
             ORDER BY {moment}, id LIMIT $6"
        );
        macro_rules! page {
            ($scope:expr, $pool:expr) => {
                sqlx::query_as(AssertSqlSafe(sql))
                    .bind($scope)
                    .bind(what)
                    .bind(cursor.changed)
                    .bind(cursor.id)
                    .bind(until)
                    .bind(i64::from(most))
                    .fetch_all($pool)
                    .await?
            };
        }
        let rows: Vec<LocationRow> = match self.db() {
            Db::Sqlite { read, .. } => page!(super::db::ids(&tenancy.ids()), read),
            Db::Postgres { pool, .. } => page!(tenancy.ids(), pool),
        };
        let last = rows.last().filter(|_| rows.len() == most as usize);
        let next = last.map(|row| Cursor {
            changed: if moment == "moved" {
                row.moved
            } else {
                row.fleet_moved
            },
            id: row.id.0,
            until: Some(until),
        });
        Ok((rows.iter().filter_map(LocationRow::moved).collect(), next))
    }

    /// The organizations of what single topics are about: of a device whose commands are watched, or of a
    /// location. What is gone has none, and neither have the topics of a whole fleet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn owners_of(
        &self,
        topics: &[Topic],
    ) -> Result<HashMap<Topic, OrganizationId>, StoreError> {
        let resources: Vec<Resource> = topics
            .iter()
            .filter_map(|topic| match topic {
                Topic::DeviceCommands(id) => Some(Resource::Device(*id)),
                Topic::Location(id) => Some(Resource::Location(*id)),
                Topic::OrgLocations(_) | Topic::AllLocations => None,
            })
            .collect();
        let owners = self.owners(&resources).await?.into_iter();
        Ok(owners
            .map(|(resource, owner)| match resource {
                Resource::Device(id) => (Topic::DeviceCommands(id), owner),
                Resource::Location(id) => (Topic::Location(id), owner),
            })
            .collect())
    }

    /// Where a replay ends: the first page sets it for all.
    pub(super) fn until(&self, cursor: Cursor) -> Timestamp {
        let now = || self.instant().plus_seconds(UNTIL_MARGIN_S);
        cursor.until.unwrap_or_else(now)
    }

    /// SQLite: a number that differs whenever another connection has committed since the last
    /// call (`PRAGMA data_version`); `None` on PostgreSQL, where NOTIFY tells.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn data_version(&self) -> Result<Option<i64>, StoreError> {
        match self.db() {
            Db::Sqlite { watch, .. } => {
                let version = sqlx::query_scalar("PRAGMA data_version")
                    .fetch_one(watch)
                    .await?;
                Ok(Some(version))
            }
            Db::Postgres { .. } => Ok(None),
        }
    }
}

const LOCATIONS: &str =
    "SELECT id, organization_id, moved_version, fleet_version FROM location WHERE";

const COMMANDS: &str = "SELECT id, device_id, version FROM command WHERE";

/// Everything below this transaction id has ended; and what the clock shows.
const HORIZON: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
    CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)";
