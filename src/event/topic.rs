//! What can be subscribed to.

use super::{DeviceId, LocationId, OrganizationId};

/// One stream of events inside the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Every change of a device's commands after their creation.
    DeviceCommands(DeviceId),
    /// Every update of one location's geometry, mobile or not.
    Location(LocationId),
    /// The moves of one organization's mobile locations.
    OrgLocations(OrganizationId),
    /// The moves of every organization's mobile locations: a superuser's feed.
    AllLocations,
}
