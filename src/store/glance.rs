//! A glance at a command: what is asked so often that its output is better left unread.

use super::db::on_pool;
use super::{Store, StoreError};
use crate::event::{CommandId, CommandStatus, DeviceId};

impl Store {
    /// How often a command was updated so far, and where it stands; `None` when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn command_version(
        &self,
        id: CommandId,
    ) -> Result<Option<(i64, CommandStatus)>, StoreError> {
        let sql = "SELECT version, status FROM command WHERE id = $1";
        Ok(on_pool!(self, pool => {
            sqlx::query_as(sql).bind(id).fetch_optional(pool).await?
        }))
    }

    /// Whether a command runs on the device.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_busy(&self, device: DeviceId) -> Result<bool, StoreError> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM command WHERE device_id = $1 AND status = 'running')";
        Ok(on_pool!(self, pool => {
            sqlx::query_scalar(sql).bind(device).fetch_one(pool).await?
        }))
    }
}
