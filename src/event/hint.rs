//! An event as it travels between nodes: JSON, whatever carries it.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    CommandUpdated, Event, LocationId, LocationMoved, LocationType, OrganizationId, Point,
};

/// An [`Event`] that can be written and read back.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Written {
    Location(Moved),
    Command(CommandUpdated),
}

#[derive(Serialize, Deserialize)]
struct Moved {
    id: LocationId,
    organization: OrganizationId,
    name: String,
    address: String,
    kind: LocationType,
    is_mobile: bool,
    longitude: f64,
    latitude: f64,
    version: i64,
    fleet_version: i64,
}

impl From<&LocationMoved> for Moved {
    fn from(moved: &LocationMoved) -> Self {
        Self {
            id: moved.id,
            organization: moved.organization,
            name: moved.name.clone(),
            address: moved.address.clone(),
            kind: moved.kind,
            is_mobile: moved.is_mobile,
            longitude: moved.geometry.longitude(),
            latitude: moved.geometry.latitude(),
            version: moved.moved_version,
            fleet_version: moved.fleet_version,
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match self {
            Self::CommandUpdated(updated) => Written::Command(updated.clone()),
            Self::LocationMoved(moved) => Written::Location(moved.into()),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Command(updated) => Self::CommandUpdated(updated),
            Written::Location(moved) => Self::LocationMoved(LocationMoved {
                geometry: Point::new(moved.longitude, moved.latitude).map_err(D::Error::custom)?,
                id: moved.id,
                organization: moved.organization,
                name: moved.name,
                address: moved.address,
                kind: moved.kind,
                is_mobile: moved.is_mobile,
                moved_version: moved.version,
                fleet_version: moved.fleet_version,
            }),
        })
    }
}

impl Event {
    /// The event as text, to be read by [`Event::read`].
    ///
    /// # Panics
    /// Never: texts, identifiers, instants and finite numbers always become JSON.
    #[must_use]
    pub fn written(&self) -> String {
        serde_json::to_string(self).expect("an event is plain JSON")
    }

    /// The event in a text; `None` where there is none that we understand.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::event::{CommandId, CommandStatus, DeviceId, Timestamp};

    fn moved() -> Event {
        Event::LocationMoved(LocationMoved {
            id: LocationId::random(),
            organization: OrganizationId::random(),
            name: "Bus \"1\"".into(),
            address: "Vía Ñandú 1".into(),
            kind: LocationType::Indoor,
            is_mobile: true,
            geometry: Point::new(0.1 + 0.2, -33.333_333_333_333_336).unwrap(),
            moved_version: 7,
            fleet_version: 6,
        })
    }

    #[test]
    fn an_event_comes_back_as_it_was() {
        let updated = Event::CommandUpdated(CommandUpdated {
            id: CommandId::random(),
            device: DeviceId::random(),
            organization: Some(OrganizationId::random()),
            connection: None,
            label: "Custom Command".into(),
            input: json!({"command": "uptime"}),
            output: "up\n".into(),
            status: CommandStatus::Failed,
            created: Timestamp(1),
            modified: Timestamp(2),
            version: 3,
            growth: 4,
        });
        for event in [moved(), updated] {
            assert_eq!(Event::read(&event.written()).as_ref(), Some(&event));
        }
    }

    /// A node of an earlier version beside this one names no organization of a command, and a later one may
    /// say more than we know.
    #[test]
    fn what_other_versions_write_is_read() {
        let event = Event::read(
            r#"{"command":{"id":"ef6c2620-288b-49e1-9f23-42143fbf2b8e","device":"5fdbde33-1887-405b-8e3b-730dd242c9aa","connection":null,"label":"Reboot","input":null,"output":"","status":"running","created":"2026-11-18T11:06:40.000000Z","modified":"2026-11-18T11:06:40.500000Z","version":2,"growth":0,"mood":"good"}}"#,
        );
        let Some(Event::CommandUpdated(updated)) = event else {
            panic!("{event:?}");
        };
        assert_eq!((updated.organization, updated.version), (None, 2));
    }

    #[test]
    fn what_is_no_event_is_none() {
        let mut far: Value = serde_json::from_str(&moved().written()).unwrap();
        far["location"]["latitude"] = json!(91);
        for text in ["", "{}", "null", r#"{"location":{}}"#, &far.to_string()] {
            assert_eq!(Event::read(text), None, "{text}");
        }
    }
}
