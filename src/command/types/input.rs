//! The secrets in an input: masked for all who look, kept apart for the one who runs it.

use std::fmt;

use serde_json::Value;

use super::FIELD;
use super::quoting::quoted;
use super::repr::repr_text;
use crate::config::{InputSchema, MASK};
use crate::store::FieldErrors;

/// An input that fits its command type.
#[derive(Clone, PartialEq)]
pub struct Input {
    /// What rows, messages and answers show: secrets are masked.
    pub shown: Value,
    /// The input as it was received, if something of it was masked: to be sealed.
    pub plain: Option<Value>,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}

/// Masks the secrets in `input`, and says whether there were any. What has secrets and is no object
/// is masked as a whole: it may be the secret itself.
pub(super) fn mask(input: &mut Value, schema: Option<&InputSchema>) -> bool {
    let mut masked = false;
    for name in schema.into_iter().flat_map(InputSchema::secrets) {
        match input {
            Value::Object(object) => {
                if let Some(secret) = object.get_mut(name) {
                    *secret = MASK.into();
                    masked = true;
                }
            }
            other => {
                *other = MASK.into();
                return true;
            }
        }
    }
    masked
}

/// The texts that must not be seen in the output, also as the shell was given them.
pub(super) fn secrets(input: &Value, schema: Option<&InputSchema>) -> Vec<String> {
    let names = schema.into_iter().flat_map(InputSchema::secrets);
    let mut secrets = Vec::new();
    for secret in names.filter_map(|name| input[name].as_str()) {
        if !secret.is_empty() {
            secrets.push(secret.to_owned());
        }
        if secret.contains('\'') {
            secrets.push(quoted(secret));
        }
    }
    secrets.sort_unstable();
    secrets.dedup();
    secrets
}

/// Refuses a secret that a terminal echoes as something else, such as a line end, which comes back as
/// `\r\n`, or a control character, which comes back as `^C`: it would not be found in the output.
pub(super) fn refuse_unmaskable(
    input: &Value,
    schema: Option<&InputSchema>,
) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    for name in schema.into_iter().flat_map(InputSchema::secrets) {
        let secret = input[name].as_str().unwrap_or_default();
        if secret.contains(char::is_control) {
            let name = repr_text(name);
            errors.add(FIELD, format!("{name} must not contain control characters"));
        }
    }
    errors.into_result()
}

/// Whether U+0000 is anywhere in it: PostgreSQL cannot hold it, and no command line either.
pub(super) fn holds_null_character(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_null_character),
        Value::Object(object) => object
            .iter()
            .any(|(key, value)| key.contains('\0') || holds_null_character(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
