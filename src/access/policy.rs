//! Who may listen to what, and who may do what: pure functions, default deny.
//!
//! The rules are sections 2 to 4 of the WebSocket API for sockets, and OpenWISP's model
//! permissions with tenancy for REST.

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
