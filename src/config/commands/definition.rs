//! `[commands.types.NAME]`: a command type of the operator's own.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::check::out_of_range;
use super::{A_DAY, BUILT_IN_TYPES, CommandTemplate, InputSchema};

/// The types of JSON Schema whose values may be words of a command line.
const WORDS: [&str; 5] = ["string", "number", "integer", "boolean", "array"];

/// A command type of the operator's own.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommandDefinition {
    /// What people call it: shown in lists and sent in messages.
    pub label: String,
    /// The command line, with `{property}` where values of the input go.
    pub template: CommandTemplate,
    /// Whether a pseudo-terminal is asked for, so that tools do not hold their output back.
    pub tty: bool,
    /// Seconds that it may run, instead of `commands.timeout_s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
    /// What its input must be; without it there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<InputSchema>,
}

impl CommandDefinition {
    /// What is wrong with it beyond the form of its values: each time the key, or nothing for the
    /// whole, and the reason.
    pub(super) fn problems(&self, name: &str) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if BUILT_IN_TYPES.contains(&name) {
            let reason = "this name belongs to a command type that fleetwire brings along";
            problems.push(("", reason.to_owned()));
        }
        if !is_name(name) {
            let reason = "a command type's name is 1 to 64 letters (a-z), digits, - and _, and \
                          begins with a letter";
            problems.push(("", reason.to_owned()));
        }
        if self.label.trim().is_empty() {
            problems.push(("label", "must be there: what people call it".to_owned()));
        }
        if self.label.chars().count() > 100 || self.label.contains(char::is_control) {
            let reason = "must be at most 100 characters on one line";
            problems.push(("label", reason.to_owned()));
        }
        if self.template.is_blank() {
            let reason = "must be there: the command line to run";
            problems.push(("template", reason.to_owned()));
        }
        let timeout = self.timeout_s;
        if let Some(reason) = timeout.and_then(|seconds| out_of_range(seconds, 1, A_DAY)) {
            problems.push(("timeout_s", reason));
        }
        let values: BTreeSet<_> = self.template.values().collect();
        for value in values {
            if let Some(reason) = self.unfit(value) {
                problems.push(("template", format!("{{{value}}} {reason}")));
            }
        }
        problems
    }

    /// Why a value of this name cannot be put into the template.
    fn unfit(&self, name: &str) -> Option<&'static str> {
        let schema = self.schema.as_ref();
        let mut properties = schema.into_iter().flat_map(InputSchema::properties);
        let Some((_, property)) = properties.find(|(known, _)| *known == name) else {
            return Some(
                "is no property of the schema; a brace that is part of the command is written twice",
            );
        };
        let kinds: Vec<_> = match &property["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            kind => kind.as_str().into_iter().collect(),
        };
        if kinds.is_empty() || !kinds.iter().all(|kind| WORDS.contains(kind)) {
            return Some(
                "needs a type in the schema, and only string, number, integer, boolean or array: \
                 a pattern, for example, does not hold for what is no string",
            );
        }
        if kinds.contains(&"array") && !self.template.takes_words(name) {
            return Some(
                "may be an array, which becomes several words: it must stand by itself, between \
                 blanks, and not behind < or >",
            );
        }
        None
    }
}

/// Names stand in requests, in rows and on command lines.
fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}
