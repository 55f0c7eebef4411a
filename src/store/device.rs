//! Devices: what reports coordinates and what commands run on.

use serde_json::Value;
use uuid::Uuid;

use super::columns::{columns, select};
use super::db::{fetch_page, on_pool};
use super::session::secret;
use super::transaction::{Write, on_write};
use super::{FieldErrors, Page, Paged, Scope, Store, StoreError};
use crate::event::{Address, DeviceId, LocationId, OrganizationId, Timestamp};

const NAME: usize = 64;
const NOTES: usize = 10_000;

/// Each is tried, and may take its time.
const ADDRESSES: usize = 16;

/// Characters of a key, as OpenWISP's: letters and digits.
const KEY: usize = 32;

/// A device's row.
#[derive(Clone)]
pub struct Device {
    /// Identifier.
    pub id: DeviceId,
    /// Unique in its organization.
    pub name: String,
    /// Whose.
    pub organization: OrganizationId,
    /// `None` when not known; unique in its organization where set.
    pub mac_address: Option<String>,
    /// What the device authenticates itself with.
    pub key: String,
    /// Where it was heard from last.
    pub last_ip: Option<String>,
    /// Where it is managed at.
    pub management_ip: Option<String>,
    /// Free text.
    pub notes: String,
    /// Hosts to reach it at, tried in order after `management_ip`.
    pub addresses: Vec<String>,
    /// Whether commands may run on it.
    pub is_active: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was altered last.
    pub modified: Timestamp,
}

/// A device to be made.
#[derive(Clone, Default)]
pub struct NewDevice {
    /// Unique in its organization.
    pub name: String,
    /// Whose; must be given.
    pub organization: Option<OrganizationId>,
    /// Six bytes in hexadecimal.
    pub mac_address: Option<String>,
    /// `None` makes a random one.
    pub key: Option<String>,
    /// An IP address.
    pub last_ip: Option<String>,
    /// An IP address.
    pub management_ip: Option<String>,
    /// Free text.
    pub notes: String,
    /// Hosts to reach it at.
    pub addresses: Vec<String>,
    /// Whether commands may run on it; `None` for yes.
    pub is_active: Option<bool>,
}

/// What is to be altered; `None` leaves a field as it is.
#[derive(Clone, Default)]
pub struct DeviceChange {
    /// Unique in its organization.
    pub name: Option<String>,
    /// Another organization; its mobile location moves along.
    pub organization: Option<OrganizationId>,
    /// `Some(None)` forgets it.
    pub mac_address: Option<Option<String>>,
    /// Another key.
    pub key: Option<String>,
    /// `Some(None)` forgets it.
    pub last_ip: Option<Option<String>>,
    /// `Some(None)` forgets it.
    pub management_ip: Option<Option<String>>,
    /// Free text.
    pub notes: Option<String>,
    /// Hosts to reach it at.
    pub addresses: Option<Vec<String>>,
    /// Whether commands may run on it.
    pub is_active: Option<bool>,
}

/// Which devices a list shows.
#[derive(Clone, Debug, Default)]
pub struct DeviceFilter {
    /// Only this organization's.
    pub organization: Option<OrganizationId>,
    /// Only the organization's with this slug.
    pub organization_slug: Option<String>,
    /// Only those at this location.
    pub location: Option<LocationId>,
}

#[derive(sqlx::FromRow)]
pub(super) struct DeviceRow {
    id: DeviceId,
    name: String,
    organization_id: OrganizationId,
    mac_address: Option<String>,
    key: String,
    last_ip: Option<String>,
    management_ip: Option<String>,
    notes: String,
    addresses: String,
    is_active: bool,
    created: Timestamp,
    modified: Timestamp,
}

impl From<DeviceRow> for Device {
    fn from(row: DeviceRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            organization: row.organization_id,
            mac_address: row.mac_address,
            key: row.key,
            last_ip: row.last_ip,
            management_ip: row.management_ip,
            notes: row.notes,
            // Written by us alone, always a list of texts.
            addresses: serde_json::from_str(&row.addresses).unwrap_or_default(),
            is_active: row.is_active,
            created: row.created,
            modified: row.modified,
        }
    }
}

impl Store {
    /// Makes a device.
    ///
    /// # Errors
    /// When a field is not acceptable, or a name, MAC address or key is taken.
    pub async fn add_device(&self, new: &NewDevice) -> Result<Device, StoreError> {
        let key = new
            .key
            .clone()
            .filter(|key| !key.is_empty())
            .unwrap_or_else(|| secret(KEY));
        let mut errors = FieldErrors::default();
        errors.check_name("name", &new.name, NAME);
        check_mac(&mut errors, new.mac_address.as_deref());
        check_key(&mut errors, &key);
        check_ips(
            &mut errors,
            new.last_ip.as_deref(),
            new.management_ip.as_deref(),
        );
        errors.check_text("notes", &new.notes, NOTES);
        check_addresses(&mut errors, &new.addresses);
        if new.organization.is_none() {
            errors.add("organization", "This field is required.");
        }
        errors.into_result()?;
        let mut write = self.write().await?;
        let organization = write.existing_organization(new.organization).await?;
        let added = write
            .insert_device(DeviceId::random(), organization, &key, new)
            .await?;
        write
            .audit("add", "Device", added.id.0, &added.name)
            .await?;
        write.commit().await?;
        Ok(added.into())
    }

    /// One device of those that the caller may see.
    ///
    /// # Errors
    /// When there is none.
    pub async fn device(&self, id: DeviceId, scope: &Scope) -> Result<Device, StoreError> {
        let found: Option<DeviceRow> = on_pool!(self, pool => {
            sqlx::query_as(select!(device, "WHERE id = $1"))
                .bind(id)
                .fetch_optional(pool)
                .await?
        });
        found
            .filter(|row| scope.contains(row.organization_id))
            .map(Device::from)
            .ok_or(StoreError::NotFound("Device"))
    }

    /// By id, or by a name that no other organization's device has.
    ///
    /// # Errors
    /// When none or several fit.
    pub async fn find_device(&self, id_or_name: &str) -> Result<Device, StoreError> {
        let found: Vec<DeviceRow> = on_pool!(self, pool => {
            sqlx::query_as(select!(device, "WHERE id = $1 OR name = $2"))
                .bind(Uuid::parse_str(id_or_name).ok())
                .bind(id_or_name)
                .fetch_all(pool)
                .await?
        });
        StoreError::only("device", id_or_name, found).map(Device::from)
    }

    /// A page of the devices that the caller may see, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn devices(
        &self,
        scope: &Scope,
        filter: &DeviceFilter,
        page: Page,
    ) -> Result<Paged<Device>, StoreError> {
        const SELECT: &str = select!(device, "");
        const FILTER: &str = "
            JOIN organization ON organization.id = device.organization_id
            LEFT JOIN device_location ON device_location.device_id = device.id
            WHERE ($2 IS NULL OR device.organization_id = $2)
                AND ($3 IS NULL OR organization.slug = $3)
                AND ($4 IS NULL OR device_location.location_id = $4)";
        const ORDER: &str = "ORDER BY device.created DESC, device.id LIMIT $5 OFFSET $6";
        let in_scope = scope.condition(self.db(), "device.organization_id");
        let count = format!("SELECT count(*) FROM device {FILTER} AND {in_scope}");
        let select = format!("{SELECT} {FILTER} AND {in_scope} {ORDER}");
        let found: Paged<DeviceRow> = fetch_page!(
            self,
            scope,
            page,
            count,
            select,
            filter.organization,
            &filter.organization_slug,
            filter.location
        );
        Ok(Paged {
            count: found.count,
            rows: found.rows.into_iter().map(Device::from).collect(),
        })
    }

    /// Alters a device. One that goes to another organization takes along the mobile location that
    /// only it is at.
    ///
    /// # Errors
    /// As [`Store::add_device`], when it does not exist, or when its location has to stay.
    pub async fn change_device(
        &self,
        id: DeviceId,
        change: &DeviceChange,
    ) -> Result<Device, StoreError> {
        change.check()?;
        let mut write = self.write().await?;
        let changed = write.update_device(id, change).await?;
        write.audit("change", "Device", id.0, &changed.name).await?;
        write.commit().await?;
        Ok(changed.into())
    }

    /// Gives a device a new random key; the old one is refused from then on.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn regenerate_device_key(&self, id: DeviceId) -> Result<Device, StoreError> {
        let change = DeviceChange {
            key: Some(secret(KEY)),
            ..DeviceChange::default()
        };
        self.change_device(id, &change).await
    }

    /// Removes a device. The location that it was at stays.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn remove_device(&self, id: DeviceId) -> Result<(), StoreError> {
        self.remove(
            "Device",
            "DELETE FROM device WHERE id = $1 RETURNING name",
            id.0,
        )
        .await
    }
}

impl Write {
    /// A device as this transaction sees it.
    pub(super) async fn device_row(&mut self, id: DeviceId) -> Result<Option<Device>, StoreError> {
        let found: Option<DeviceRow> = on_write!(self, connection => {
            sqlx::query_as(select!(device, "WHERE id = $1"))
                .bind(id)
                .fetch_optional(connection)
                .await?
        });
        Ok(found.map(Device::from))
    }

    /// Inserts a device's row, which was checked before.
    pub(super) async fn insert_device(
        &mut self,
        id: DeviceId,
        organization: OrganizationId,
        key: &str,
        new: &NewDevice,
    ) -> Result<DeviceRow, StoreError> {
        let added: Result<DeviceRow, _> = on_write!(self, connection => {
            sqlx::query_as(concat!(
                "INSERT INTO device (id, organization_id, name, mac_address, key, last_ip,
                     management_ip, notes, addresses, is_active, created, modified)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) RETURNING ",
                columns!(device)
            ))
            .bind(id)
            .bind(organization)
            .bind(&new.name)
            .bind(&new.mac_address)
            .bind(key)
            .bind(&new.last_ip)
            .bind(&new.management_ip)
            .bind(&new.notes)
            .bind(Value::from(new.addresses.clone()).to_string())
            .bind(new.is_active.unwrap_or(true))
            .bind(self.store.instant())
            .fetch_one(connection)
            .await
        });
        added.map_err(taken)
    }

    /// Alters a device's row; the change was checked before.
    pub(super) async fn update_device(
        &mut self,
        id: DeviceId,
        change: &DeviceChange,
    ) -> Result<DeviceRow, StoreError> {
        if let Some(organization) = change.organization {
            let before = self.lock_device(id).await?;
            self.existing_organization(Some(organization)).await?;
            self.check_no_connection_elsewhere(id, organization).await?;
            self.move_location_along(id, organization).await?;
            if before != Some(organization) {
                self.leave_commands_behind(id).await?;
            }
        }
        let addresses = change
            .addresses
            .clone()
            .map(|list| Value::from(list).to_string());
        let changed: Result<Option<DeviceRow>, _> = on_write!(self, connection => {
            sqlx::query_as(concat!(
                "UPDATE device SET name = COALESCE($2, name),
                     organization_id = COALESCE($3, organization_id),
                     mac_address = CASE WHEN $4 THEN $5 ELSE mac_address END,
                     key = COALESCE($6, key),
                     last_ip = CASE WHEN $7 THEN $8 ELSE last_ip END,
                     management_ip = CASE WHEN $9 THEN $10 ELSE management_ip END,
                     notes = COALESCE($11, notes), addresses = COALESCE($12, addresses),
                     is_active = COALESCE($13, is_active), modified = $14
                 WHERE id = $1 RETURNING ",
                columns!(device)
            ))
            .bind(id)
            .bind(&change.name)
            .bind(change.organization)
            .bind(change.mac_address.is_some())
            .bind(change.mac_address.clone().flatten())
            .bind(&change.key)
            .bind(change.last_ip.is_some())
            .bind(change.last_ip.clone().flatten())
            .bind(change.management_ip.is_some())
            .bind(change.management_ip.clone().flatten())
            .bind(&change.notes)
            .bind(addresses)
            .bind(change.is_active)
            .bind(self.store.instant())
            .fetch_optional(connection)
            .await
        });
        changed
            .map_err(taken)?
            .ok_or(StoreError::NotFound("Device"))
    }

    /// The organization that something is to belong to.
    pub(super) async fn existing_organization(
        &mut self,
        id: Option<OrganizationId>,
    ) -> Result<OrganizationId, StoreError> {
        let Some(id) = id else {
            return Err(FieldErrors::one("organization", "This field is required.").into());
        };
        let found: Option<OrganizationId> = on_write!(self, connection => {
            sqlx::query_scalar("SELECT id FROM organization WHERE id = $1")
                .bind(id)
                .fetch_optional(connection)
                .await?
        });
        found.ok_or_else(|| {
            let reason = format!("Invalid pk \"{id}\" - object does not exist.");
            FieldErrors::one("organization", reason).into()
        })
    }
}

impl DeviceChange {
    /// Whether the values can be right, whatever device they are for: so that who has found other
    /// errors already can tell these with them.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn check(&self) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::default();
        if let Some(name) = &self.name {
            errors.check_name("name", name, NAME);
        }
        if let Some(key) = &self.key {
            check_key(&mut errors, key);
        }
        if let Some(notes) = &self.notes {
            errors.check_text("notes", notes, NOTES);
        }
        check_mac(
            &mut errors,
            self.mac_address.as_ref().and_then(Option::as_deref),
        );
        check_ips(
            &mut errors,
            self.last_ip.as_ref().and_then(Option::as_deref),
            self.management_ip.as_ref().and_then(Option::as_deref),
        );
        check_addresses(&mut errors, self.addresses.as_deref().unwrap_or_default());
        errors.into_result()
    }
}

fn check_mac(errors: &mut FieldErrors, mac_address: Option<&str>) {
    if let Some(mac_address) = mac_address {
        errors.check_mac_address("mac_address", mac_address);
    }
}

fn check_ips(errors: &mut FieldErrors, last: Option<&str>, management: Option<&str>) {
    for (field, ip) in [("last_ip", last), ("management_ip", management)] {
        if let Some(ip) = ip {
            errors.check_ip(field, ip);
        }
    }
}

/// OpenWISP's rule for keys, bounded: they travel in URLs.
fn check_key(errors: &mut FieldErrors, key: &str) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !(16..=64).contains(&key.len()) || !key.chars().all(allowed) {
        errors.add(
            "key",
            "A key has 16 to 64 letters, digits, dots, hyphens and underscores.",
        );
    }
}

fn check_addresses(errors: &mut FieldErrors, addresses: &[String]) {
    if addresses.len() > ADDRESSES {
        errors.add(
            "addresses",
            format!("A device has no more than {ADDRESSES} addresses."),
        );
        return;
    }
    for address in addresses {
        // Any port will do here: the real one is the credential's.
        if let Err(error) = Address::parse(address, 22) {
            errors.add("addresses", error.to_string());
        }
    }
}

fn taken(error: sqlx::Error) -> StoreError {
    StoreError::from(error).unique(&[
        (
            "mac_address",
            "mac_address",
            "A device with this MAC address exists already.",
        ),
        ("key", "key", "A device with this key exists already."),
        (
            "name",
            "name",
            "A device with this name exists already in this organization.",
        ),
    ])
}
