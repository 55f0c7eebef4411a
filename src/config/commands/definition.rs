//! `[commands.types.NAME]`: a command type of the operator's own.

use serde::{Deserialize, Serialize};

use super::{BUILT_IN_TYPES, CommandTemplate, InputSchema};

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
        if let Some(timeout_s) = self.timeout_s
            && !(1..=86_400).contains(&timeout_s)
        {
            problems.push(("timeout_s", format!("{timeout_s} is not from 1 to 86400")));
        }
        for value in self.template.values() {
            let schema = self.schema.as_ref();
            if !schema.is_some_and(|schema| schema.has_property(value)) {
                let reason = format!(
                    "{{{value}}} is no property of the schema; a brace that is part of the \
                     command is written twice"
                );
                problems.push(("template", reason));
            }
        }
        problems
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
