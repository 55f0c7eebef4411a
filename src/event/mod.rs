//! What moves through the house: plain data, no I/O.
//!
//! A committed change becomes an [`Event`], the event is encoded once into a [`Frame`], and the
//! frame is handed to every subscriber of the event's [`Topic`]s.

mod address;
mod command;
mod cursor;
mod frame;
mod hint;
mod id;
mod location;
mod timestamp;
mod topic;

pub use address::{Address, AddressError};
pub use command::{CommandStatus, CommandUpdated};
pub use cursor::Cursor;
pub use frame::Frame;
pub use id::{
    AuditId, BatchId, CommandId, ConnectionId, CredentialId, DeviceId, GroupId, InquiryId,
    LocationId, NodeId, OrganizationId, SessionId, SocketId, SubjectId, TokenId, UserId,
};
pub use location::{LocationMoved, LocationType, Point, PointError, UnknownLocationType};
pub use timestamp::{Timestamp, TimestampError};
pub use topic::Topic;

/// A change that somebody may watch, as a whole snapshot.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A location's geometry was updated.
    LocationMoved(LocationMoved),
    /// A command was updated after its creation.
    CommandUpdated(CommandUpdated),
}

impl Event {
    /// Whose it is; `None` where that is not known.
    #[must_use]
    pub fn organization(&self) -> Option<OrganizationId> {
        match self {
            Self::LocationMoved(moved) => Some(moved.organization),
            Self::CommandUpdated(updated) => updated.organization,
        }
    }

    /// What a newer snapshot of it replaces.
    #[must_use]
    pub fn subject(&self) -> SubjectId {
        match self {
            Self::LocationMoved(moved) => moved.subject(),
            Self::CommandUpdated(updated) => updated.subject(),
        }
    }
}
