//! What a value is: in words, and as a list of fields.

use maud::{Markup, html};
use serde_json::Value;

use super::text::prose;

/// The element that describes a schema that has a name.
pub fn anchor(name: &str) -> String {
    format!("schema-{name}")
}

/// The name behind a reference.
pub fn name_of(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or_default()
}

/// What a value is, in a few words.
pub fn kind(schema: &Value) -> Markup {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = name_of(reference);
        return html! { a href={ "#" (anchor(name)) } { (name) } };
    }
    for (several, word) in [("anyOf", " or "), ("allOf", " and ")] {
        if let Some(schemas) = schema[several].as_array() {
            return joined(schemas.iter().map(kind), word);
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return joined(words.iter().map(|word| html! { code { (word) } }), " or ");
    }
    match &schema["type"] {
        Value::Array(kinds) => joined(kinds.iter().map(|kind| one_kind(kind, schema)), " or "),
        kind => one_kind(kind, schema),
    }
}

fn one_kind(kind: &Value, schema: &Value) -> Markup {
    match kind.as_str() {
        Some("array") if schema["prefixItems"].is_array() => html! { "list" },
        Some("array") => html! { "list of " (self::kind(&schema["items"])) },
        Some("null") => html! { "null" },
        Some("object") if schema["additionalProperties"].is_object() => {
            html! { "object, each member " (self::kind(&schema["additionalProperties"])) }
        }
        Some(word) => {
            let format = schema["format"]
                .as_str()
                .filter(|it| !it.starts_with("int"));
            html! { (word) @if let Some(format) = format { " (" (format) ")" } (bounds(schema)) }
        }
        None => html! { "anything" },
    }
}

/// How long, how large or of which form a value may be.
fn bounds(schema: &Value) -> Markup {
    html! {
        @match (&schema["minLength"], &schema["maxLength"]) {
            (Value::Null, Value::Null) => {}
            (Value::Null, most) => { ", at most " (most) " characters" }
            (least, Value::Null) => { ", at least " (least) " characters" }
            (least, most) => { ", " (least) " to " (most) " characters" }
        }
        @match (&schema["minimum"], &schema["maximum"]) {
            (Value::Null, Value::Null) => {}
            (Value::Null, most) => { ", at most " (most) }
            (least, Value::Null) => { ", at least " (least) }
            (least, most) => { ", " (least) " to " (most) }
        }
        @if let Some(pattern) = schema["pattern"].as_str() { ", " code { (pattern) } }
    }
}

fn joined(parts: impl Iterator<Item = Markup>, word: &str) -> Markup {
    html! {
        @for (at, part) in parts.enumerate() {
            @if at > 0 { (word) }
            (part)
        }
    }
}

/// A schema, and its fields where it has some.
pub fn described(schema: &Value) -> Markup {
    let names = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
    html! {
        (prose(&schema["description"]))
        @if let Some(properties) = schema["properties"].as_object() {
            @let all_are = properties.len() == names.len();
            @if all_are { p.kind { "No field is left out." } }
            dl {
                @for (name, property) in properties {
                    (field(name, property, !all_are && names.iter().any(|it| it == name)))
                }
            }
        } @else if let Some(parts) = schema["allOf"].as_array() {
            @for part in parts {
                @if part["$ref"].is_string() { p { "What " (kind(part)) " has, and:" } }
                @else { (described(part)) }
            }
        } @else {
            p { (kind(schema)) }
        }
    }
}

/// A name, what stands behind it, and what it is for.
fn field(name: &str, schema: &Value, is_required: bool) -> Markup {
    html! {
        dt {
            code { (name) } " " span.kind { (kind(schema)) }
            @if schema["writeOnly"] == true { " " span.kind { "written, never read" } }
            @if is_required { " " span.required { "required" } }
        }
        dd { (prose(description(schema))) }
    }
}

/// Of a value that may be null it stands one level down.
fn description(schema: &Value) -> &Value {
    let here = &schema["description"];
    if here.is_null() && schema["anyOf"].is_array() {
        &schema["anyOf"][0]["description"]
    } else {
        here
    }
}
