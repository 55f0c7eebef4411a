//! The log of whose rights have changed, which the database itself keeps (triggers of migration 7).

use sqlx::AssertSqlSafe;

use super::changes::HORIZON;
use super::db::{Db, on_pool};
use super::{Store, StoreError};
use crate::access::{Mark, Resource, RightsChanged};
use crate::event::{DeviceId, LocationId, UserId};

/// The number of the last change. Of those in the table the last one may have been cleared away.
const LAST: &str =
    "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'rights_change'), 0)";

impl Store {
    /// Whose rights have changed since `mark`: anybody's where there is none, or where the log has been
    /// set back since.
    pub(super) async fn rights_changed_since(
        &self,
        mark: Option<Mark>,
    ) -> Result<RightsChanged, StoreError> {
        // Read before the rows: what it covers is committed by then.
        let next = self.rights_mark().await?;
        let Some(mark) = mark.filter(|mark| mark.0 <= next.0) else {
            return Ok(RightsChanged::unknown(Some(next)));
        };
        let after = match self.db() {
            Db::Sqlite { .. } if mark == next => {
                return Ok(RightsChanged {
                    mark: Some(next),
                    ..RightsChanged::default()
                });
            }
            Db::Sqlite { .. } => "change > $1",
            // What is at or above the mark may yet be joined by a transaction that began earlier.
            Db::Postgres { .. } => "change >= $1",
        };
        let sql = format!(
            "SELECT DISTINCT user_id, device_id, location_id FROM rights_change WHERE {after}"
        );
        let rows: Vec<(Option<UserId>, Option<DeviceId>, Option<LocationId>)> = on_pool!(self, pool => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(mark.0).fetch_all(pool).await?
        });
        let mut changed = RightsChanged {
            mark: Some(next),
            ..RightsChanged::default()
        };
        for row in rows {
            match row {
                (None, None, None) => changed.all = true,
                (user, device, location) => {
                    changed.users.extend(user);
                    changed.resources.extend(device.map(Resource::Device));
                    changed.resources.extend(location.map(Resource::Location));
                }
            }
        }
        Ok(changed)
    }

    async fn rights_mark(&self) -> Result<Mark, StoreError> {
        let mark = match self.db() {
            Db::Sqlite { read, .. } => sqlx::query_scalar(LAST).fetch_one(read).await?,
            Db::Postgres { pool, .. } => sqlx::query_scalar(HORIZON).fetch_one(pool).await?,
        };
        Ok(Mark(mark))
    }
}
