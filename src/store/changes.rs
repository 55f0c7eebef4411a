//! The log: committed updates in an order that misses nothing, for the tail; by time, for
//! `?since=`.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::db::Db;
use super::location::{COLUMNS, LocationRow};
use super::{Scope, Store, StoreError};
use crate::access::Resource;
use crate::event::{
    CommandId, Cursor, DeviceId, LocationId, LocationMoved, OrganizationId, Timestamp, Topic,
};

/// Clocks of nodes differ, and a move is stamped a moment before it is committed.
const UNTIL_MARGIN_S: i64 = 10;

/// How far the tail has read: everything committed before it has been seen. On PostgreSQL it is a snapshot, as
/// transactions end there in another order than they begin.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Position {
    /// The first number that is not over: everything below it has been seen.
    number: i64,
    /// The first number that nobody had by then.
    next: i64,
    /// Those in between that were not over.
    open: Vec<i64>,
}

impl Position {
    /// As a number, which never falls: what is stamped with a lower one has been seen.
    #[must_use]
    pub fn number(&self) -> i64 {
        self.number
    }
}

/// A position of PostgreSQL's, and what the clock shows.
#[derive(sqlx::FromRow)]
struct HorizonRow {
    #[sqlx(flatten)]
    position: Position,
    clock: Timestamp,
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
        match self.db() {
            Db::Sqlite { read, .. } => {
                let query = sqlx::query_scalar("SELECT value + 1 FROM change_sequence");
                let next = query.fetch_one(read).await?;
                Ok(Position {
                    number: next,
                    next,
                    open: Vec::new(),
                })
            }
            Db::Postgres { pool, .. } => {
                let asked = Instant::now();
                let horizon: HorizonRow = sqlx::query_as(HORIZON).fetch_one(pool).await?;
                self.set_clock(asked, horizon.clock);
                Ok(horizon.position)
            }
        }
    }

    /// All committed changes after `position`, and the position from which to read on: none is ever skipped,
    /// and none is read again, however long another transaction stays open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn changes_after(
        &self,
        position: &Position,
    ) -> Result<(Changes, Position), StoreError> {
        // Read before the rows: what it covers is committed by then.
        let next = self.position().await?;
        macro_rules! rows {
            ($select:expr, $after:expr, $pool:expr $(, $bound:expr)*) => {
                sqlx::query_as(AssertSqlSafe(format!("{} {} ORDER BY change", $select, $after)))
                    .bind(position.next)
                    $(.bind($bound))*
                    .fetch_all($pool)
                    .await?
            };
        }
        let changes = match self.db() {
            Db::Sqlite { read, .. } => Changes {
                locations: rows!(LOCATIONS, NUMBERED_AFTER, read),
                commands: rows!(COMMANDS, NUMBERED_AFTER, read),
            },
            Db::Postgres { pool, .. } => Changes {
                locations: rows!(LOCATIONS, ENDED_AFTER, pool, next.next, &position.open),
                commands: rows!(COMMANDS, ENDED_AFTER, pool, next.next, &position.open),
            },
        };
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

/// SQLite: a number is taken once the transaction before it is committed, so this is the order of commits.
const NUMBERED_AFTER: &str = "change >= $1";

/// PostgreSQL: what could not be seen at the position had not begun by then (`$1`), or was open (`$3`). A row of
/// a database that was restored here may be of a transaction that is yet to come here: it is not below `$2`, the
/// first that has not begun.
const ENDED_AFTER: &str = "(change >= $1 AND change < $2 OR change = ANY($3))";

/// Which transactions have ended, and what the clock shows.
const HORIZON: &str = "SELECT pg_snapshot_xmin(present)::text::bigint AS number,
        pg_snapshot_xmax(present)::text::bigint AS next,
        ARRAY(SELECT id::text::bigint FROM pg_snapshot_xip(present) AS id) AS open,
        CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) AS clock
    FROM (SELECT pg_current_snapshot() AS present) AS snapshot";
