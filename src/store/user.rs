//! Users as they are kept: accounts, passwords, permissions, memberships.

use super::{Store, StoreError};
use crate::access::Permission;
use crate::event::{GroupId, OrganizationId, Timestamp, UserId};

/// A user's row with all that hangs on it, active or not: for administration. What the policy sees is
/// [`crate::access::User`].
#[derive(Clone, Debug)]
pub struct Account {
    pub id: UserId,
    pub username: String,
    pub email: String,
    pub is_active: bool,
    pub is_staff: bool,
    pub is_superuser: bool,
    /// When the account ends by itself.
    pub expires: Option<Timestamp>,
    pub created: Timestamp,
    pub modified: Timestamp,
    /// Given directly.
    pub permissions: Vec<Permission>,
    pub groups: Vec<(GroupId, String)>,
    pub manages: Vec<OrganizationId>,
    pub member_of: Vec<OrganizationId>,
    pub has_password: bool,
}

#[derive(Clone, Debug, Default)]
pub struct NewAccount {
    pub username: String,
    pub email: String,
    /// Argon2id in PHC form; `None` for a user who cannot log in with a password.
    pub password_hash: Option<String>,
    pub is_staff: bool,
    pub is_superuser: bool,
    pub expires: Option<Timestamp>,
    pub permissions: Vec<Permission>,
    pub groups: Vec<GroupId>,
    pub manages: Vec<OrganizationId>,
    pub member_of: Vec<OrganizationId>,
}

/// What is to be altered; `None` and empty leave things as they are. One transaction.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    pub username: Option<String>,
    pub email: Option<String>,
    /// A new password: counts `password_version` up, which ends every session of the user.
    pub password_hash: Option<String>,
    pub is_active: Option<bool>,
    pub is_staff: Option<bool>,
    pub is_superuser: Option<bool>,
    pub expires: Option<Option<Timestamp>>,
    pub add_permissions: Vec<Permission>,
    pub remove_permissions: Vec<Permission>,
    pub add_groups: Vec<GroupId>,
    pub remove_groups: Vec<GroupId>,
    /// Becomes manager (a member becomes manager too).
    pub add_manages: Vec<OrganizationId>,
    /// Ends the management and with it the membership.
    pub remove_manages: Vec<OrganizationId>,
    /// Becomes a plain member (a manager becomes a plain member).
    pub add_member: Vec<OrganizationId>,
    pub remove_member: Vec<OrganizationId>,
}

/// What checking a password needs.
#[derive(Clone, Debug)]
pub struct PasswordRecord {
    pub user: UserId,
    /// PHC string; empty when the user has no password.
    pub password_hash: String,
}

impl Store {
    pub async fn add_user(&self, new: &NewAccount) -> Result<Account, StoreError> { todo!() }
    pub async fn find_user(&self, id_or_name: &str) -> Result<Account, StoreError> { todo!() }
    pub async fn users(&self) -> Result<Vec<Account>, StoreError> { todo!() }
    pub async fn change_user(&self, id: UserId, change: &AccountChange) -> Result<Account, StoreError> { todo!() }
    pub async fn remove_user(&self, id: UserId) -> Result<(), StoreError> { todo!() }
    /// By user name; `None` also for inactive and expired users.
    pub async fn password_of(&self, username: &str) -> Result<Option<PasswordRecord>, StoreError> { todo!() }
}
