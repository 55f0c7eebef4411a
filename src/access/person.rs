//! Somebody who is administered.

use std::collections::BTreeMap;

use super::PermissionSet;
use crate::event::{GroupId, OrganizationId, Timestamp, UserId};

/// A user with everything that gives rights, as it is kept: active or not, in inactive organizations
/// too. What administration compares, where [`User`](super::User) is what counts now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// What the user is called.
    pub profile: Profile,
    /// An inactive user counts for nothing.
    pub is_active: bool,
    /// May use what is for staff.
    pub is_staff: bool,
    /// May everything.
    pub is_superuser: bool,
    /// When the account ends by itself.
    pub expires: Option<Timestamp>,
    /// Given directly.
    pub permissions: PermissionSet,
    /// Groups, and what each gives.
    pub groups: BTreeMap<GroupId, PermissionSet>,
    /// Organizations, and whether the user manages them.
    pub memberships: BTreeMap<OrganizationId, bool>,
}

/// What a user is called and reached by: gives no right, but whose it is decides who may be taken for
/// whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The name used to log in.
    pub username: String,
    /// Or empty.
    pub email: String,
    /// Or empty.
    pub first_name: String,
    /// Or empty.
    pub last_name: String,
}

impl Person {
    /// Somebody new, without any right.
    #[must_use]
    pub fn blank() -> Self {
        Self {
            id: UserId::random(),
            profile: Profile::default(),
            is_active: true,
            is_staff: false,
            is_superuser: false,
            expires: None,
            permissions: PermissionSet::default(),
            groups: BTreeMap::new(),
            memberships: BTreeMap::new(),
        }
    }

    /// Given directly or by a group.
    #[must_use]
    pub fn all_permissions(&self) -> PermissionSet {
        let given = self.groups.values().copied();
        given.fold(self.permissions, PermissionSet::with)
    }

    /// Whether this is a superuser who counts, and will: not only until some day.
    #[must_use]
    pub fn is_lasting_superuser(&self) -> bool {
        self.is_superuser && self.is_active && self.expires.is_none()
    }
}
