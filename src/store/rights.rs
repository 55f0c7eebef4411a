//! The log of whose rights have changed, which the database itself keeps (triggers of migration 7).

use super::db::Db;
use super::{Store, StoreError};
use crate::access::{Mark, Resource, RightsChanged};
use crate::event::{DeviceId, LocationId, UserId};

type Row = (Option<UserId>, Option<DeviceId>, Option<LocationId>);

/// The number of the last change. Of those in the table the last one may have been cleared away.
const LAST: &str =
    "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'rights_change'), 0)";

const AFTER: &str = "SELECT DISTINCT user_id, device_id, location_id FROM rights_change
     WHERE change > $1 AND change <= $2";

const SNAPSHOT: &str = "SELECT pg_current_snapshot()::text";

/// What is visible now and was not then. A row of a database that was restored here may be of a
/// transaction that is yet to come: of them not even the numbers are read.
const BETWEEN: &str = "SELECT DISTINCT user_id, device_id, location_id FROM rights_change
     WHERE change >= pg_snapshot_xmin($1::pg_snapshot)::text::bigint
         AND change < pg_snapshot_xmax($2::pg_snapshot)::text::bigint
         AND NOT pg_visible_in_snapshot(change::text::xid8, $1::pg_snapshot)
         AND pg_visible_in_snapshot(change::text::xid8, $2::pg_snapshot)";

impl Store {
    /// Whose rights have changed since `mark`: anybody's where there is none, or where the log has been
    /// set back since. A mark is on SQLite the number of the last change, on PostgreSQL a snapshot, as
    /// transactions end there in another order than they begin.
    pub(super) async fn rights_changed_since(
        &self,
        mark: Option<Mark>,
    ) -> Result<RightsChanged, StoreError> {
        let next = self.rights_mark().await?;
        let mark = match mark {
            Some(mark) if end(&mark) <= end(&next) => mark,
            _ => return Ok(RightsChanged::unknown(Some(next))),
        };
        let rows: Vec<Row> = match self.db() {
            Db::Sqlite { .. } if mark == next => Vec::new(),
            Db::Sqlite { read, .. } => {
                let query = sqlx::query_as(AFTER).bind(end(&mark)).bind(end(&next));
                query.fetch_all(read).await?
            }
            Db::Postgres { pool, .. } => {
                let query = sqlx::query_as(BETWEEN).bind(&mark.0).bind(&next.0);
                query.fetch_all(pool).await?
            }
        };
        let mut changed = RightsChanged {
            mark: Some(next),
            ..RightsChanged::default()
        };
        for (user, device, location) in rows {
            if user.is_none() && device.is_none() && location.is_none() {
                changed.all = true;
            }
            changed.users.extend(user);
            changed.resources.extend(device.map(Resource::Device));
            changed.resources.extend(location.map(Resource::Location));
        }
        Ok(changed)
    }

    async fn rights_mark(&self) -> Result<Mark, StoreError> {
        Ok(Mark(match self.db() {
            Db::Sqlite { read, .. } => {
                let last: i64 = sqlx::query_scalar(LAST).fetch_one(read).await?;
                last.to_string()
            }
            Db::Postgres { pool, .. } => sqlx::query_scalar(SNAPSHOT).fetch_one(pool).await?,
        }))
    }
}

/// How far a mark reaches: the number, or of a snapshot (`xmin:xmax:…`) the first transaction that had not
/// begun. `None` is before all numbers.
fn end(mark: &Mark) -> Option<i64> {
    let number = mark.0.split(':').nth(1).unwrap_or(&mark.0);
    number.parse().ok()
}
