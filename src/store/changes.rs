//! The log: committed moves in an order that misses nothing, for the tail; by time, for `?since=`;
//! and the hints that tell of them at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;
use tokio::time::timeout;
use uuid::Uuid;

use super::db::{Db, on_pool};
use super::location::{COLUMNS, LocationRow};
use super::{Scope, Store, StoreError};
use crate::event::{
    Cursor, LocationId, LocationMoved, LocationType, OrganizationId, Point, Timestamp,
};

/// The channel of PostgreSQL's NOTIFY.
pub(super) const CHANNEL: &str = "fleetwire";

/// PostgreSQL carries payloads of less than 8,000 bytes.
const PAYLOAD: usize = 7900;

/// What begins a marker: hints begin with a brace.
const MARKER: &str = "marker ";

/// Hints that have not come by then are taken for lost.
const SETTLE: Duration = Duration::from_millis(200);

/// Clocks of nodes differ, and a move is stamped a moment before it is committed.
const UNTIL_MARGIN_S: i64 = 10;

/// How far the tail has read: everything committed before it has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position(i64);

/// A committed change of a location: what is needed to tell whether it is news.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Change {
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

/// Whose moves `?since=` asks for.
#[derive(Clone, Debug)]
pub enum SinceScope {
    /// One location's last move.
    Location(LocationId),
    /// The last moves that counted for the fleet, of these organizations (`None`: of all).
    Fleet(Option<BTreeSet<OrganizationId>>),
}

/// A move as NOTIFY carries it.
#[derive(Serialize, Deserialize)]
struct Hint {
    id: LocationId,
    organization: OrganizationId,
    name: String,
    address: String,
    kind: LocationType,
    is_mobile: bool,
    longitude: f64,
    latitude: f64,
    moved_version: i64,
    fleet_version: i64,
}

/// The payload of a move's NOTIFY; empty ("read the tail") for one that is too large.
pub(super) fn hint(moved: &LocationMoved) -> String {
    let hint = Hint {
        id: moved.id,
        organization: moved.organization,
        name: moved.name.clone(),
        address: moved.address.clone(),
        kind: moved.kind,
        is_mobile: moved.is_mobile,
        longitude: moved.geometry.longitude(),
        latitude: moved.geometry.latitude(),
        moved_version: moved.moved_version,
        fleet_version: moved.fleet_version,
    };
    let payload = serde_json::to_string(&hint).unwrap_or_default();
    if payload.len() <= PAYLOAD {
        payload
    } else {
        String::new()
    }
}

/// The move in a payload; `None` where it says "read the tail", or nothing that we understand.
fn moved(payload: &str) -> Option<LocationMoved> {
    let hint: Hint = serde_json::from_str(payload).ok()?;
    Some(LocationMoved {
        geometry: Point::new(hint.longitude, hint.latitude).ok()?,
        id: hint.id,
        organization: hint.organization,
        name: hint.name,
        address: hint.address,
        kind: hint.kind,
        is_mobile: hint.is_mobile,
        moved_version: hint.moved_version,
        fleet_version: hint.fleet_version,
    })
}

/// Markers that went through the channel of hints and came back.
pub(super) struct Settling {
    listening: AtomicBool,
    heard: broadcast::Sender<Uuid>,
}

impl Default for Settling {
    fn default() -> Self {
        Self {
            listening: AtomicBool::new(false),
            heard: broadcast::Sender::new(64),
        }
    }
}

/// Hints of committed moves from PostgreSQL's LISTEN.
pub struct HintListener {
    store: Store,
    listener: PgListener,
}

impl HintListener {
    /// The next hint: a move, or `None` for "read the tail now" (a move too large to carry, or
    /// hints that may have been lost because the connection had to be made anew).
    ///
    /// # Errors
    /// When the connection is gone and cannot be made anew.
    pub async fn next(&mut self) -> Result<Option<LocationMoved>, StoreError> {
        loop {
            let Some(notification) = self.listener.try_recv().await? else {
                return Ok(None);
            };
            let payload = notification.payload();
            match payload.strip_prefix(MARKER) {
                Some(marker) => {
                    // Nobody waits for the markers of other nodes.
                    marker
                        .parse()
                        .map(|marker| self.store.0.settling.heard.send(marker))
                        .ok();
                }
                None => return Ok(moved(payload)),
            }
        }
    }
}

impl Drop for HintListener {
    fn drop(&mut self) {
        self.store
            .0
            .settling
            .listening
            .store(false, Ordering::Relaxed);
    }
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
            Db::Postgres { pool, .. } => sqlx::query_scalar(HORIZON).fetch_one(pool).await?,
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
    ) -> Result<(Vec<Change>, Position), StoreError> {
        // Read before the rows: what it covers is committed by then.
        let next = self.position().await?;
        let sql = match self.db() {
            // A number is taken once the transaction before it is committed: order of commits.
            Db::Sqlite { .. } => format!("{CHANGES} change > $1 ORDER BY change"),
            // Everything below the position has ended; what is at or above it may yet be joined
            // by a transaction that began earlier.
            Db::Postgres { .. } => format!("{CHANGES} change >= $1 ORDER BY change"),
        };
        let changes = on_pool!(self, pool => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(position.0)
                .fetch_all(pool)
                .await?
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
        let until = cursor
            .until
            .unwrap_or_else(|| Timestamp::now().plus_seconds(UNTIL_MARGIN_S));
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

    /// PostgreSQL: opens the stream of hints; `None` on SQLite, where [`Store::on_commit`] tells.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn listen(&self) -> Result<Option<HintListener>, StoreError> {
        let Db::Postgres { listen, .. } = self.db() else {
            return Ok(None);
        };
        let mut listener = PgListener::connect_with(listen).await?;
        listener.listen(CHANNEL).await?;
        self.0.settling.listening.store(true, Ordering::Relaxed);
        Ok(Some(HintListener {
            store: self.clone(),
            listener,
        }))
    }

    /// Returns when every hint of a move committed before this call has been handed over, or when
    /// it is plain that it will not be: so that the tail does not overtake hints on their way.
    pub async fn settle(&self) {
        let settled = async {
            match self.db() {
                // Whoever committed holds the order of writes until the hints are told.
                Db::Sqlite { .. } => drop(self.write_order().lock_owned().await),
                Db::Postgres { pool, .. } => {
                    if self.0.settling.listening.load(Ordering::Relaxed) {
                        self.follow_marker(pool).await;
                    }
                }
            }
        };
        // No answer in time is an answer: the hints before it are lost as well.
        timeout(SETTLE, settled).await.ok();
    }

    /// Sends a marker through the channel of hints and waits for it: notifications come in the order
    /// of commits, so those before it have come as well.
    async fn follow_marker(&self, pool: &sqlx::PgPool) {
        let marker = Uuid::new_v4();
        let mut heard = self.0.settling.heard.subscribe();
        let sent = sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(format!("{MARKER}{marker}"))
            .execute(pool)
            .await;
        if sent.is_ok() {
            while heard.recv().await.is_ok_and(|heard| heard != marker) {}
        }
    }
}

const CHANGES: &str =
    "SELECT id, organization_id, moved_version, fleet_version FROM location WHERE";

/// Everything below this transaction id has ended.
const HORIZON: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
