//! `[commands]`: what runs on devices, how much of it, and for how long.

mod definition;
mod schema;
mod shell;
mod template;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::check::{A_CENTURY, Problems, between};

pub use definition::CommandDefinition;
pub use schema::{InputSchema, InputSchemaError};
pub use template::{CommandTemplate, TemplatePart};

/// The names of the command types that fleetwire brings along.
pub const BUILT_IN_TYPES: [&str; 3] = ["custom", "reboot", "change_password"];

/// The name that stands for every organization that is not listed by itself.
const OTHERS: &str = "*";

/// Seconds that a command may run at most.
const A_DAY: u64 = 86_400;

/// Commands on devices.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommandsConfig {
    /// Seconds in which an address has to take the connection and exchange keys.
    pub connect_timeout_s: u64,
    /// Seconds in which a device has to accept the login.
    pub authentication_timeout_s: u64,
    /// Seconds that a command may run, unless its type has a time of its own.
    pub timeout_s: u64,
    /// Commands that run at the same time, each on another device.
    pub parallel: usize,
    /// Seconds that a command may wait for its start before it expires.
    pub queue_s: u64,
    /// Bytes of a command's output that are kept.
    pub output_bytes: usize,
    /// Days that commands are kept after their end; 0 for ever.
    pub keep_days: u32,
    /// The operator's own command types, by name.
    pub types: BTreeMap<String, CommandDefinition>,
    /// The names of the types that an organization (by slug or id) may use; see [`Self::allows`].
    pub allowed: BTreeMap<String, Vec<String>>,
}

impl Default for CommandsConfig {
    fn default() -> Self {
        Self {
            connect_timeout_s: 5,
            authentication_timeout_s: 2,
            timeout_s: 30,
            parallel: 64,
            queue_s: 600,
            output_bytes: 1024 * 1024,
            keep_days: 90,
            types: BTreeMap::new(),
            allowed: BTreeMap::new(),
        }
    }
}

impl CommandsConfig {
    /// Whether an organization may use the command type of this name: what is listed under its id
    /// counts, else under its slug, else under `*`; where nothing is listed, every type may be used.
    #[must_use]
    pub fn allows(&self, name: &str, organization: Uuid, slug: &str) -> bool {
        let by_id = self
            .allowed
            .iter()
            .find(|(key, _)| Uuid::parse_str(key).is_ok_and(|id| id == organization))
            .map(|(_, names)| names);
        by_id
            .or_else(|| self.allowed.get(slug))
            .or_else(|| self.allowed.get(OTHERS))
            .is_none_or(|names| names.iter().any(|allowed| allowed == name))
    }

    /// What `allowed` names that is none of these organizations, of which it has the id and the slug:
    /// probably mistyped, and then its organization may use more than it should.
    #[must_use]
    pub fn unknown_organizations(&self, known: &[(Uuid, &str)]) -> Vec<&str> {
        let is_known = |key: &str| {
            let id = Uuid::parse_str(key).ok();
            key == OTHERS || known.iter().any(|it| it.1 == key || Some(it.0) == id)
        };
        let keys = self.allowed.keys().map(String::as_str);
        keys.filter(|key| !is_known(key)).collect()
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        let (an_hour, a_day, a_week) = (3600, A_DAY, 604_800);
        for (key, value, least, most) in [
            ("connect_timeout_s", self.connect_timeout_s, 1, an_hour),
            (
                "authentication_timeout_s",
                self.authentication_timeout_s,
                1,
                an_hour,
            ),
            ("timeout_s", self.timeout_s, 1, a_day),
            ("parallel", self.parallel as u64, 1, 10_000),
            ("queue_s", self.queue_s, 1, a_week),
            ("output_bytes", self.output_bytes as u64, 1024, 1 << 26),
            ("keep_days", self.keep_days.into(), 0, A_CENTURY),
        ] {
            between(problems, "commands", key, value, least, most);
        }
        for (name, definition) in &self.types {
            for (key, reason) in definition.problems(name) {
                let path: &[&str] = if key.is_empty() {
                    &["types", name]
                } else {
                    &["types", name, key]
                };
                problems.add_within("commands", path, reason);
            }
        }
        for (organization, names) in &self.allowed {
            for name in names {
                if !BUILT_IN_TYPES.contains(&&**name) && !self.types.contains_key(name) {
                    let own = self.types.keys().map(String::as_str);
                    let known: Vec<_> = BUILT_IN_TYPES.into_iter().chain(own).collect();
                    let reason = format!(
                        "there is no command type \"{name}\"; there are {}",
                        known.join(", ")
                    );
                    problems.add_within("commands", &["allowed", organization], reason);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
