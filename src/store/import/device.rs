//! Devices that are imported, and where they are.

use serde_json::json;
use uuid::Uuid;

use super::super::device::{DeviceChange, NewDevice};
use super::super::transaction::{Write, on_write};
use super::super::{FieldErrors, StoreError};
use super::ImportKind;
use super::merge::{Fields, Merge, fields};
use super::run::{Head, Imported, Run};
use crate::event::{DeviceId, LocationId, OrganizationId, Timestamp};

/// A device there.
#[derive(Clone)]
pub struct ImportedDevice {
    /// Identifier.
    pub id: DeviceId,
    /// Whose.
    pub organization: OrganizationId,
    /// Unique in its organization.
    pub name: String,
    /// `None` when not known.
    pub mac_address: Option<String>,
    /// What it authenticates itself with.
    pub key: String,
    /// Where it was heard from last.
    pub last_ip: Option<String>,
    /// Where it is managed at.
    pub management_ip: Option<String>,
    /// Free text.
    pub notes: String,
    /// Whether commands may run on it.
    pub is_active: bool,
    /// When it was made.
    pub created: Timestamp,
}

/// Where a device is.
#[derive(Clone, Debug)]
pub struct ImportedPlace {
    /// Identifier, there only.
    pub id: Uuid,
    /// What.
    pub device: DeviceId,
    /// The device's name.
    pub name: String,
    /// Where.
    pub location: LocationId,
}

impl ImportedDevice {
    fn new_device(&self) -> NewDevice {
        NewDevice {
            name: self.name.clone(),
            organization: Some(self.organization),
            mac_address: self.mac_address.clone(),
            key: Some(self.key.clone()),
            last_ip: self.last_ip.clone(),
            management_ip: self.management_ip.clone(),
            notes: self.notes.clone(),
            addresses: Vec::new(),
            is_active: Some(self.is_active),
        }
    }

    fn check(&self) -> Result<(), FieldErrors> {
        let all = DeviceChange {
            name: Some(self.name.clone()),
            mac_address: Some(self.mac_address.clone()),
            key: Some(self.key.clone()),
            last_ip: Some(self.last_ip.clone()),
            management_ip: Some(self.management_ip.clone()),
            notes: Some(self.notes.clone()),
            ..DeviceChange::default()
        };
        all.check()
    }
}

impl Imported for ImportedDevice {
    const KIND: ImportKind = ImportKind::Devices;

    fn head(&self) -> Head<'_> {
        Head {
            id: self.id.0,
            name: &self.name,
            made: Some(("device", self.created)),
            needs: vec![(ImportKind::Organizations, self.organization.0)],
        }
    }

    fn there(&self) -> Fields {
        fields(json!({
            "organization": self.organization,
            "name": self.name,
            "mac_address": self.mac_address,
            "key": self.key,
            "last_ip": self.last_ip,
            "management_ip": self.management_ip,
            "notes": self.notes,
            "is_active": self.is_active,
        }))
    }

    async fn here(&self, run: &mut Run) -> Result<Option<Fields>, StoreError> {
        let found = run.write.device_row(self.id).await?;
        Ok(found.map(|row| {
            fields(json!({
                "organization": row.organization,
                "name": row.name,
                "mac_address": row.mac_address,
                "key": row.key,
                "last_ip": row.last_ip,
                "management_ip": row.management_ip,
                "notes": row.notes,
                "is_active": row.is_active,
            }))
        }))
    }

    async fn make(&self, run: &mut Run) -> Result<(), StoreError> {
        self.check()?;
        let new = self.new_device();
        let organization = run.write.existing_organization(new.organization).await?;
        run.write
            .insert_device(self.id, organization, &self.key, &new)
            .await?;
        run.note("add", self).await
    }

    async fn alter(&self, run: &mut Run, merge: &Merge<'_>) -> Result<(), StoreError> {
        let change = DeviceChange {
            name: merge.take("name"),
            organization: merge.take("organization"),
            mac_address: merge.take("mac_address"),
            key: merge.take("key"),
            last_ip: merge.take("last_ip"),
            management_ip: merge.take("management_ip"),
            notes: merge.take("notes"),
            addresses: None,
            is_active: merge.take("is_active"),
        };
        change.check()?;
        let moves = change.organization.is_some();
        if moves {
            run.write.part(self.id).await?;
        }
        run.write.update_device(self.id, &change).await?;
        if moves {
            // What it uses and where it is there is brought behind it.
            run.made_anew(Self::KIND, self.id.0);
        }
        run.note("change", self).await
    }
}

impl Imported for ImportedPlace {
    const KIND: ImportKind = ImportKind::DeviceLocations;

    fn head(&self) -> Head<'_> {
        Head {
            id: self.id,
            name: &self.name,
            made: None,
            needs: vec![
                (ImportKind::Devices, self.device.0),
                (ImportKind::Locations, self.location.0),
            ],
        }
    }

    fn there(&self) -> Fields {
        fields(json!({"device": self.device, "location": self.location}))
    }

    async fn here(&self, run: &mut Run) -> Result<Option<Fields>, StoreError> {
        let found: Option<LocationId> = on_write!(run.write, connection => {
            sqlx::query_scalar("SELECT location_id FROM device_location WHERE device_id = $1")
                .bind(self.device)
                .fetch_optional(connection)
                .await?
        });
        Ok(found.map(|at| fields(json!({"device": self.device, "location": at}))))
    }

    async fn make(&self, run: &mut Run) -> Result<(), StoreError> {
        run.write.put_device_at(self.device, self.location).await?;
        run.note("add", self).await
    }

    async fn alter(&self, run: &mut Run, _: &Merge<'_>) -> Result<(), StoreError> {
        run.write.put_device_at(self.device, self.location).await?;
        run.note("change", self).await
    }
}

impl Write {
    /// Takes a device that goes to another organization from what it has in this one.
    async fn part(&mut self, device: DeviceId) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM connection WHERE device_id = $1",
            "DELETE FROM device_location WHERE device_id = $1",
        ] {
            on_write!(self, connection => {
                sqlx::query(sql).bind(device).execute(connection).await.map(|_| ())?;
            });
        }
        Ok(())
    }
}
