//! Groups: named sets of permissions. `Operator` and `Administrator` are there from the start.

use super::{Store, StoreError};
use crate::access::Permission;
use crate::event::GroupId;

#[derive(Clone, Debug)]
pub struct Group {
    pub id: GroupId,
    pub name: String,
    pub permissions: Vec<Permission>,
}

#[derive(Clone, Debug, Default)]
pub struct GroupChange {
    pub name: Option<String>,
    pub add_permissions: Vec<Permission>,
    pub remove_permissions: Vec<Permission>,
}

impl Store {
    pub async fn add_group(&self, name: &str, permissions: &[Permission]) -> Result<Group, StoreError> { todo!() }
    pub async fn find_group(&self, id_or_name: &str) -> Result<Group, StoreError> { todo!() }
    pub async fn groups(&self) -> Result<Vec<Group>, StoreError> { todo!() }
    pub async fn change_group(&self, id: GroupId, change: &GroupChange) -> Result<Group, StoreError> { todo!() }
    pub async fn remove_group(&self, id: GroupId) -> Result<(), StoreError> { todo!() }
}
