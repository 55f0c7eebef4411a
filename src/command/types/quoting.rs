//! Values in a command line: each is one word for the device's shell, whatever it holds.

use std::borrow::Cow;

use serde_json::Value;

use crate::config::{CommandTemplate, InputSchema, TemplatePart};

/// The command line of a template. A value that is missing is its schema's default, or nothing.
pub(super) fn fill(
    template: &CommandTemplate,
    input: &Value,
    schema: Option<&InputSchema>,
) -> String {
    let default = |name: &str| {
        let mut properties = schema.into_iter().flat_map(InputSchema::properties);
        let (_, property) = properties.find(|(known, _)| *known == name)?;
        property.get("default")
    };
    let mut line = String::new();
    for part in template.parts() {
        match part {
            TemplatePart::Text(text) => line.push_str(text),
            TemplatePart::Value(name) => {
                let value = input.get(name).or_else(|| default(name));
                line.push_str(&words(value.unwrap_or(&Value::Null)));
            }
        }
    }
    line
}

/// A value as words of the shell: an array is a word an item.
fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Array(items) => {
            let items = items.iter().map(|item| quoted(&text(item)));
            items.collect::<Vec<_>>().join(" ")
        }
        other => quoted(&text(other)),
    }
}

/// A value as a text: strings are themselves, everything else is JSON.
fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    }
}

/// A text in single quotes, within which a shell takes every character for itself (POSIX Shell
/// Command Language, section 2.2.2).
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
