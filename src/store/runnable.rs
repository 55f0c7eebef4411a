//! Which devices a command can be put into the queue of, and why not of the others.

use sqlx::AssertSqlSafe;

use super::transaction::{Write, on_write};
use super::{FieldErrors, StoreError};
use crate::event::{ConnectionId, DeviceId, OrganizationId};

pub(super) const DEACTIVATED: &str = "Device is deactivated.";
pub(super) const NO_LOGIN: &str = "Device has no credentials assigned.";

/// A device that takes commands.
#[derive(sqlx::FromRow)]
pub(super) struct Runnable {
    pub name: String,
    #[sqlx(rename = "organization_id")]
    pub organization: OrganizationId,
    is_active: bool,
}

impl Write {
    /// Whether a command can be put into the queue of the device.
    pub(super) async fn check_runnable(
        &mut self,
        device: DeviceId,
        wanted: Option<ConnectionId>,
    ) -> Result<Runnable, StoreError> {
        // Kept so until the commit: it is not deactivated, and loses no connection meanwhile.
        let lock = self.row_lock();
        let sql =
            format!("SELECT name, organization_id, is_active FROM device WHERE id = $1 {lock}");
        let found: Option<Runnable> = on_write!(self, connection => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(device).fetch_optional(connection).await?
        });
        let found = found.ok_or(StoreError::NotFound("Device"))?;
        if !found.is_active {
            return Err(FieldErrors::one("device", DEACTIVATED).into());
        }
        let of_active: bool = on_write!(self, connection => {
            sqlx::query_scalar("SELECT is_active FROM organization WHERE id = $1")
                .bind(found.organization)
                .fetch_one(connection)
                .await?
        });
        if !of_active {
            let reason = "The organization of the device is not active.";
            return Err(FieldErrors::one("device", reason).into());
        }
        let sql = format!("SELECT id FROM connection WHERE device_id = $1 AND is_enabled {lock}");
        let connections: Vec<ConnectionId> = on_write!(self, connection => {
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(device).fetch_all(connection).await?
        });
        if connections.is_empty() {
            return Err(FieldErrors::one("device", NO_LOGIN).into());
        }
        match wanted.filter(|wanted| !connections.contains(wanted)) {
            Some(wanted) => {
                let reason = format!("Invalid pk \"{wanted}\" - object does not exist.");
                Err(FieldErrors::one("connection", reason).into())
            }
            None => Ok(found),
        }
    }

    /// Lets what waits on the device as part of a batch go before other batches: a single command
    /// is about to wait behind it.
    pub(super) async fn hurry(&mut self, device: DeviceId) -> Result<(), StoreError> {
        on_write!(self, connection => {
            sqlx::query(
                "UPDATE command SET rank = 0
                 WHERE device_id = $1 AND status = 'queued' AND rank <> 0",
            )
            .bind(device)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        Ok(())
    }

    /// Lets what waits on the device take the turns of the organization that it goes to.
    pub(super) async fn move_commands_along(
        &mut self,
        device: DeviceId,
        organization: OrganizationId,
    ) -> Result<(), StoreError> {
        on_write!(self, connection => {
            sqlx::query(
                "UPDATE command SET organization_id = $2
                 WHERE device_id = $1 AND status = 'queued' AND organization_id <> $2",
            )
            .bind(device)
            .bind(organization)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        Ok(())
    }
}
