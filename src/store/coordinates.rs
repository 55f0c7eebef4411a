//! Coordinates that devices report: joined into groups, one multi-row statement and one commit a
//! group, each answered after that commit.

use super::{Location, Store, StoreError};
use crate::event::{DeviceId, Point, Timestamp};

/// One report of a device.
#[derive(Clone, Debug)]
pub struct Report {
    pub device: DeviceId,
    /// What the request showed; compared in constant time.
    pub key: String,
    pub geometry: Point,
    /// When the device was there. An older report never replaces a newer one; order is decided among the
    /// reports that carry a time.
    pub time: Option<Timestamp>,
}

/// Why a report was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CoordinatesError {
    /// No such device, or not its key: not to be told apart.
    #[error("no device has this id and key")]
    Unauthenticated,
    /// The device's organization is inactive.
    #[error("the organization of this device is not active")]
    OrganizationInactive,
    /// The device was at no location yet (reading only).
    #[error("this device has not reported coordinates yet")]
    NoLocation,
    /// The database failed; one cause is shared by the whole group.
    #[error(transparent)]
    Store(#[from] std::sync::Arc<StoreError>),
}

impl Store {
    /// Stores a report and answers with the location as it is after the commit. The first report
    /// of a device creates its mobile location, named after it.
    pub async fn report_coordinates(&self, report: Report) -> Result<Location, CoordinatesError> { todo!() }
    /// Where the device is, for the device itself.
    pub async fn coordinates(&self, device: DeviceId, key: &str) -> Result<Location, CoordinatesError> { todo!() }
}
