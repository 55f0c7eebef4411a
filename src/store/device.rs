//! Devices, and which location each is at.

use super::{Location, Page, Paged, Scope, Store, StoreError};
use crate::event::{DeviceId, LocationId, OrganizationId, Timestamp};

/// A device's row.
#[derive(Clone, Debug)]
pub struct Device {
    pub id: DeviceId,
    pub name: String,
    pub organization: OrganizationId,
    /// `None` when not known; unique in its organization where set.
    pub mac_address: Option<String>,
    /// What the device authenticates itself with: 32 letters and digits.
    pub key: String,
    pub last_ip: Option<String>,
    pub management_ip: Option<String>,
    pub notes: String,
    /// Hosts to reach it at, tried in order after `management_ip`.
    pub addresses: Vec<String>,
    pub created: Timestamp,
    pub modified: Timestamp,
}

#[derive(Clone, Debug, Default)]
pub struct NewDevice {
    pub name: String,
    pub organization: Option<OrganizationId>,
    pub mac_address: Option<String>,
    /// `None` makes a random one.
    pub key: Option<String>,
    pub last_ip: Option<String>,
    pub management_ip: Option<String>,
    pub notes: String,
    pub addresses: Vec<String>,
}

/// What is to be altered; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct DeviceChange {
    pub name: Option<String>,
    pub organization: Option<OrganizationId>,
    pub mac_address: Option<Option<String>>,
    pub key: Option<String>,
    pub last_ip: Option<Option<String>>,
    pub management_ip: Option<Option<String>>,
    pub notes: Option<String>,
    pub addresses: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default)]
pub struct DeviceFilter {
    pub organization: Option<OrganizationId>,
    pub organization_slug: Option<String>,
    /// Only those at this location.
    pub location: Option<LocationId>,
}

impl Store {
    pub async fn add_device(&self, new: &NewDevice) -> Result<Device, StoreError> { todo!() }
    pub async fn device(&self, id: DeviceId, scope: &Scope) -> Result<Device, StoreError> { todo!() }
    pub async fn find_device(&self, id_or_name: &str) -> Result<Device, StoreError> { todo!() }
    /// Newest first.
    pub async fn devices(&self, scope: &Scope, filter: &DeviceFilter, page: Page) -> Result<Paged<Device>, StoreError> { todo!() }
    pub async fn change_device(&self, id: DeviceId, change: &DeviceChange) -> Result<Device, StoreError> { todo!() }
    /// Removes the device; a mobile location that only it was at goes with it? No: locations stay.
    pub async fn remove_device(&self, id: DeviceId) -> Result<(), StoreError> { todo!() }

    /// The location that the device is at.
    pub async fn device_location(&self, device: DeviceId) -> Result<Option<Location>, StoreError> { todo!() }
    /// Puts the device at a location of its own organization.
    pub async fn set_device_location(&self, device: DeviceId, location: LocationId) -> Result<(), StoreError> { todo!() }
    /// The device is at no location any more (the location stays).
    pub async fn clear_device_location(&self, device: DeviceId) -> Result<(), StoreError> { todo!() }
}
