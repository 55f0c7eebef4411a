//! The command types that come along, with OpenWISP's inputs
//! (`openwisp_controller/connection/commands.py`).

use serde_json::{Value, json};

use super::{CommandType, Execution, FIELD, Kind};
use crate::config::{InputSchema, MASK};
use crate::store::FieldErrors;

/// `custom`, `reboot` and `change_password`.
pub(super) fn all() -> Vec<CommandType> {
    let custom = json!({
        "title": "Custom Command",
        "type": "object",
        "properties": {
            "command": {
                "title": "Command",
                "type": "string",
                "minLength": 1,
                "maxLength": 65_536,
                "pattern": r"\S",
            },
        },
        "required": ["command"],
        "additionalProperties": false,
    });
    let password = |title: &str| {
        json!({
            "title": title,
            "type": "string",
            "minLength": 6,
            "maxLength": 30,
            "pattern": r"\S",
            "writeOnly": true,
        })
    };
    let change_password = json!({
        "title": "Change Password",
        "type": "object",
        "properties": {
            "password": password("Password"),
            "confirm_password": password("Confirm Password"),
        },
        "required": ["password", "confirm_password"],
        "additionalProperties": false,
    });
    vec![
        made("custom", "Custom Command", Some(custom), Kind::Custom),
        made("reboot", "Reboot", None, Kind::Reboot),
        made(
            "change_password",
            "Change Password",
            Some(change_password),
            Kind::ChangePassword,
        ),
    ]
}

fn made(name: &str, label: &str, schema: Option<Value>, kind: Kind) -> CommandType {
    CommandType {
        name: name.into(),
        label: label.into(),
        schema: schema.map(|schema| InputSchema::new(schema).expect("our own schemas are tested")),
        kind,
    }
}

/// The command as it was typed: the device's shell reads it.
pub(super) fn custom(input: &Value) -> Execution {
    Execution {
        line: text(input, "command").to_owned(),
        ..Execution::default()
    }
}

/// The link may go before the exit status comes.
pub(super) fn reboot() -> Execution {
    Execution {
        line: "reboot".into(),
        ends_link: true,
        ..Execution::default()
    }
}

/// `passwd` asks for the new password of who is logged in, and once more. A command line would show
/// it to everybody on the device.
pub(super) fn change_password(input: &Value, secrets: Vec<String>) -> Execution {
    let password = text(input, "password");
    Execution {
        line: "passwd".into(),
        stdin: format!("{password}\n{password}\n").into_bytes(),
        secrets,
        ..Execution::default()
    }
}

/// What the schema cannot say of a new password.
pub(super) fn check_password(input: &Value) -> Result<(), FieldErrors> {
    let password = text(input, "password");
    let mut errors = FieldErrors::default();
    // A line break in it would answer the question twice, and the second answer would be cut off.
    if password.contains(char::is_control) {
        errors.add(FIELD, "The password must not contain control characters.");
    }
    if password != text(input, "confirm_password") {
        errors.add(FIELD, "'password' and 'confirm_password' do not match");
    }
    errors.into_result()
}

/// What is seen of a new password.
pub(super) fn shown_password() -> Value {
    json!({ "password": MASK })
}

fn text<'a>(input: &'a Value, name: &str) -> &'a str {
    input[name].as_str().unwrap_or_default()
}
