//! Locations.

use super::{Page, Paged, Scope, Store, StoreError};
use crate::event::{DeviceId, LocationId, LocationType, OrganizationId, Point, Timestamp};

/// A location's row.
#[derive(Clone, Debug)]
pub struct Location {
    pub id: LocationId,
    pub organization: OrganizationId,
    pub name: String,
    pub address: String,
    pub kind: LocationType,
    pub is_mobile: bool,
    pub geometry: Option<Point>,
    pub created: Timestamp,
    pub modified: Timestamp,
    /// Count of updates.
    pub version: i64,
    /// How many devices are at it.
    pub device_count: i64,
}

#[derive(Clone, Debug, Default)]
pub struct NewLocation {
    pub organization: Option<OrganizationId>,
    pub name: String,
    pub address: String,
    pub kind: LocationType,
    pub is_mobile: bool,
    pub geometry: Option<Point>,
    /// A device to put there, in the same transaction.
    pub device: Option<DeviceId>,
}

/// What is to be altered; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct LocationChange {
    pub organization: Option<OrganizationId>,
    pub name: Option<String>,
    pub address: Option<String>,
    pub kind: Option<LocationType>,
    pub is_mobile: Option<bool>,
    /// `Some(Some(_))` is an update of the geometry, with the same coordinates too;
    /// `Some(None)` clears it (only a mobile location can be without).
    pub geometry: Option<Option<Point>>,
}

#[derive(Clone, Debug, Default)]
pub struct LocationFilter {
    pub organization: Option<OrganizationId>,
    pub organization_slug: Option<String>,
    pub is_mobile: Option<bool>,
    pub kind: Option<LocationType>,
    /// Only those with a geometry (the GeoJSON list).
    pub with_geometry: bool,
}

impl Store {
    pub async fn add_location(&self, new: &NewLocation) -> Result<Location, StoreError> { todo!() }
    pub async fn location(&self, id: LocationId, scope: &Scope) -> Result<Location, StoreError> { todo!() }
    pub async fn find_location(&self, id_or_name: &str) -> Result<Location, StoreError> { todo!() }
    /// Newest first.
    pub async fn locations(&self, scope: &Scope, filter: &LocationFilter, page: Page) -> Result<Paged<Location>, StoreError> { todo!() }
    pub async fn change_location(&self, id: LocationId, change: &LocationChange) -> Result<Location, StoreError> { todo!() }
    pub async fn remove_location(&self, id: LocationId) -> Result<(), StoreError> { todo!() }
}
