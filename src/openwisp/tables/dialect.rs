//! Where the two engines need different words, and how their texts become values.

use uuid::Uuid;

use super::TablesError;
use crate::event::Timestamp;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// What follows a column that is to be one of the ids in a parameter, which [`ids`] made.
    pub fn among_ids(self, parameter: &str) -> String {
        match self {
            Self::Sqlite => format!("IN (SELECT value FROM json_each({parameter}))"),
            Self::Postgres => {
                format!("= ANY(ARRAY(SELECT json_array_elements_text({parameter}::json))::uuid[])")
            }
        }
    }

    /// What follows a column that is to be one of the texts in a parameter, which [`texts`] made.
    pub fn among_texts(self, parameter: &str) -> String {
        match self {
            Self::Sqlite => format!("IN (SELECT value FROM json_each({parameter}))"),
            Self::Postgres => {
                format!("= ANY(ARRAY(SELECT json_array_elements_text({parameter}::json)))")
            }
        }
    }

    /// A parameter as an id.
    pub fn id(self, parameter: &str) -> String {
        match self {
            Self::Sqlite => parameter.to_owned(),
            Self::Postgres => format!("{parameter}::uuid"),
        }
    }

    /// A parameter as an instant.
    pub fn instant(self, parameter: &str) -> String {
        match self {
            Self::Sqlite => parameter.to_owned(),
            Self::Postgres => format!("{parameter}::timestamptz"),
        }
    }

    /// A column that holds an instant, as a text that [`instant`] reads.
    pub fn instant_text(self, column: &str) -> String {
        match self {
            Self::Sqlite => column.to_owned(),
            Self::Postgres => {
                format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')")
            }
        }
    }

    /// A column that holds a geometry, as bytes.
    pub fn geometry(self, column: &str) -> String {
        match self {
            Self::Sqlite => column.to_owned(),
            Self::Postgres => format!("ST_AsBinary({column})"),
        }
    }

    /// An instant as a parameter: in SQLite as Django writes it there, so that comparing the texts
    /// compares the instants. A fraction of zero is not written.
    pub fn instant_parameter(self, instant: Timestamp) -> String {
        let text = instant.to_string().replacen('T', " ", 1);
        let text = text.trim_end_matches('Z');
        match self {
            Self::Sqlite => text.strip_suffix(".000000").unwrap_or(text).to_owned(),
            Self::Postgres => format!("{text}+00"),
        }
    }

    /// An id as a parameter.
    pub fn id_parameter(self, id: Uuid) -> String {
        match self {
            Self::Sqlite => id.simple().to_string(),
            Self::Postgres => id.to_string(),
        }
    }
}

/// Ids as one parameter: a JSON array, of texts as they are in SQLite and as PostgreSQL reads them too.
pub(super) fn ids(ids: impl IntoIterator<Item = Uuid>) -> String {
    texts(ids.into_iter().map(|id| id.simple().to_string()))
}

/// Texts as one parameter.
pub(super) fn texts(texts: impl IntoIterator<Item = String>) -> String {
    texts.into_iter().collect::<serde_json::Value>().to_string()
}

/// The value of an id, with or without dashes.
pub(super) fn id(
    table: &'static str,
    column: &'static str,
    text: &str,
) -> Result<Uuid, TablesError> {
    text.parse()
        .map_err(|_| TablesError::Value { table, column })
}

/// An instant as Django keeps it in UTC: `2026-11-25 16:21:48.564937`, without a fraction of zero.
pub(super) fn instant(
    table: &'static str,
    column: &'static str,
    text: &str,
) -> Result<Timestamp, TablesError> {
    format!("{}Z", text.replacen(' ', "T", 1))
        .parse()
        .map_err(|_| TablesError::Value { table, column })
}
