//! What the store answers when it does not do what was asked.

use std::collections::BTreeMap;
use std::fmt;

/// What is wrong with which field, in the words that REST and the command line show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(pub BTreeMap<String, Vec<String>>);

impl FieldErrors {
    /// The errors of one field.
    #[must_use]
    pub fn one(field: &str, reason: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.add(field, reason);
        errors
    }

    /// Adds one reason.
    pub fn add(&mut self, field: &str, reason: impl Into<String>) {
        self.0.entry(field.to_owned()).or_default().push(reason.into());
    }

    /// `Ok` when nothing was added.
    ///
    /// # Errors
    /// The collected errors.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (field, reasons) in &self.0 {
            write!(f, "{separator}{field}: {}", reasons.join(" "))?;
            separator = "; ";
        }
        Ok(())
    }
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such row, or none that the caller may see. Holds the model's name, e.g. `Device`.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// What was to be written is not acceptable.
    #[error("{0}")]
    Invalid(FieldErrors),
    /// A name or id that the command line looked up: none or several fit.
    #[error("{0}")]
    Lookup(String),
    /// The database does not answer, or answered with an error of its own.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The database could not be brought to this version's tables.
    #[error("the database could not be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl From<FieldErrors> for StoreError {
    fn from(errors: FieldErrors) -> Self {
        Self::Invalid(errors)
    }
}
