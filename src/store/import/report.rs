//! What an import did, or would do.

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

/// The kinds of what is imported, in the order in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportKind {
    /// Tenants.
    Organizations,
    /// Groups of users.
    Groups,
    /// Users.
    Users,
    /// Users' places in organizations.
    Memberships,
    /// Devices.
    Devices,
    /// SSH login data.
    Credentials,
    /// Devices' uses of it.
    Connections,
    /// Locations.
    Locations,
    /// Which device is at which location.
    DeviceLocations,
}

/// What became of the things of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportCount {
    /// Made here.
    pub new: u64,
    /// Here before, and altered.
    pub changed: u64,
    /// Here before, and left as they are.
    pub unchanged: u64,
    /// Removed here, because they are gone there.
    pub removed: u64,
    /// Not taken.
    pub left_out: u64,
}

/// How much a remark takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Matter {
    /// The thing is not taken.
    LeftOut,
    /// The thing is taken, but not all of it.
    InPart,
    /// The thing is gone there, and kept here.
    Gone,
}

/// Something to tell about one thing. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportRemark {
    /// What kind of thing.
    pub kind: ImportKind,
    /// What it is called.
    pub name: String,
    /// How much it takes away.
    pub matter: Matter,
    /// Why.
    pub reason: String,
}

/// A thing that is there and cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// What kind of thing.
    pub kind: ImportKind,
    /// Its identifier.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default)]
pub struct ImportReport {
    /// A count a kind.
    pub counts: Vec<(ImportKind, ImportCount)>,
    /// All that is to be told of single things.
    pub remarks: Vec<ImportRemark>,
}

impl ImportKind {
    /// All, in order.
    pub const ALL: [Self; 9] = [
        Self::Organizations,
        Self::Groups,
        Self::Users,
        Self::Memberships,
        Self::Devices,
        Self::Credentials,
        Self::Connections,
        Self::Locations,
        Self::DeviceLocations,
    ];

    /// What the audit log calls one.
    pub(super) fn model(self) -> &'static str {
        match self {
            Self::Organizations => "Organization",
            Self::Groups => "Group",
            Self::Users => "User",
            Self::Memberships => "OrganizationUser",
            Self::Devices => "Device",
            Self::Credentials => "Credentials",
            Self::Connections => "DeviceConnection",
            Self::Locations => "Location",
            Self::DeviceLocations => "DeviceLocation",
        }
    }

    /// Whether it only relates two things: gone there, it goes here.
    pub(super) fn is_relation(self) -> bool {
        matches!(
            self,
            Self::Memberships | Self::Connections | Self::DeviceLocations
        )
    }
}

impl fmt::Display for ImportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Organizations => "organizations",
            Self::Groups => "groups",
            Self::Users => "users",
            Self::Memberships => "memberships",
            Self::Devices => "devices",
            Self::Credentials => "credentials",
            Self::Connections => "connections",
            Self::Locations => "locations",
            Self::DeviceLocations => "device locations",
        })
    }
}
