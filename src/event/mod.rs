//! What moves through the house: plain data, no I/O.
//!
//! A committed change becomes an event ([`LocationMoved`]), the event is encoded once into a
//! [`Frame`], and the frame is handed to every subscriber of the event's [`Topic`]s.

mod cursor;
mod frame;
mod id;
mod location;
mod timestamp;
mod topic;

pub use cursor::Cursor;
pub use frame::Frame;
pub use id::{
    DeviceId, GroupId, LocationId, OrganizationId, SessionId, SubjectId, TokenId, UserId,
};
pub use location::{LocationMoved, LocationType, Point, PointError, UnknownLocationType};
pub use timestamp::{Timestamp, TimestampError};
pub use topic::Topic;
