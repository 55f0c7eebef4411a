//! Organizations: the tenants.

use super::{Store, StoreError};
use crate::event::{OrganizationId, Timestamp};

/// A tenant's row.
#[derive(Clone, Debug, serde::Serialize, sqlx::FromRow)]
pub struct Organization {
    pub id: OrganizationId,
    pub name: String,
    /// For URLs and filters; made of the name.
    pub slug: String,
    pub is_active: bool,
    pub created: Timestamp,
    pub modified: Timestamp,
}

/// What is to be altered; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct OrganizationChange {
    pub name: Option<String>,
    pub is_active: Option<bool>,
}

impl Store {
    pub async fn add_organization(&self, name: &str) -> Result<Organization, StoreError> { todo!() }
    /// By id, slug or unique name; for the command line.
    pub async fn find_organization(&self, id_or_name: &str) -> Result<Organization, StoreError> { todo!() }
    pub async fn organizations(&self) -> Result<Vec<Organization>, StoreError> { todo!() }
    pub async fn change_organization(&self, id: OrganizationId, change: &OrganizationChange) -> Result<Organization, StoreError> { todo!() }
    /// Removes it with all that belongs to it (devices, locations, memberships).
    pub async fn remove_organization(&self, id: OrganizationId) -> Result<(), StoreError> { todo!() }
}
