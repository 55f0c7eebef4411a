//! Events and listeners, for the tests of what lets events in.

use std::sync::Arc;

use super::Ingest;
use crate::event::{
    CommandId, CommandStatus, CommandUpdated, DeviceId, LocationId, LocationMoved, LocationType,
    OrganizationId, Point, Timestamp,
};
use crate::hub::Hub;
use crate::hub::testing::{Listener, Listeners};

/// A door, and who may listen behind it.
pub fn house() -> (Ingest, Arc<Listeners>) {
    let hub = Arc::new(Hub::new(1));
    let listeners = Listeners::of(&hub);
    (Ingest::new(hub, Arc::default()), listeners)
}

/// A move that counts for the fleet as well; [`versions`] finds its version.
pub fn moved(id: LocationId, organization: OrganizationId, version: i64) -> LocationMoved {
    LocationMoved {
        id,
        organization,
        name: format!("version {version}"),
        address: String::new(),
        kind: LocationType::Outdoor,
        is_mobile: true,
        geometry: Point::new(1.0, 2.0).unwrap(),
        moved_version: version,
        fleet_version: version,
    }
}

/// An update of a command, or with `growth` its growing output.
pub fn grown(organization: OrganizationId, version: i64, growth: u32) -> CommandUpdated {
    CommandUpdated {
        id: CommandId::random(),
        device: DeviceId::random(),
        organization: Some(organization),
        connection: None,
        label: "Custom Command".into(),
        input: serde_json::Value::Null,
        output: format!("version {version}\""),
        status: CommandStatus::Running,
        created: Timestamp(0),
        modified: Timestamp(0),
        version,
        growth,
    }
}

/// The versions that reached a listener since the last call, in order.
pub fn versions(listener: &Listener) -> Vec<i64> {
    let frames = listener.heard();
    frames
        .iter()
        .map(|frame| {
            let text = String::from_utf8_lossy(frame.bytes());
            let after = text.split("version ").nth(1).unwrap();
            after.split('"').next().unwrap().parse().unwrap()
        })
        .collect()
}
