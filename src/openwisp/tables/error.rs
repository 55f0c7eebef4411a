//! Why OpenWISP's tables gave no answer.

/// Why OpenWISP's tables gave no answer. This is no refusal: what they would have said is not known.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// Nothing came back.
    #[error("OpenWISP's database does not answer")]
    Late,
    /// The file of SpatiaLite is not there, or not ours to read.
    #[error("the file of OpenWISP's database cannot be opened")]
    NoFile,
    /// Somebody else holds the file for longer than is waited.
    #[error("OpenWISP's database is locked by another process")]
    Locked,
    /// A table or a column is not there.
    #[error(
        "OpenWISP's database is not what it should be ({0}): it is being migrated, or is that of another \
         program"
    )]
    Shape(String),
    /// The user may not read what is needed.
    #[error("OpenWISP's database does not let its user read what is needed ({0})")]
    Forbidden(String),
    /// A value is not what Django writes there. It is not repeated: it may be a secret.
    #[error("in {table}, a {column} is not what OpenWISP writes there")]
    Value {
        /// Where.
        table: &'static str,
        /// Which.
        column: &'static str,
    },
    /// Anything else.
    #[error("OpenWISP's database failed: {0}")]
    Failed(#[source] sqlx::Error),
}

impl From<sqlx::Error> for TablesError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Late;
        }
        let Some(told) = error.as_database_error() else {
            return Self::Failed(error);
        };
        let message = told.message().to_owned();
        match told.code().as_deref() {
            // PostgreSQL: undefined_table, undefined_column, undefined_function (PostGIS' own).
            Some("42P01" | "42703" | "42883") => Self::Shape(message),
            Some("42501") => Self::Forbidden(message),
            // SQLite: SQLITE_ERROR is all that the words of a query can be wrong in.
            Some("1") if message.contains("no such ") => Self::Shape(message),
            Some(code) => match code.parse::<u32>().map(|code| code & 0xff) {
                // SQLITE_BUSY and SQLITE_LOCKED, in any of their extended forms.
                Ok(5 | 6) => Self::Locked,
                Ok(14) => Self::NoFile,
                _ => Self::Failed(error),
            },
            None => Self::Failed(error),
        }
    }
}
