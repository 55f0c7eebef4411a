//! What is wrong with a configuration, and where it stands.

use std::fmt;
use std::path::PathBuf;

use super::database::redact_within;
use super::secrets::mask_keys_within;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is wrong: all of it, at least one.
    #[error("{}", join(.0))]
    Mistakes(Vec<Mistake>),
}

fn join(mistakes: &[Mistake]) -> String {
    mistakes
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of the file, counted from 1.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands.
    pub origin: Origin,
    /// `section.key`, the section alone, or empty where the text is no TOML at all.
    pub key: String,
    /// What is wrong with it; without secrets.
    pub reason: String,
}

impl Mistake {
    pub(super) fn new(origin: Origin, key: impl Into<String>, reason: &str) -> Self {
        // A message of the TOML reader repeats values, and a database's URL or a key may stand
        // anywhere by mistake.
        let reason = mask_keys_within(&redact_within(&reason.replace('\n', " ")));
        Self {
            origin,
            key: mask_keys_within(&key.into()),
            reason,
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.reason)
    }
}
