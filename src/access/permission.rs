//! Permissions, named as Django names OpenWISP's: `app.action_model`.

use std::fmt;
use std::str::FromStr;

/// What is done to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Action {
    /// Make a new one.
    Add,
    /// Alter one; implies [`Action::View`].
    Change,
    /// Remove one.
    Delete,
    /// Read one.
    View,
}

/// The kinds of thing that permissions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Model {
    /// A device.
    Device,
    /// A command run on a device.
    Command,
    /// SSH login data.
    Credentials,
    /// A device's use of SSH login data.
    DeviceConnection,
    /// A location.
    Location,
    /// Which location a device is at.
    DeviceLocation,
    /// A user.
    User,
    /// A group of users.
    Group,
    /// An organization.
    Organization,
    /// A user's place in an organization.
    OrganizationUser,
}

const ACTIONS: [(Action, &str); 4] = [
    (Action::Add, "add"),
    (Action::Change, "change"),
    (Action::Delete, "delete"),
    (Action::View, "view"),
];

/// Django's app label and model name of each, as in OpenWISP's `django_content_type`.
const MODELS: [(Model, &str, &str); 10] = [
    (Model::Device, "config", "device"),
    (Model::Command, "connection", "command"),
    (Model::Credentials, "connection", "credentials"),
    (Model::DeviceConnection, "connection", "deviceconnection"),
    (Model::Location, "geo", "location"),
    (Model::DeviceLocation, "geo", "devicelocation"),
    (Model::User, "openwisp_users", "user"),
    (Model::Group, "openwisp_users", "group"),
    (Model::Organization, "openwisp_users", "organization"),
    (
        Model::OrganizationUser,
        "openwisp_users",
        "organizationuser",
    ),
];

/// The right to do one thing to one kind of thing, such as `geo.view_location`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Permission {
    /// To what.
    pub model: Model,
    /// What.
    pub action: Action,
}

/// A text that names no permission.
#[derive(Debug, thiserror::Error)]
#[error("there is no permission \"{0}\"; permissions are named like geo.view_location")]
pub struct UnknownPermission(pub String);

impl Permission {
    /// To do `action` to a `model`.
    #[must_use]
    pub const fn new(action: Action, model: Model) -> Self {
        Self { model, action }
    }

    /// Every permission there is.
    pub fn all() -> impl Iterator<Item = Self> {
        MODELS.into_iter().flat_map(|(model, ..)| {
            ACTIONS
                .into_iter()
                .map(move |(action, _)| Self { model, action })
        })
    }

    const fn bit(self) -> u64 {
        1 << (self.model as u64 * ACTIONS.len() as u64 + self.action as u64)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, app, model) = MODELS[self.model as usize];
        let (_, action) = ACTIONS[self.action as usize];
        write!(f, "{app}.{action}_{model}")
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (app, name) = text.split_once('.')?;
            let (action, model) = name.split_once('_')?;
            let (action, _) = ACTIONS.into_iter().find(|(_, name)| *name == action)?;
            let mut models = MODELS.into_iter();
            let (model, ..) = models.find(|(_, of, name)| (*of, *name) == (app, model))?;
            Some(Self { model, action })
        };
        parse().ok_or_else(|| UnknownPermission(text.to_owned()))
    }
}

/// A set of permissions, one bit each: cheap to keep for every user with an open socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(u64);

impl PermissionSet {
    /// Whether `permission` was given. Change implies view, as in OpenWISP.
    #[must_use]
    pub fn allows(self, permission: Permission) -> bool {
        let mut enough = permission.bit();
        if permission.action == Action::View {
            enough |= Permission::new(Action::Change, permission.model).bit();
        }
        self.0 & enough != 0
    }

    /// The permissions that were given, without those that they imply.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::all().filter(move |permission| self.0 & permission.bit() != 0)
    }

    /// Those of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those of one of the two.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(
            permissions
                .into_iter()
                .fold(0, |set, permission| set | permission.bit()),
        )
    }
}

impl Extend<Permission> for PermissionSet {
    fn extend<I: IntoIterator<Item = Permission>>(&mut self, permissions: I) {
        self.0 |= permissions.into_iter().collect::<Self>().0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_reads_back_from_its_name() {
        for permission in Permission::all() {
            assert_eq!(
                permission.to_string().parse::<Permission>().unwrap(),
                permission
            );
        }
        assert_eq!(Permission::all().count(), 40);
        assert!("geo.fly_location".parse::<Permission>().is_err());
    }

    #[test]
    fn change_implies_view_and_nothing_else_does() {
        let set: PermissionSet = ["geo.change_location".parse::<Permission>().unwrap()]
            .into_iter()
            .collect();
        assert!(set.allows(Permission::new(Action::View, Model::Location)));
        assert!(!set.allows(Permission::new(Action::Delete, Model::Location)));
        let set: PermissionSet = ["geo.delete_location".parse::<Permission>().unwrap()]
            .into_iter()
            .collect();
        assert!(!set.allows(Permission::new(Action::View, Model::Location)));
    }
}
