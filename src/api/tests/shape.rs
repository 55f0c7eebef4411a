//! Comparing answers with shapes in which what differs from run to run is named.

use serde_json::Value;

use crate::event::Timestamp;

/// Whether `value` is of this `shape`, its keys in the same order: `<uuid>`, `<time>`, `<key>`
/// and `<token>` stand for any text of that kind, `<text>` for any that is not empty.
pub fn fits(value: &Value, shape: &Value) -> bool {
    match (value, shape) {
        (Value::String(text), Value::String(kind)) if kind.starts_with('<') => is_of(text, kind),
        (Value::Array(values), Value::Array(shapes)) => {
            values.len() == shapes.len()
                && values
                    .iter()
                    .zip(shapes)
                    .all(|(value, shape)| fits(value, shape))
        }
        (Value::Object(values), Value::Object(shapes)) => {
            values.keys().eq(shapes.keys())
                && values
                    .values()
                    .zip(shapes.values())
                    .all(|(value, shape)| fits(value, shape))
        }
        _ => value == shape,
    }
}

fn is_of(text: &str, kind: &str) -> bool {
    match kind {
        "<uuid>" => text.len() == 36 && uuid::Uuid::parse_str(text).is_ok(),
        "<time>" => text
            .parse::<Timestamp>()
            .is_ok_and(|time| time.to_string() == text),
        "<key>" => text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "<token>" => text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "<text>" => !text.is_empty(),
        _ => panic!("no kind of text: {kind}"),
    }
}
