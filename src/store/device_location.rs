//! Which location a device is at.

use sqlx::AssertSqlSafe;

use super::db::on_pool;
use super::location::COLUMNS;
use super::location::LocationRow;
use super::transaction::{Write, on_write};
use super::{FieldErrors, Location, Scope, Store, StoreError};
use crate::event::{DeviceId, LocationId, OrganizationId};

impl Store {
    /// The location that the device is at.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn device_location(&self, device: DeviceId) -> Result<Option<Location>, StoreError> {
        let at: Option<LocationId> = on_pool!(self, pool => {
            sqlx::query_scalar("SELECT location_id FROM device_location WHERE device_id = $1")
                .bind(device)
                .fetch_optional(pool)
                .await?
        });
        match at {
            Some(id) => self.location(id, &Scope::All).await.map(Some),
            None => Ok(None),
        }
    }

    /// Puts the device at a location of its own organization.
    ///
    /// # Errors
    /// When one of them does not exist, or they belong to different organizations.
    pub async fn set_device_location(
        &self,
        device: DeviceId,
        location: LocationId,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        write.put_device_at(device, location).await?;
        let name = write.device_name(device).await?;
        write
            .audit("change", "DeviceLocation", device.0, &name)
            .await?;
        write.commit().await
    }

    /// The device is at no location any more (the location stays).
    ///
    /// # Errors
    /// When it was at none.
    pub async fn clear_device_location(&self, device: DeviceId) -> Result<(), StoreError> {
        let sql = "DELETE FROM device_location WHERE device_id = $1 RETURNING
             (SELECT name FROM device WHERE device.id = device_id)";
        self.remove("DeviceLocation", sql, device.0).await
    }
}

impl Write {
    /// Puts a device at a location of its own organization.
    pub(super) async fn put_device_at(
        &mut self,
        device: DeviceId,
        location: LocationId,
    ) -> Result<(), StoreError> {
        let of_device = self
            .lock_device(device)
            .await?
            .ok_or(StoreError::NotFound("Device"))?;
        let owner = "SELECT organization_id FROM location WHERE id = $1";
        let of_location = self
            .owner(owner, location.0)
            .await?
            .ok_or(StoreError::NotFound("Location"))?;
        if of_device != of_location {
            let reason = "The device and its location must belong to the same organization.";
            return Err(FieldErrors::one("location", reason).into());
        }
        on_write!(self, connection => {
            sqlx::query(
                "INSERT INTO device_location (device_id, location_id) VALUES ($1, $2)
                 ON CONFLICT (device_id) DO UPDATE SET location_id = excluded.location_id",
            )
            .bind(device)
            .bind(location)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        Ok(())
    }

    /// Whose a device is, `None` if it is gone; its row is kept as it is until the commit. Whoever needs a device and a location takes
    /// them in this order, so that nobody waits for another in a circle.
    pub(super) async fn lock_device(
        &mut self,
        device: DeviceId,
    ) -> Result<Option<OrganizationId>, StoreError> {
        let sql = "SELECT organization_id FROM device WHERE id = $1";
        self.owner(sql, device.0).await
    }

    async fn owner(
        &mut self,
        sql: &'static str,
        id: uuid::Uuid,
    ) -> Result<Option<OrganizationId>, StoreError> {
        // Kept so until the commit: neither may go to another organization meanwhile.
        let sql = format!("{sql} {}", self.row_lock());
        Ok(on_write!(self, connection => {
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?
        }))
    }

    /// A device goes to `organization`: the mobile location that it alone is at goes along (which
    /// is no move); another one must be left first.
    pub(super) async fn move_location_along(
        &mut self,
        device: DeviceId,
        organization: OrganizationId,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM location
             JOIN device_location ON device_location.location_id = location.id
             WHERE device_location.device_id = $1"
        );
        let at: Option<LocationRow> = on_write!(self, connection => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(device).fetch_optional(connection).await?
        });
        let Some(at) = at.filter(|at| at.organization_id != organization) else {
            return Ok(());
        };
        let others: i64 = on_write!(self, connection => {
            sqlx::query_scalar(
                "SELECT count(*) FROM device_location WHERE location_id = $1 AND device_id <> $2",
            )
            .bind(at.id)
            .bind(device)
            .fetch_one(connection)
            .await?
        });
        if !at.is_mobile || others > 0 {
            let reason = "The device is at a location of its present organization: remove it from there first.";
            return Err(FieldErrors::one("organization", reason).into());
        }
        let change = self.change().await?;
        on_write!(self, connection => {
            sqlx::query(
                "UPDATE location SET organization_id = $2, version = version + 1, change = $3,
                     modified = $4 WHERE id = $1",
            )
            .bind(at.id)
            .bind(organization)
            .bind(change)
            .bind(self.store.instant())
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        Ok(())
    }
}
