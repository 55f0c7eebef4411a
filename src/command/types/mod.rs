//! What may be run on a device: the types that come along and those that the operator defines.
//!
//! A [`CommandType`] checks an input where it is received (the errors are those of OpenWISP), masks
//! the secrets in it for whoever looks, and says at last what is to be done: an [`Execution`].

mod built_in;
mod execution;
mod input;
mod quoting;
mod repr;
mod sentence;

pub use execution::Execution;
pub use input::Input;

use std::time::Duration;

use serde_json::Value;

use crate::config::{CommandTemplate, CommandsConfig, InputSchema};
use crate::event::OrganizationId;
use crate::store::FieldErrors;

/// The name of the field in whose place an input is wrong.
const FIELD: &str = "input";

/// Bytes of the JSON text of an input for a type of the operator's: what it becomes is one command
/// line, and systems take few that are longer.
const LARGEST: usize = 64 * 1024;

/// All command types: those that come along, then the operator's by name.
#[derive(Clone, Debug)]
pub struct CommandTypes {
    types: Vec<CommandType>,
    config: CommandsConfig,
}

impl CommandTypes {
    /// The types that come along and those of the configuration. A name that comes along is never
    /// replaced.
    #[must_use]
    pub fn new(config: &CommandsConfig) -> Self {
        let mut types = built_in::all();
        for (name, definition) in &config.types {
            if types.iter().all(|known| known.name != *name) {
                types.push(CommandType {
                    name: name.clone(),
                    label: definition.label.clone(),
                    schema: definition.schema.clone(),
                    kind: Kind::Defined {
                        template: definition.template.clone(),
                        tty: definition.tty,
                        timeout: definition.timeout_s.map(Duration::from_secs),
                    },
                });
            }
        }
        Self {
            types,
            config: config.clone(),
        }
    }

    /// The type of this name, whoever may use it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&CommandType> {
        self.types.iter().find(|known| known.name == name)
    }

    /// The types that an organization may use.
    pub fn by<'a>(
        &'a self,
        organization: OrganizationId,
        slug: &'a str,
    ) -> impl Iterator<Item = &'a CommandType> {
        self.types
            .iter()
            .filter(move |known| self.allows(known, organization, slug))
    }

    /// Whether an organization may use this type.
    #[must_use]
    pub fn allows(&self, kind: &CommandType, organization: OrganizationId, slug: &str) -> bool {
        self.config.allows(&kind.name, organization.0, slug)
    }
}

/// One command type.
#[derive(Clone, Debug)]
pub struct CommandType {
    name: String,
    label: String,
    /// What the input must be; without it there is none.
    schema: Option<InputSchema>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Custom,
    Reboot,
    ChangePassword,
    /// The operator's.
    Defined {
        template: CommandTemplate,
        tty: bool,
        timeout: Option<Duration>,
    },
}

/// Why nothing can be run.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError {
    /// The type has changed since the input was checked.
    #[error("the input no longer fits the command type: {0}")]
    Input(FieldErrors),
}

impl CommandType {
    /// What it is called in requests and rows, e.g. `change_password`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What people call it, e.g. `Change Password`.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What the input must be, as JSON Schema; without it there is none.
    #[must_use]
    pub fn schema(&self) -> Option<&Value> {
        self.schema.as_ref().map(InputSchema::json)
    }

    /// Whether it runs in a pseudo-terminal.
    #[must_use]
    pub fn tty(&self) -> bool {
        matches!(self.kind, Kind::Defined { tty: true, .. })
    }

    /// How long it may run, if it has a time of its own.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        match self.kind {
            Kind::Defined { timeout, .. } => timeout,
            _ => None,
        }
    }

    /// Checks an input as it was received.
    ///
    /// # Errors
    /// What is wrong with it, under `input`, without its secrets.
    pub fn check(&self, input: &Value) -> Result<Input, FieldErrors> {
        self.refuse_wrong(input)?;
        let mut shown = input.clone();
        let has_secrets = input::mask(&mut shown, self.schema.as_ref());
        if matches!(self.kind, Kind::ChangePassword) {
            shown = built_in::shown_password();
        }
        Ok(Input {
            shown,
            plain: has_secrets.then(|| input.clone()),
        })
    }

    /// What is to be done for an input that was checked, unmasked.
    ///
    /// # Errors
    /// When the type was redefined meanwhile, and the input does not fit it any more.
    pub fn execution(&self, input: &Value) -> Result<Execution, ExecutionError> {
        self.refuse_wrong(input).map_err(ExecutionError::Input)?;
        let secrets = input::secrets(input, self.schema.as_ref());
        Ok(match &self.kind {
            Kind::Custom => built_in::custom(input),
            Kind::Reboot => built_in::reboot(),
            Kind::ChangePassword => built_in::change_password(input, secrets),
            Kind::Defined {
                template,
                tty,
                timeout,
            } => Execution {
                line: quoting::fill(template, input, self.schema.as_ref()),
                tty: *tty,
                timeout: *timeout,
                secrets,
                ..Execution::default()
            },
        })
    }

    fn refuse_wrong(&self, input: &Value) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::default();
        if input::holds_null_character(input) {
            errors.add(FIELD, "Null characters are not allowed.");
            return errors.into_result();
        }
        if matches!(self.kind, Kind::Defined { .. }) && input.to_string().len() > LARGEST {
            let reason = format!("The input must have at most {LARGEST} bytes as JSON.");
            errors.add(FIELD, reason);
            return errors.into_result();
        }
        let sentences = match &self.schema {
            Some(schema) => sentence::all(schema, input),
            None if input.is_null() => Vec::new(),
            None => vec![sentence::is_not_of_type(input, &["null"])],
        };
        for sentence in sentences {
            errors.add(FIELD, sentence);
        }
        errors.into_result()?;
        match self.kind {
            Kind::ChangePassword => built_in::check_password(input),
            _ => input::refuse_unmaskable(input, self.schema.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests;
