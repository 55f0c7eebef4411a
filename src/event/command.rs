//! A command's change: the snapshot that section 2 of the WebSocket API sends.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CommandId, ConnectionId, DeviceId, OrganizationId, SubjectId, Timestamp, Topic};

/// Live snapshots that may lie between two updates of the row: far more than a second can hold.
const GROWTHS: i64 = 1 << 20;

/// Where a command stands. The last two are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "TEXT", rename_all = "lowercase")]
pub enum CommandStatus {
    /// Waits for its turn on the device.
    Queued,
    /// A node has claimed it.
    Running,
    /// The device did it and said so.
    Success,
    /// Anything else; the output says what.
    Failed,
}

impl CommandStatus {
    /// Whether nothing will change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failed)
    }

    /// The contract's word for it, which does not tell queued from running.
    #[must_use]
    pub fn on_the_wire(self) -> &'static str {
        match self {
            Self::Queued | Self::Running => "in-progress",
            Self::Success => "success",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for CommandStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.on_the_wire())
    }
}

/// A command right after an update: the whole snapshot, and what orders it among the others of the
/// same command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandUpdated {
    /// The command.
    pub id: CommandId,
    /// What it runs on.
    pub device: DeviceId,
    /// Whose it is; `None` where an earlier version of fleetwire told of it.
    pub organization: Option<OrganizationId>,
    /// The login that is used, once that is known.
    pub connection: Option<ConnectionId>,
    /// The display name of its type.
    pub label: String,
    /// Its input, secrets masked; null for a type that takes none.
    pub input: Value,
    /// What the device has printed so far.
    pub output: String,
    /// Where it stands.
    pub status: CommandStatus,
    /// When it was made.
    pub created: Timestamp,
    /// When it was updated last.
    pub modified: Timestamp,
    /// Updates of the row so far.
    pub version: i64,
    /// Counts the snapshots of growing output between that update and the next, which are pushed
    /// more often than they are saved; 0 for the update itself.
    pub growth: u32,
}

/// The message of the contract, its keys in the contract's order.
#[derive(Serialize)]
struct Message<'a> {
    model: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: CommandId,
    device: DeviceId,
    connection: Option<ConnectionId>,
    #[serde(rename = "type")]
    label: &'a str,
    input: &'a Value,
    output: &'a str,
    status: &'static str,
    created: Timestamp,
    modified: Timestamp,
}

impl CommandUpdated {
    /// What a newer snapshot of this command replaces.
    #[must_use]
    pub fn subject(&self) -> SubjectId {
        self.id.into()
    }

    /// The topic of those who watch the device.
    #[must_use]
    pub fn topic(&self) -> Topic {
        Topic::DeviceCommands(self.device)
    }

    /// Orders the snapshots of one command: by update, and between two of them by growth. So the
    /// update that ends a command is newer than all that was pushed before it, also when the node
    /// that pushed is gone.
    #[must_use]
    pub fn order(&self) -> i64 {
        Self::order_of(self.version) + i64::from(self.growth).min(GROWTHS - 1)
    }

    /// The number of the row's update that a snapshot of this [`order`](Self::order) follows.
    #[must_use]
    pub fn version_of(order: i64) -> i64 {
        order / GROWTHS
    }

    /// The [`order`](Self::order) of the row's update number `version`, before any growth.
    #[must_use]
    pub fn order_of(version: i64) -> i64 {
        version.saturating_mul(GROWTHS)
    }

    /// The JSON text of the message (section 2 of the WebSocket API).
    ///
    /// # Panics
    /// Never: texts, identifiers, instants and JSON values always become JSON.
    #[must_use]
    pub fn message(&self) -> String {
        let message = Message {
            model: "Command",
            data: Data {
                id: self.id,
                device: self.device,
                connection: self.connection,
                label: &self.label,
                input: &self.input,
                output: &self.output,
                status: self.status.on_the_wire(),
                created: self.created,
                modified: self.modified,
            },
        };
        // Instants are this machine's and within what can be written; the rest is plain JSON.
        serde_json::to_string(&message).expect("a command's message is plain JSON")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn updated() -> CommandUpdated {
        CommandUpdated {
            id: "ef6c2620-288b-49e1-9f23-42143fbf2b8e".parse().unwrap(),
            device: "5fdbde33-1887-405b-8e3b-730dd242c9aa".parse().unwrap(),
            organization: None,
            connection: None,
            label: "Custom Command".into(),
            input: json!({"command": "echo più"}),
            output: "più\n".into(),
            status: CommandStatus::Running,
            created: Timestamp(1_795_000_000_000_000),
            modified: Timestamp(1_795_000_000_500_000),
            version: 2,
            growth: 0,
        }
    }

    #[test]
    fn message_has_the_contracts_keys_in_the_contracts_order_and_utf8_text() {
        assert_eq!(
            updated().message(),
            r#"{"model":"Command","data":{"id":"ef6c2620-288b-49e1-9f23-42143fbf2b8e","device":"5fdbde33-1887-405b-8e3b-730dd242c9aa","connection":null,"type":"Custom Command","input":{"command":"echo più"},"output":"più\n","status":"in-progress","created":"2026-11-18T11:06:40.000000Z","modified":"2026-11-18T11:06:40.500000Z"}}"#
        );
    }

    #[test]
    fn queued_and_running_are_both_in_progress_on_the_wire() {
        let words = [
            (CommandStatus::Queued, "in-progress"),
            (CommandStatus::Running, "in-progress"),
            (CommandStatus::Success, "success"),
            (CommandStatus::Failed, "failed"),
        ];
        for (status, word) in words {
            assert_eq!(status.on_the_wire(), word);
            assert_eq!(status.is_final(), word != "in-progress");
        }
    }

    #[test]
    fn growth_lies_between_two_updates() {
        let update = updated();
        let grown = CommandUpdated {
            growth: u32::MAX,
            ..update.clone()
        };
        let next = CommandUpdated {
            version: 3,
            ..update.clone()
        };
        assert!(update.order() < grown.order());
        assert_eq!(CommandUpdated::version_of(grown.order()), update.version);
        assert!(grown.order() < next.order());
    }
}
