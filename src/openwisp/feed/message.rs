//! What a message of OpenWISP says, and to whom: its content goes on as it is.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::arrivals::State;
use super::group::Group;
use crate::event::{LocationId, SubjectId, Timestamp, Topic};
use crate::openwisp::tables::{CommandRow, LocationRow};

/// The input of Change Password as OpenWISP shows it once the command has run.
const MASKED: &str = "********";

/// How long `openwisp_controller.connection.commands` lets a password be, in characters.
const PASSWORD_LENGTHS: RangeInclusive<usize> = 6..=30;

/// The labels that OpenWISP's own command types have unless they are translated.
const CUSTOM: &str = "Custom commands";
const REBOOT: &str = "Reboot";
const CHANGE_PASSWORD: &str = "Change password";

/// Something to be told.
pub(super) struct Told {
    pub topics: Vec<Topic>,
    pub subject: SubjectId,
    pub state: State,
    /// The JSON text.
    pub text: String,
}

/// A message that is no JSON object where one belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotOurs;

/// What is sent to a location's own group: all there is before 1.3.
pub(super) struct Moved {
    pub geometry: Value,
    /// Not yet sent by 1.1.
    pub address: Option<Value>,
}

impl Told {
    /// What a `message` to a device's, an organization's or the common group tells.
    pub fn of_message(group: Group, message: Value) -> Result<Self, NotOurs> {
        match group {
            Group::Device(device) => {
                let Value::Object(mut object) = message else {
                    return Err(NotOurs);
                };
                // The name of the consumer's method; the rest is what it sends.
                object.shift_remove("type");
                mask(&mut object);
                let data = object.get("data").unwrap_or(&Value::Null);
                let state = command_state(&data["modified"], &data["status"]);
                let subject = subject(&data["id"]);
                Ok(Self::new(
                    vec![Topic::DeviceCommands(device)],
                    subject,
                    state,
                    &object,
                ))
            }
            Group::Common => {
                let location = content(message)?;
                Ok(Self::of_location(vec![Topic::AllLocations], &location))
            }
            Group::Organization(organization) => {
                let location = content(message)?;
                let mut topics = vec![Topic::OrgLocations(organization)];
                let id = location.get("id").and_then(uuid);
                topics.extend(id.map(|id| Topic::Location(LocationId(id))));
                Ok(Self::of_location(topics, &location))
            }
            Group::Location(_) => Err(NotOurs),
        }
    }

    /// What a row tells to whoever watches the location, as OpenWISP would say it; nothing where it has no
    /// geometry.
    pub fn of_location_row(row: &LocationRow) -> Option<Self> {
        row.geometry.as_ref()?;
        let mut topics = vec![Topic::Location(row.id), Topic::AllLocations];
        topics.extend(row.organization.map(Topic::OrgLocations));
        Some(Self::of_location(topics, &location(row, None)))
    }

    /// What a message with geometry and address alone tells, with the rest from the row.
    pub fn of_moved(row: &LocationRow, moved: Moved) -> Self {
        let mut topics = vec![Topic::Location(row.id), Topic::AllLocations];
        topics.extend(row.organization.map(Topic::OrgLocations));
        Self::of_location(topics, &location(row, Some(moved)))
    }

    /// What a row of a command tells, as `CommandSerializer` of `openwisp_controller.connection` would;
    /// instants are in UTC, and a type that only this OpenWISP has is called by its key.
    pub fn of_command_row(row: &CommandRow) -> Self {
        let label = match row.kind.as_str() {
            "custom" => CUSTOM,
            "reboot" => REBOOT,
            "change_password" => CHANGE_PASSWORD,
            other => other,
        };
        let data = json!({
            "id": row.id,
            "input": input(row),
            "device": row.device,
            "connection": row.connection,
            "created": row.created,
            "modified": row.modified,
            "status": row.status,
            "type": label,
            "output": row.output,
        });
        let state = command_state(&data["modified"], &data["status"]);
        let mut object = Map::new();
        object.insert("model".into(), "Command".into());
        object.insert("data".into(), data);
        Self::new(
            vec![Topic::DeviceCommands(row.device)],
            row.id.into(),
            state,
            &object,
        )
    }

    fn of_location(topics: Vec<Topic>, location: &Map<String, Value>) -> Self {
        let empty = Value::Null;
        let of = |key: &str| location.get(key).unwrap_or(&empty);
        let state = State::of(&["geometry", "address", "name", "type", "is_mobile"].map(of));
        Self::new(topics, subject(of("id")), state, location)
    }

    fn new(
        topics: Vec<Topic>,
        subject: SubjectId,
        state: State,
        object: &Map<String, Value>,
    ) -> Self {
        // What came as JSON, or is made of texts and finite numbers, is written as JSON.
        let text = serde_json::to_string(object).unwrap_or_default();
        Self {
            topics,
            subject,
            state,
            text,
        }
    }
}

impl Moved {
    /// The two fields of a `message` to a location's own group; before 1.2 the message is the geometry.
    pub fn of_message(message: Value) -> Result<Self, NotOurs> {
        let mut content = content(message)?;
        Ok(match content.shift_remove("geometry") {
            Some(geometry) => Self {
                geometry,
                address: content.shift_remove("address"),
            },
            None if content.contains_key("type") => Self {
                geometry: content.into(),
                address: None,
            },
            None => return Err(NotOurs),
        })
    }
}

/// What `send_message` of `django_loci.channels.base` sends: the key `message` alone.
fn content(message: Value) -> Result<Map<String, Value>, NotOurs> {
    let Value::Object(mut object) = message else {
        return Err(NotOurs);
    };
    match object.shift_remove("message") {
        Some(Value::Object(content)) => Ok(content),
        _ => Err(NotOurs),
    }
}

/// The six fields, in the order in which OpenWISP sends them.
fn location(row: &LocationRow, moved: Option<Moved>) -> Map<String, Value> {
    let (geometry, address) = match moved {
        Some(moved) => {
            let address = moved.address.unwrap_or_else(|| row.address.clone().into());
            (moved.geometry, address)
        }
        None => (
            row.geometry.clone().unwrap_or(Value::Null),
            row.address.clone().into(),
        ),
    };
    [
        ("id", row.id.to_string().into()),
        ("geometry", geometry),
        ("address", address),
        ("name", row.name.clone().into()),
        ("type", row.kind.clone().into()),
        ("is_mobile", row.is_mobile.into()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// `input_data` of OpenWISP's command: the command line, or the values of the input in a row.
fn input(row: &CommandRow) -> String {
    if row.kind == "change_password" {
        return MASKED.to_owned();
    }
    let values = row
        .input
        .as_ref()
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let texts = values.map(|(_, value)| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// A command that is saved before its end would carry its secret: a secret never travels.
fn mask(message: &mut Map<String, Value>) {
    let Some(Value::Object(data)) = message.get_mut("data") else {
        return;
    };
    let label = data.get("type").and_then(Value::as_str);
    let is_change = label == Some(CHANGE_PASSWORD);
    // A command line may say anything twice.
    let may_be_change = label != Some(CUSTOM);
    match data.get_mut("input") {
        Some(Value::Object(values)) => {
            for (_, value) in values.iter_mut().filter(|(key, _)| is_secret(key)) {
                *value = MASKED.into();
            }
        }
        Some(input) if is_change && !input.is_null() => *input = MASKED.into(),
        Some(Value::String(input)) if may_be_change && is_said_twice(input) => {
            *input = MASKED.into();
        }
        _ => {}
    }
}

/// The properties of Change Password.
fn is_secret(key: &str) -> bool {
    matches!(key, "password" | "confirm_password")
}

/// Whether `input` is what OpenWISP makes of a password and its confirmation: both, with a comma between. The label
/// tells nothing where it is translated.
fn is_said_twice(input: &str) -> bool {
    const BETWEEN: &str = ", ";
    let Some(length) = input.len().checked_sub(BETWEEN.len()) else {
        return false;
    };
    let Some((first, rest)) = input.split_at_checked(length / 2) else {
        return false;
    };
    PASSWORD_LENGTHS.contains(&first.chars().count()) && rest.strip_prefix(BETWEEN) == Some(first)
}

fn uuid(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}

/// What a newer message replaces; one that says not what it is about is never replaced.
fn subject(id: &Value) -> SubjectId {
    SubjectId(uuid(id).unwrap_or_else(Uuid::new_v4))
}

/// The state of a command. Its instant counts, in whatever offset it is written.
fn command_state(modified: &Value, status: &Value) -> State {
    let instant = modified
        .as_str()
        .and_then(|text| text.parse::<Timestamp>().ok());
    let instant = instant.map_or_else(|| modified.clone(), |it| it.to_string().into());
    State::of(&[&instant, status])
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
