//! Examples: a request for `curl`, and what is answered.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// Where the server is in the examples.
const BASE: &str = "http://localhost:8000";

/// Characters of JSON that fit on a line.
const ONE_LINE: usize = 60;

/// The command line that sends a request.
pub fn curl(document: &Value, path: &str, method: &str, operation: &Value) -> String {
    let mut line = String::from("curl");
    if method != "get" {
        line.push_str(" -X ");
        line.push_str(&method.to_uppercase());
    }
    let mut query = "";
    let requirements = operation["security"].as_array().into_iter().flatten();
    let schemes: Vec<&str> = requirements
        .filter_map(Value::as_object)
        .filter_map(|requirement| requirement.keys().next().map(String::as_str))
        .collect();
    if schemes.contains(&"device_key") {
        query = "?key=$KEY";
    }
    // Writing to a string does not fail.
    let _ = write!(line, " \"{BASE}{}{query}\"", with_variables(path));
    if schemes.contains(&"token") {
        line.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\"");
    }
    if let Some(body) = body(document, operation) {
        let mut text = body.to_string();
        if text.len() > ONE_LINE {
            text = format!("{body:#}");
        }
        let body = text.replace('\'', r"'\''");
        let _ = write!(
            line,
            " \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
        );
    }
    line
}

/// `{device_id}` as `$DEVICE_ID`.
fn with_variables(path: &str) -> String {
    let mut text = String::new();
    for (at, piece) in path.split(['{', '}']).enumerate() {
        // Every second piece is in braces.
        if at % 2 == 1 {
            text.push('$');
            text.push_str(&piece.to_uppercase());
        } else {
            text.push_str(piece);
        }
    }
    text
}

/// The JSON that a request carries.
fn body(document: &Value, operation: &Value) -> Option<Value> {
    let content = operation["requestBody"]["content"].get("application/json")?;
    Some(of_content(document, content))
}

/// A value of a media type: the one that is given, or one of its schema.
pub fn of_content(document: &Value, content: &Value) -> Value {
    let given = content["examples"].as_object().into_iter().flatten();
    let given = given.map(|(_, example)| &example["value"]).next();
    match content.get("example").or(given) {
        Some(example) => example.clone(),
        None => of(document, &content["schema"]),
    }
}

/// A value of this schema.
pub fn of(document: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return target.map_or(Value::Null, |target| of(document, target));
    }
    let given = schema["examples"].get(0).or(schema["enum"].get(0));
    if let Some(given) = given {
        return given.clone();
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices
            .first()
            .map_or(Value::Null, |first| of(document, first));
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let objects = parts.iter().filter_map(|part| match of(document, part) {
            Value::Object(object) => Some(object),
            _ => None,
        });
        return objects.flatten().collect::<Map<_, _>>().into();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => &kinds[0],
        kind => kind,
    };
    match kind.as_str() {
        Some("object") => schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, property)| (name.clone(), of(document, property)))
            .collect::<Map<_, _>>()
            .into(),
        Some("array") if schema["maxItems"] == 0 => json!([]),
        Some("array") => json!([of(document, &schema["items"])]),
        Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("number") => json!(12.5),
        Some("boolean") => json!(true),
        Some("string") => json!("…"),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_a_line_that_a_shell_takes() {
        let operation = json!({
            "security": [{"token": []}, {"session": []}],
            "requestBody": {"content": {"application/json": {"example": {"name": "Ada's bus"}}}},
        });
        assert_eq!(
            curl(
                &json!({}),
                "/device/{id}/connection/{connection_id}/",
                "patch",
                &operation
            ),
            "curl -X PATCH \"http://localhost:8000/device/$ID/connection/$CONNECTION_ID/\" \\\n  \
             -H \"Authorization: Bearer $TOKEN\" \\\n  \
             -H 'Content-Type: application/json' \\\n  \
             -d '{\"name\":\"Ada'\\''s bus\"}'"
        );
        let of_a_device = json!({"security": [{"device_key": []}]});
        assert_eq!(
            curl(&json!({}), "/c/", "get", &of_a_device),
            "curl \"http://localhost:8000/c/?key=$KEY\""
        );
    }

    #[test]
    fn examples_follow_references_and_take_the_first_of_several() {
        let document = json!({"schemas": {"Name": {"type": "string", "examples": ["Bus 1"]}}});
        let name = json!({"$ref": "#/schemas/Name"});
        let schema = json!({
            "allOf": [
                {"type": "object", "properties": {"name": name, "list": {"type": "array", "items": name}}},
                {"type": "object", "properties": {
                    "maybe": {"anyOf": [name, {"type": "null"}]},
                    "number": {"type": ["integer", "null"], "minimum": 3},
                }},
            ],
        });
        assert_eq!(
            of(&document, &schema),
            json!({"name": "Bus 1", "list": ["Bus 1"], "maybe": "Bus 1", "number": 3})
        );
    }
}
