//! What a command's input must be: a JSON Schema (draft 2020-12), written as TOML.

use std::fmt;
use std::sync::Arc;

use jsonschema::paths::LocationSegment;
use jsonschema::{Draft, PatternOptions, Validator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use toml::Table;

/// The schema of an input that is an object: its `properties` are what a template may name.
///
/// `type = "object"` and `additionalProperties = false` are understood where they are left out.
/// `writeOnly = true` marks a secret; it stands at a property of the object itself, a string.
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "Table", into = "Table")]
pub struct InputSchema {
    source: Table,
    json: Value,
    validator: Arc<Validator>,
}

/// Why a table is no schema of an input.
#[derive(Debug, thiserror::Error)]
pub enum InputSchemaError {
    /// TOML that JSON does not have.
    #[error("{0} has no form in JSON")]
    NotJson(String),
    /// It is no JSON Schema, or refers to one elsewhere.
    #[error("is no JSON Schema: {0}")]
    NoSchema(String),
    /// It could not be a schema of an object.
    #[error("its type must be \"object\"")]
    NotAnObject,
    /// A secret that could not be kept.
    #[error("{at}: {reason}")]
    Secret {
        /// The path within the schema.
        at: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A default that the schema itself refuses.
    #[error("the default of {0} does not fit")]
    Default(String),
}

impl InputSchema {
    /// A schema as JSON.
    ///
    /// # Errors
    /// When it is none, reaches out, or marks secrets that could not be kept.
    pub fn new(json: Value) -> Result<Self, InputSchemaError> {
        let source =
            Table::try_from(&json).map_err(|error| InputSchemaError::NotJson(error.to_string()))?;
        Self::build(source, json)
    }

    fn build(source: Table, mut json: Value) -> Result<Self, InputSchemaError> {
        let Some(object) = json.as_object_mut() else {
            return Err(InputSchemaError::NotAnObject);
        };
        object.entry("type").or_insert_with(|| "object".into());
        object.entry("additionalProperties").or_insert(false.into());
        if object["type"] != "object" {
            return Err(InputSchemaError::NotAnObject);
        }
        check_secrets(object)?;
        let validator = validator(&json)?;
        let schema = Self {
            source,
            json,
            validator: Arc::new(validator),
        };
        schema.check_defaults()?;
        Ok(schema)
    }

    /// The compiled schema.
    #[must_use]
    pub fn validator(&self) -> &Validator {
        &self.validator
    }

    /// The properties of the object and their schemas.
    pub fn properties(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.json["properties"].as_object().into_iter().flatten()
    }

    /// The schema itself, for clients.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// The names of the properties that are secrets.
    pub fn secrets(&self) -> impl Iterator<Item = &String> {
        self.properties()
            .filter(|(_, schema)| schema["writeOnly"] == true)
            .map(|(name, _)| name)
    }

    /// Defaults are put in when the command runs, when nobody is there to be told.
    fn check_defaults(&self) -> Result<(), InputSchemaError> {
        let with_default = |(name, schema): (&String, &Value)| {
            Some((name.clone(), schema.get("default")?.clone()))
        };
        let defaults: Map<_, _> = self.properties().filter_map(with_default).collect();
        let defaults = Value::Object(defaults);
        for error in self.validator.iter_errors(&defaults) {
            // Others may be required beside the defaults.
            if let Some(LocationSegment::Property(name)) = error.instance_path().segments().next() {
                return Err(InputSchemaError::Default(name.into_owned()));
            }
        }
        Ok(())
    }
}

/// Compiles a schema. References are followed inside of it only, and patterns are matched in linear
/// time, whatever the input.
fn validator(json: &Value) -> Result<Validator, InputSchemaError> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex())
        .offline()
        .build(json)
        .map_err(|error| {
            let at = error.instance_path().as_str().trim_start_matches('/');
            let at = if at.is_empty() { "schema" } else { at };
            InputSchemaError::NoSchema(format!("{}: {error}", at.replace('/', ".")))
        })
}

/// A secret is masked by its place and sought in output as a text, so it is a string directly below
/// the object; and as clients see the schema, it must not be written there.
fn check_secrets(object: &Map<String, Value>) -> Result<(), InputSchemaError> {
    let refuse = |at: String, reason| Err(InputSchemaError::Secret { at, reason });
    for (keyword, value) in object {
        let Some(properties) = value.as_object().filter(|_| keyword == "properties") else {
            if let Some(at) = write_only(value, keyword) {
                return refuse(at, "writeOnly is for the properties of the input itself");
            }
            continue;
        };
        for (name, schema) in properties {
            let at = format!("properties.{name}");
            if schema["writeOnly"] != true {
                if let Some(at) = write_only(schema, &at) {
                    return refuse(at, "writeOnly is for the properties of the input itself");
                }
                continue;
            }
            if schema["type"] != "string" {
                return refuse(at, "writeOnly is for strings: type = \"string\"");
            }
            let telling = ["default", "const", "enum", "examples"];
            if telling.iter().any(|key| schema.get(key).is_some()) {
                let reason = "a writeOnly property has no default, const, enum or examples: \
                              everybody may read the schema";
                return refuse(at, reason);
            }
        }
    }
    if object.get("writeOnly").is_some_and(|value| value == true) {
        return refuse("schema".into(), "writeOnly is for single properties");
    }
    Ok(())
}

/// Where `writeOnly: true` stands in a value.
fn write_only(value: &Value, at: &str) -> Option<String> {
    match value {
        Value::Object(object) => object.iter().find_map(|(key, value)| {
            if key == "writeOnly" && value == true {
                return Some(at.to_owned());
            }
            write_only(value, &format!("{at}.{key}"))
        }),
        Value::Array(items) => items.iter().find_map(|item| write_only(item, at)),
        _ => None,
    }
}

impl TryFrom<Table> for InputSchema {
    type Error = InputSchemaError;

    fn try_from(source: Table) -> Result<Self, InputSchemaError> {
        let json = json(&toml::Value::Table(source.clone()))?;
        Self::build(source, json)
    }
}

impl From<InputSchema> for Table {
    fn from(schema: InputSchema) -> Self {
        schema.source
    }
}

impl PartialEq for InputSchema {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for InputSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InputSchema").field(&self.json).finish()
    }
}

fn json(value: &toml::Value) -> Result<Value, InputSchemaError> {
    use toml::Value as Toml;
    Ok(match value {
        Toml::String(text) => text.as_str().into(),
        Toml::Integer(number) => (*number).into(),
        Toml::Boolean(truth) => (*truth).into(),
        Toml::Float(number) if number.is_finite() => (*number).into(),
        Toml::Float(_) | Toml::Datetime(_) => {
            return Err(InputSchemaError::NotJson(value.to_string()));
        }
        Toml::Array(items) => items.iter().map(json).collect::<Result<_, _>>()?,
        Toml::Table(table) => table
            .iter()
            .map(|(key, value)| Ok((key.clone(), json(value)?)))
            .collect::<Result<Map<_, _>, InputSchemaError>>()?
            .into(),
    })
}
