//! Somebody who is logged in, as the policy sees them.

use std::collections::BTreeSet;

use super::{Permission, PermissionSet};
use crate::event::{OrganizationId, UserId};

/// An active user with the rights of the last commit. Inactive and expired users never become
/// one, and inactive organizations are left out of both sets: they count for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// The name used to log in.
    pub username: String,
    /// May everything, in every organization.
    pub is_superuser: bool,
    /// May use what is for staff: the sockets.
    pub is_staff: bool,
    /// Given directly or by a group.
    pub permissions: PermissionSet,
    /// Active organizations that the user administers.
    pub manages: BTreeSet<OrganizationId>,
    /// Active organizations that the user belongs to without managing them.
    pub member_of: BTreeSet<OrganizationId>,
    /// Counts the changes of the password: another number ends what the old one opened.
    pub password_version: i64,
}

impl User {
    /// Whether the user holds `permission`; a superuser holds all.
    #[must_use]
    pub fn has(&self, permission: Permission) -> bool {
        self.is_superuser || self.permissions.allows(permission)
    }

    /// Whether the user may act in `organization` as its manager; a superuser in any.
    #[must_use]
    pub fn manages(&self, organization: OrganizationId) -> bool {
        self.is_superuser || self.manages.contains(&organization)
    }
}
