//! What is wrong with an input, in the sentences of python-jsonschema (`_keywords.py`), which are
//! what OpenWISP answers.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use super::input::mask;
use super::repr::{repr, repr_text, reprs};
use crate::config::{InputSchema, MASK};

/// Sentences about one input at most.
const MOST: usize = 20;

/// All that is wrong with an input. Secrets are not repeated.
pub(super) fn all(schema: &InputSchema, input: &Value) -> Vec<String> {
    let mut masked = input.clone();
    mask(&mut masked, Some(schema));
    let errors: Vec<_> = schema.validator().iter_errors(input).take(MOST).collect();
    let mut sentences = Vec::new();
    for error in &errors {
        // What is empty is not also held against a pattern.
        let is_form = |error: &ValidationError| {
            matches!(error.kind(), Kind::Pattern { .. } | Kind::Format { .. })
        };
        let is_here = |other: &&ValidationError| other.instance_path() == error.instance_path();
        if is_form(error) && errors.iter().filter(is_here).any(|other| !is_form(other)) {
            continue;
        }
        let sentence = sentence(error, shown(error, input, &masked));
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    sentences
}

pub(super) fn is_not_of_type(value: &Value, types: &[&str]) -> String {
    format!(
        "{} is not of type {}",
        repr(value),
        reprs(types.iter().copied())
    )
}

/// What an error is about, masked.
fn shown<'a>(error: &ValidationError, input: &'a Value, masked: &'a Value) -> &'a Value {
    static SECRET: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| MASK.into());
    let path = error.instance_path().as_str();
    match (input.pointer(path), masked.pointer(path)) {
        // There is nothing in an empty text to keep, and the sentence is about that.
        (Some(Value::String(text)), _) if text.is_empty() => input.pointer(path).unwrap_or(masked),
        (_, Some(shown)) => shown,
        (_, None) => &SECRET,
    }
}

fn sentence(error: &ValidationError, value: &Value) -> String {
    let it = repr(value);
    match error.kind() {
        Kind::Type { kind } => match kind {
            TypeKind::Single(kind) => is_not_of_type(value, &[kind.as_str()]),
            TypeKind::Multiple(kinds) => {
                let kinds: Vec<_> = kinds.iter().collect();
                let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
                is_not_of_type(value, &kinds)
            }
        },
        Kind::Required { property } => format!("{} is a required property", repr(property)),
        Kind::AdditionalProperties { unexpected } => {
            unexpected_properties("Additional", unexpected)
        }
        Kind::UnevaluatedProperties { unexpected } => {
            unexpected_properties("Unevaluated", unexpected)
        }
        Kind::AdditionalItems { .. } => "Additional items are not allowed".to_owned(),
        Kind::UnevaluatedItems { .. } => "Unevaluated items are not allowed".to_owned(),
        Kind::MinLength { limit: 1 }
        | Kind::MinItems { limit: 1 }
        | Kind::MinProperties { limit: 1 } => format!("{it} should be non-empty"),
        Kind::MaxLength { limit: 0 }
        | Kind::MaxItems { limit: 0 }
        | Kind::MaxProperties { limit: 0 } => format!("{it} is expected to be empty"),
        Kind::MinLength { .. } | Kind::MinItems { .. } => format!("{it} is too short"),
        Kind::MaxLength { .. } | Kind::MaxItems { .. } => format!("{it} is too long"),
        Kind::MinProperties { .. } => format!("{it} does not have enough properties"),
        Kind::MaxProperties { .. } => format!("{it} has too many properties"),
        Kind::Pattern { pattern } => format!("{it} does not match {}", repr_text(pattern)),
        Kind::Format { format } => format!("{it} is not a {}", repr_text(format)),
        Kind::Minimum { limit } => format!("{it} is less than the minimum of {}", repr(limit)),
        Kind::Maximum { limit } => format!("{it} is greater than the maximum of {}", repr(limit)),
        Kind::ExclusiveMinimum { limit } => {
            let limit = repr(limit);
            format!("{it} is less than or equal to the minimum of {limit}")
        }
        Kind::ExclusiveMaximum { limit } => {
            let limit = repr(limit);
            format!("{it} is greater than or equal to the maximum of {limit}")
        }
        Kind::MultipleOf { multiple_of } => format!("{it} is not a multiple of {multiple_of}"),
        Kind::Enum { options } => format!("{it} is not one of {}", repr(options)),
        Kind::Constant { expected_value } => format!("{} was expected", repr(expected_value)),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
            format!("{it} is not valid under any of the given schemas")
        }
        Kind::OneOfMultipleValid { .. } => {
            format!("{it} is valid under more than one of the given schemas")
        }
        Kind::Not { schema } => format!("{it} should not be valid under {}", repr(schema)),
        Kind::UniqueItems => format!("{it} has non-unique elements"),
        Kind::Contains => format!("{it} does not contain items matching the given schema"),
        Kind::FalseSchema => format!("False schema does not allow {it}"),
        // A property's name is no secret.
        Kind::PropertyNames { error } => sentence(error, error.instance()),
        // Never the words of others: they may repeat the value.
        _ => format!("{it} is not valid"),
    }
}

fn unexpected_properties(what: &str, unexpected: &[String]) -> String {
    let verb = if unexpected.len() == 1 { "was" } else { "were" };
    let names = reprs(unexpected.iter().map(String::as_str));
    format!("{what} properties are not allowed ({names} {verb} unexpected)")
}
