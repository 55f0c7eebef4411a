//! The groups of OpenWISP's channel layer that are about what our topics are about.

use std::fmt;

use crate::event::{DeviceId, LocationId, OrganizationId};

const DEVICE: &str = "config.device-";
const LOCATION: &str = "loci.mobile-location.";
const ORGANIZATION: &str = "loci.mobile-location.organization.";
const COMMON: &str = "loci.mobile-location.common";

/// A group to which OpenWISP sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Group {
    /// Commands of a device (`openwisp_controller.config.base.channels_consumer`).
    Device(DeviceId),
    /// Moves of one location, with geometry and address alone (`django_loci.channels.receivers`).
    Location(LocationId),
    /// Moves of an organization's locations, sent after the commit (`openwisp_controller.geo.apps`,
    /// since 1.3).
    Organization(OrganizationId),
    /// Moves of every location, sent before the commit (`django_loci.channels.receivers`, since 1.3).
    Common,
}

impl Group {
    /// The group of this name, if it is one that we join.
    pub fn parse(name: &str) -> Option<Self> {
        if name == COMMON {
            Some(Self::Common)
        } else if let Some(id) = name.strip_prefix(ORGANIZATION) {
            id.parse().ok().map(Self::Organization)
        } else if let Some(id) = name.strip_prefix(LOCATION) {
            id.parse().ok().map(Self::Location)
        } else {
            name.strip_prefix(DEVICE)?.parse().ok().map(Self::Device)
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(id) => write!(f, "{DEVICE}{id}"),
            Self::Location(id) => write!(f, "{LOCATION}{id}"),
            Self::Organization(id) => write!(f, "{ORGANIZATION}{id}"),
            Self::Common => f.write_str(COMMON),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_reads_back_from_its_name() {
        for group in [
            Group::Device(DeviceId::random()),
            Group::Location(LocationId::random()),
            Group::Organization(OrganizationId::random()),
            Group::Common,
        ] {
            assert_eq!(Group::parse(&group.to_string()), Some(group));
        }
        for other in [
            "",
            "ow-notification-x",
            "config.device-x",
            "loci.mobile-location.",
        ] {
            assert_eq!(Group::parse(other), None, "{other}");
        }
    }
}
