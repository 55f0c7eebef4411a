//! From a file and the environment to a [`Config`].
//!
//! Each value is tried alone against the sections' own types, so that every mistake is found in one
//! go and its place is known: a line of the file, or a variable.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use toml::{Spanned, Table, Value, de::DeTable, de::DeValue};

use super::gateway::DOCKER_OPENWISP;
use super::{Config, ConfigError, Mistake, Origin};

/// Where the value at a path (section, key, and what is named below) comes from.
type Place<'a> = &'a dyn Fn(&[&str]) -> Origin;

const PREFIX: &str = "FLEETWIRE_";

/// The environment of this process; what is no UTF-8 cannot be meant for the configuration and is
/// left out.
#[expect(
    clippy::disallowed_methods,
    reason = "here, and nowhere else, the environment is read"
)]
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

impl Config {
    /// Reads `file`, if any, and lays the variables `FLEETWIRE_SECTION__KEY` of `env` over it. What
    /// neither sets keeps its default.
    ///
    /// # Errors
    /// When the file cannot be read, or with all mistakes of both at once.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::load_as(file, env, false)
    }

    /// As [`Config::load`]; between the file and `FLEETWIRE_SECTION__KEY` stand the variables of
    /// docker-openwisp, as they are.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_beside_openwisp(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::load_as(file, env, true)
    }

    fn load_as(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        is_beside_openwisp: bool,
    ) -> Result<Self, ConfigError> {
        let mut loading = Loading::default();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
            loading.read_file(path, &text);
        }
        // In a fixed order, so that the same mistakes are told in the same words each time.
        let mut env: Vec<_> = env.collect();
        env.sort();
        if is_beside_openwisp {
            loading.read_docker_openwisp(&env);
        }
        loading.read_environment(env);
        loading.finish()
    }

    /// Each key as its variable's name and its value in force (passwords masked), in the order of
    /// the sections.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, Value)> {
        let mut variables = Vec::new();
        for (section, keys) in table_of(self) {
            let Value::Table(keys) = keys else { continue };
            for (key, value) in keys {
                variables.push((variable(&section, &key), value));
            }
        }
        variables
    }
}

fn variable(section: &str, key: &str) -> String {
    format!("{PREFIX}{}__{}", section.to_uppercase(), key.to_uppercase())
}

fn table_of(config: &Config) -> Table {
    // Strings, numbers, lists and tables of them: nothing here that TOML could not write.
    Table::try_from(config).expect("a configuration is plain TOML")
}

#[derive(Default)]
struct Loading {
    accepted: Table,
    origins: HashMap<Vec<String>, Origin>,
    mistakes: Vec<Mistake>,
    /// Entries of tables that were not taken whole: what else is said of them may not be true.
    broken: Vec<Vec<String>>,
}

impl Loading {
    fn read_file(&mut self, path: &Path, text: &str) {
        let at = |offset: usize| Origin::File {
            path: path.to_owned(),
            line: text
                .bytes()
                .take(offset)
                .filter(|byte| *byte == b'\n')
                .count()
                + 1,
        };
        // Twice the same text: once for where things stand, once for what they are.
        let (places, values) = match (DeTable::parse(text), text.parse::<Table>()) {
            (Ok(places), Ok(values)) => (places, values),
            (Err(error), _) | (_, Err(error)) => {
                let offset = error.span().map_or(0, |span| span.start);
                self.mistakes
                    .push(Mistake::new(at(offset), "", error.message()));
                return;
            }
        };
        let place = |path: &[&str]| at(locate(places.get_ref(), path));
        let sections = table_of(&Config::default());
        for (section, value) in values {
            match value {
                Value::Table(values) if sections.contains_key(&section) => {
                    for (key, value) in values {
                        self.accept(&place, &section, &key, vec![value]);
                    }
                }
                _ if sections.contains_key(&section) => {
                    let reason = format!("must be a section, written [{section}]");
                    self.mistakes
                        .push(Mistake::new(place(&[&section]), section, &reason));
                }
                _ => {
                    let reason =
                        format!("there is no such section; there are {}", names(&sections));
                    self.mistakes
                        .push(Mistake::new(place(&[&section]), section, &reason));
                }
            }
        }
    }

    fn read_docker_openwisp(&mut self, env: &[(String, String)]) {
        let theirs = |(name, _): &&(String, String)| DOCKER_OPENWISP.contains(&name.as_str());
        for (name, text) in env.iter().filter(theirs) {
            let origin = Origin::Variable(name.clone());
            let readings = match name.as_str() {
                "DJANGO_ALLOWED_HOSTS" => readings(text, true),
                // A password of digits alone keeps its leading zeros.
                _ => vec![Value::String(text.clone())],
            };
            let place = |_: &[&str]| origin.clone();
            self.accept(&place, "gateway", &name.to_lowercase(), readings);
        }
    }

    fn read_environment(&mut self, env: Vec<(String, String)>) {
        let defaults = table_of(&Config::default());
        let mut known = HashMap::new();
        for (section, keys) in &defaults {
            for key in keys.as_table().into_iter().flat_map(Table::keys) {
                known.insert(variable(section, key), (section, key));
            }
        }
        let set = env.into_iter().filter(|(name, _)| {
            name.strip_prefix(PREFIX)
                .is_some_and(|rest| rest.contains("__"))
        });
        for (name, text) in set {
            let origin = Origin::Variable(name.clone());
            let Some((section, key)) = known.get(&name) else {
                let reason = "there is no such variable; `fleetwire config env` lists them";
                self.mistakes.push(Mistake::new(origin, "", reason));
                continue;
            };
            let readings = match &defaults[*section][*key] {
                // In quotes or as it is: 1_000 is a password, not a thousand.
                Value::String(_) => vec![match text.parse::<Value>() {
                    Ok(Value::String(quoted)) => Value::String(quoted),
                    _ => Value::String(text),
                }],
                default => readings(&text, default.is_array()),
            };
            let place = |_: &[&str]| origin.clone();
            self.accept(&place, section, key, readings);
        }
    }

    /// Takes the first of `readings` that fits the key's type, or notes why the last does not.
    fn accept(&mut self, place: Place, section: &str, key: &str, readings: Vec<Value>) {
        if holds_entries(section, key) {
            let table = readings.into_iter().find_map(|reading| match reading {
                Value::Table(table) => Some(table),
                _ => None,
            });
            return self.accept_entries(place, section, key, table);
        }
        let mut reason = String::new();
        for reading in readings {
            match try_alone(section, key, &reading) {
                Ok(()) => return self.take(place, section, key, reading),
                Err(text) => reason = text,
            }
        }
        self.refuse(place, &[section, key], &reason);
    }

    /// Takes a table of named entries, each tried alone, and each key of an entry too.
    fn accept_entries(&mut self, place: Place, section: &str, key: &str, table: Option<Table>) {
        let Some(table) = table else {
            let reason = format!("must be a table, written [{section}.{key}]");
            return self.refuse(place, &[section, key], &reason);
        };
        let mut taken = Table::new();
        for (name, entry) in table {
            let fits = |entry: &Value| {
                let alone = Table::from_iter([(name.clone(), entry.clone())]);
                try_alone(section, key, &Value::Table(alone))
            };
            let path = [section, key, &name];
            let mistakes = self.mistakes.len();
            let entry = match entry {
                Value::Table(values) => {
                    let mut fitting = Table::new();
                    for (inner, value) in values {
                        let alone = Table::from_iter([(inner.clone(), value.clone())]);
                        match fits(&Value::Table(alone)) {
                            Ok(()) => drop(fitting.insert(inner, value)),
                            Err(reason) => {
                                let path = [section, key, &name, &inner];
                                self.refuse(place, &path, &reason);
                            }
                        }
                    }
                    Value::Table(fitting)
                }
                other => other,
            };
            match fits(&entry) {
                Ok(()) => drop(taken.insert(name.clone(), entry)),
                Err(reason) if self.mistakes.len() == mistakes => {
                    self.refuse(place, &path, &reason);
                }
                Err(_) => {}
            }
            if self.mistakes.len() > mistakes {
                self.broken.push(owned(&path));
            }
        }
        self.take(place, section, key, Value::Table(taken));
    }

    fn take(&mut self, place: Place, section: &str, key: &str, value: Value) {
        // What replaces a table replaces all of it.
        let path = owned(&[section, key]);
        self.origins.retain(|known, _| !known.starts_with(&path));
        self.note_origins(place, &[section, key], &value);
        let keys = self
            .accepted
            .entry(section)
            .or_insert(Value::Table(Table::new()));
        if let Value::Table(keys) = keys {
            keys.insert(key.to_owned(), value);
        }
    }

    fn note_origins(&mut self, place: Place, path: &[&str], value: &Value) {
        self.origins.insert(owned(path), place(path));
        for (key, value) in value.as_table().into_iter().flatten() {
            self.note_origins(place, &[path, &[key]].concat(), value);
        }
    }

    fn refuse(&mut self, place: Place, path: &[&str], reason: &str) {
        self.mistakes
            .push(Mistake::new(place(path), written(path), reason));
    }

    fn finish(mut self) -> Result<Config, ConfigError> {
        let config = match Config::deserialize(self.accepted) {
            Ok(config) => config,
            Err(error) => {
                self.mistakes
                    .push(Mistake::new(Origin::Default, "", error.message()));
                return Err(ConfigError::Mistakes(self.mistakes));
            }
        };
        for problem in config.check().0 {
            let path: Vec<&str> = problem.path.iter().map(String::as_str).collect();
            if self
                .broken
                .iter()
                .any(|entry| problem.path.starts_with(entry))
            {
                continue;
            }
            // A key that nobody wrote is missing where its table stands.
            let origin = (1..=path.len())
                .rev()
                .find_map(|length| self.origins.get(&problem.path[..length]))
                .cloned()
                .unwrap_or(Origin::Default);
            self.mistakes
                .push(Mistake::new(origin, written(&path), &problem.reason));
        }
        if self.mistakes.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError::Mistakes(self.mistakes))
        }
    }
}

/// Where the deepest key of `path` that is in `table` stands.
fn locate(table: &DeTable, path: &[&str]) -> usize {
    let mut at = 0;
    let mut table = Some(table);
    for key in path {
        let found = table.and_then(|table| table.iter().find(|(name, _)| name.get_ref() == key));
        let Some((name, value)) = found else { break };
        at = name.span().start;
        table = match Spanned::get_ref(value) {
            DeValue::Table(table) => Some(table),
            _ => None,
        };
    }
    at
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|key| (*key).to_owned()).collect()
}

/// A path as TOML writes it.
fn written(path: &[&str]) -> String {
    let is_bare = |key: &str| {
        let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        !key.is_empty() && key.bytes().all(is_bare)
    };
    let keys = path.iter().map(|key| {
        if is_bare(key) {
            (*key).to_owned()
        } else {
            format!("{key:?}")
        }
    });
    keys.collect::<Vec<_>>().join(".")
}

/// Whether a key holds a table of entries that the operator names.
fn holds_entries(section: &str, key: &str) -> bool {
    let defaults = table_of(&Config::default());
    let default = defaults.get(section).and_then(|keys| keys.get(key));
    default.is_some_and(Value::is_table)
}

/// What a variable's text may mean, likeliest first.
fn readings(text: &str, is_list: bool) -> Vec<Value> {
    let toml = text.parse::<Value>().ok();
    let other = if is_list {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
    } else {
        Value::String(text.to_owned())
    };
    toml.into_iter().chain([other]).collect()
}

/// Whether `value` is legal for this key, all others at their defaults.
fn try_alone(section: &str, key: &str, value: &Value) -> Result<(), String> {
    let defaults = table_of(&Config::default());
    let keys = defaults.get(section).and_then(Value::as_table);
    let Some(default) = keys.and_then(|keys| keys.get(key)) else {
        let there = keys.map(names).unwrap_or_default();
        return Err(format!("there is no such key; [{section}] has {there}"));
    };
    let keys = Table::from_iter([(key.to_owned(), value.clone())]);
    let alone = Table::from_iter([(section.to_owned(), Value::Table(keys))]);
    Config::deserialize(alone)
        .map(drop)
        .map_err(|error| match default {
            Value::Integer(_) => format!("must be a whole number, 0 or more, not {value}"),
            Value::Array(_) => format!("must be a list of texts: {}", error.message()),
            _ => error.message().to_owned(),
        })
}

fn names(table: &Table) -> String {
    table
        .keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
