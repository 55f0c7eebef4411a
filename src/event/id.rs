//! Identifiers: one newtype a thing, so that a device's id is never taken for a location's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new random (version 4) identifier, as OpenWISP's models make them.
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// A tenant.
    OrganizationId,
    /// Somebody who logs in.
    UserId,
    /// A named set of permissions that users share.
    GroupId,
    /// Something that reports coordinates and that commands run on.
    DeviceId,
    /// A place, or a vehicle's present place.
    LocationId,
    /// SSH login data.
    CredentialId,
    /// A device's use of SSH login data.
    ConnectionId,
    /// One execution on one device.
    CommandId,
    /// One command on many devices.
    BatchId,
    /// A running program that claims commands.
    NodeId,
    /// An open socket.
    SocketId,
    /// Something that is asked of all nodes.
    InquiryId,
    /// A line of the audit log.
    AuditId,
    /// A browser's login.
    SessionId,
    /// An API token.
    TokenId,
}

/// What a snapshot is of: the location or command whose newer state replaces its older one.
/// Random UUIDs do not collide between kinds, so the kind is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubjectId(pub Uuid);

impl From<LocationId> for SubjectId {
    fn from(id: LocationId) -> Self {
        Self(id.0)
    }
}

impl From<CommandId> for SubjectId {
    fn from(id: CommandId) -> Self {
        Self(id.0)
    }
}
