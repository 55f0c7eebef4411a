//! What the store answers when it does not do what was asked.

use std::collections::BTreeMap;
use std::fmt;

use sqlx::postgres::PgDatabaseError;

use super::{KeyError, QueueFull};

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
        self.0
            .entry(field.to_owned())
            .or_default()
            .push(reason.into());
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
    /// The data directory, or the file in it, cannot be made.
    #[error("{} cannot be used: {source}; choose another data directory with --data-dir", path.display())]
    Directory {
        /// The directory, or the file in it.
        path: std::path::PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// There is no SQLite database in this directory, and who asks makes none.
    #[error(
        "there is no database in {}: which one is it (--data-dir, or database.url as the server has it)?", .0.display()
    )]
    NoDatabase(std::path::PathBuf),
    /// The database does not answer, or answered with an error of its own.
    #[error("the database failed: {}", said(.0))]
    Database(#[from] sqlx::Error),
    /// No further command may wait now.
    #[error(transparent)]
    QueueFull(#[from] QueueFull),
    /// Secrets cannot be sealed or opened.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database could not be brought to this version's tables.
    #[error("the database could not be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A later version has taken away what this one needs.
    #[error(
        "a later version of fleetwire has changed this database, and this one cannot work on it any \
         more (its migrations end with {known}, the database takes {floor}): install the version that \
         did it, or a newer one"
    )]
    Outdated {
        /// The migration that a program has to know.
        floor: i64,
        /// The last one that this program knows.
        known: i64,
    },
}

/// What the database said. PostgreSQL's errors name a line of its own source, which whoever reads it would
/// look for in the configuration; their code says more.
fn said(error: &sqlx::Error) -> String {
    let postgres = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    match postgres {
        Some(error) => format!("{} ({})", error.message(), error.code()),
        None => error.to_string(),
    }
}

impl From<FieldErrors> for StoreError {
    fn from(errors: FieldErrors) -> Self {
        Self::Invalid(errors)
    }
}

impl StoreError {
    /// The database did not answer in time.
    #[must_use]
    pub fn late() -> Self {
        Self::Database(sqlx::Error::PoolTimedOut)
    }

    /// Whether PostgreSQL chose this transaction to give way to another: again, it succeeds.
    pub(super) fn is_deadlock(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        matches!(error.code().as_deref(), Some("40P01" | "40001"))
    }

    /// Whether trying again may help: the database is away, or has too much to do.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        let Self::Database(error) = self else {
            return false;
        };
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            // Not a rule of the tables that was broken: the database's own trouble.
            sqlx::Error::Database(error) => matches!(error.kind(), sqlx::error::ErrorKind::Other),
            _ => false,
        }
    }

    /// Turns the breach of a unique constraint into the error of the field that `fields` names for
    /// the constraint's columns; anything else stays what it is.
    pub(super) fn unique(self, fields: &[(&str, &str, &str)]) -> Self {
        let Self::Database(sqlx::Error::Database(error)) = &self else {
            return self;
        };
        if !error.is_unique_violation() {
            return self;
        }
        // SQLite says `table.column, table.column`, PostgreSQL names a constraint `table_column_key`.
        let said = format!(
            "{} {}",
            error.message(),
            error.constraint().unwrap_or_default()
        );
        let found = fields.iter().find(|(column, ..)| {
            said.contains(&format!(".{column}")) || said.contains(&format!("_{column}_key"))
        });
        found.map_or(self, |(_, field, reason)| {
            FieldErrors::one(field, *reason).into()
        })
    }
}

impl StoreError {
    /// The one row that an id or a name fits.
    pub(super) fn only<T>(what: &str, wanted: &str, mut found: Vec<T>) -> Result<T, Self> {
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(Self::Lookup(format!("there is no {what} \"{wanted}\""))),
            several => Err(Self::Lookup(format!(
                "\"{wanted}\" names {several} {what}s: use the id"
            ))),
        }
    }
}
