//! Who may listen to what, and who may do what: pure functions, default deny.
//!
//! The rules are sections 2 to 4 of the WebSocket API for sockets, and OpenWISP's model
//! permissions with tenancy for REST.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Action, Model, Permission, Resource, User};
use crate::event::{OrganizationId, Topic};

const VIEW_LOCATION: Permission = Permission::new(Action::View, Model::Location);

/// What a socket asks for, before anybody said whether it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feed {
    /// The commands of one device, or the moves of one location.
    Of(Resource),
    /// The moves of every mobile location of the organizations that the user manages.
    Fleet,
}

/// One of the three endpoints that sockets are opened at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Commands of a device.
    DeviceCommands,
    /// Moves of a location.
    Location,
    /// Moves of all locations that the user may see.
    Locations,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::DeviceCommands, Self::Location, Self::Locations];

    /// What it is called in metrics, logs and lists.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::DeviceCommands => "device_commands",
            Self::Location => "location",
            Self::Locations => "locations",
        }
    }
}

/// A word that is no endpoint.
#[derive(Debug, thiserror::Error)]
#[error("not device_commands, location or locations")]
pub struct UnknownEndpoint;

impl FromStr for Endpoint {
    type Err = UnknownEndpoint;

    fn from_str(text: &str) -> Result<Self, UnknownEndpoint> {
        let mut all = Self::ALL.into_iter();
        all.find(|it| it.label() == text).ok_or(UnknownEndpoint)
    }
}

impl Feed {
    /// Where it is asked for.
    #[must_use]
    pub const fn endpoint(self) -> Endpoint {
        match self {
            Self::Of(Resource::Device(_)) => Endpoint::DeviceCommands,
            Self::Of(Resource::Location(_)) => Endpoint::Location,
            Self::Fleet => Endpoint::Locations,
        }
    }
}

/// The topics that `feed` means for `user`, or `None` when the user may not listen to it.
///
/// `organization` is the one that the feed's resource belongs to, `None` if there is no such
/// resource (and for [`Feed::Fleet`], which has none).
#[must_use]
pub fn topics(user: &User, feed: Feed, organization: Option<OrganizationId>) -> Option<Vec<Topic>> {
    match feed {
        Feed::Of(resource) => {
            may_listen(user, resource, organization?).then(|| vec![topic_of(resource)])
        }
        Feed::Fleet if user.is_superuser => Some(vec![Topic::AllLocations]),
        Feed::Fleet => (user.is_staff && user.has(VIEW_LOCATION)).then(|| {
            user.manages
                .iter()
                .copied()
                .map(Topic::OrgLocations)
                .collect()
        }),
    }
}

fn topic_of(resource: Resource) -> Topic {
    match resource {
        Resource::Device(id) => Topic::DeviceCommands(id),
        Resource::Location(id) => Topic::Location(id),
    }
}

fn may_listen(user: &User, resource: Resource, organization: OrganizationId) -> bool {
    if user.is_superuser {
        return true;
    }
    let permitted = match resource {
        Resource::Device(_) => [Action::Add, Action::Change, Action::Delete]
            .into_iter()
            .all(|action| user.has(Permission::new(action, Model::Device))),
        Resource::Location(_) => user.has(VIEW_LOCATION),
    };
    user.is_staff && permitted && user.manages(organization)
}

/// Whether `user` may do `action` to a `model` in the organizations that the user manages: the
/// first question of REST; the second is whether the thing is in one of them.
#[must_use]
pub fn may(user: &User, action: Action, model: Model) -> bool {
    user.has(Permission::new(action, model))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::event::{DeviceId, LocationId, UserId};

    const DEVICE_RIGHTS: [&str; 3] = [
        "config.add_device",
        "config.change_device",
        "config.delete_device",
    ];

    fn user(flags: &str, permissions: &[&str], manages: &[OrganizationId]) -> User {
        User {
            id: UserId::random(),
            username: "ada".into(),
            is_superuser: flags.contains("super"),
            is_staff: flags.contains("staff"),
            permissions: permissions
                .iter()
                .map(|name| name.parse().unwrap())
                .collect(),
            manages: manages.iter().copied().collect(),
            member_of: BTreeSet::new(),
            password_version: 1,
        }
    }

    /// Who may listen to a thing of organization `own`: (location, device commands) for each kind.
    #[test]
    fn one_resource_needs_staff_permission_and_management_together() {
        let (own, other) = (OrganizationId::random(), OrganizationId::random());
        let (location, device) = (
            Feed::Of(Resource::Location(LocationId::random())),
            Feed::Of(Resource::Device(DeviceId::random())),
        );
        let view = ["geo.view_location"];
        let cases: [(&str, User, bool, bool); 12] = [
            ("superuser", user("super", &[], &[]), true, true),
            ("viewer", user("staff", &view, &[own]), true, false),
            (
                "changer",
                user("staff", &["geo.change_location"], &[own]),
                true,
                false,
            ),
            (
                "adder",
                user("staff", &["geo.add_location"], &[own]),
                false,
                false,
            ),
            (
                "deleter",
                user("staff", &["geo.delete_location"], &[own]),
                false,
                false,
            ),
            (
                "viewer elsewhere",
                user("staff", &view, &[other]),
                false,
                false,
            ),
            ("viewer nowhere", user("staff", &view, &[]), false, false),
            ("not staff", user("", &view, &[own]), false, false),
            (
                "without permission",
                user("staff", &[], &[own]),
                false,
                false,
            ),
            (
                "device operator",
                user("staff", &DEVICE_RIGHTS, &[own]),
                false,
                true,
            ),
            (
                "with half the rights",
                user("staff", &DEVICE_RIGHTS[..2], &[own]),
                false,
                false,
            ),
            (
                "device operator elsewhere",
                user("staff", &DEVICE_RIGHTS, &[other]),
                false,
                false,
            ),
        ];
        for (who, user, sees_location, sees_commands) in cases {
            assert_eq!(
                topics(&user, location, Some(own)).is_some(),
                sees_location,
                "{who}"
            );
            assert_eq!(
                topics(&user, device, Some(own)).is_some(),
                sees_commands,
                "{who}"
            );
        }
    }

    #[test]
    fn what_does_not_exist_is_refused_to_everybody() {
        let root = user("super staff", &[], &[]);
        let nowhere = Feed::Of(Resource::Location(LocationId::random()));
        assert_eq!(topics(&root, nowhere, None), None);
    }

    #[test]
    fn the_fleet_is_everything_for_a_superuser_and_the_managed_organizations_for_others() {
        let own = OrganizationId::random();
        let view = ["geo.view_location"];
        let cases: [(&str, User, Option<Vec<Topic>>); 6] = [
            (
                "superuser",
                user("super", &[], &[]),
                Some(vec![Topic::AllLocations]),
            ),
            (
                "viewer",
                user("staff", &view, &[own]),
                Some(vec![Topic::OrgLocations(own)]),
            ),
            ("manager of none", user("staff", &view, &[]), Some(vec![])),
            ("not staff", user("", &view, &[own]), None),
            ("without permission", user("staff", &[], &[own]), None),
            (
                "device operator",
                user("staff", &DEVICE_RIGHTS, &[own]),
                None,
            ),
        ];
        for (who, user, expected) in cases {
            assert_eq!(topics(&user, Feed::Fleet, None), expected, "{who}");
        }
    }
}
