//! OpenWISP's database, read as texts: a value has one form, whichever engine it comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use uuid::Uuid;

use super::ReadError;
use crate::event::Timestamp;

/// Where an OpenWISP keeps its data. May hold a password: `Debug` does not give it away.
#[derive(Clone)]
pub enum Location {
    /// SpatiaLite: the file.
    Sqlite(PathBuf),
    /// PostGIS: a `postgres://` URL.
    Postgres(String),
}

/// Why a text names no database that can be read.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    /// OpenWISP runs on it, fleetwire does not read it.
    #[error(
        "MySQL and MariaDB are not read: OpenWISP's supported databases are PostGIS (postgres://…) and \
         SpatiaLite (sqlite:///FILE, or the path of the file)"
    )]
    MySql,
    /// Neither of the two.
    #[error(
        "write postgres://USER:PASSWORD@HOST/NAME, sqlite:///FILE, or the path of a SpatiaLite file"
    )]
    Unknown,
    /// There is no such file.
    #[error("there is no file {}", .0.display())]
    NoFile(PathBuf),
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "Sqlite({})", path.display()),
            Self::Postgres(_) => f.write_str("Postgres(…)"),
        }
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let path = match text.split_once("://") {
            Some(("postgres" | "postgresql" | "postgis", rest)) => {
                return Ok(Self::Postgres(format!("postgres://{rest}")));
            }
            Some(("sqlite" | "spatialite", path)) => path,
            Some((scheme, _)) if scheme.starts_with("mysql") || scheme == "mariadb" => {
                return Err(LocationError::MySql);
            }
            Some(_) => return Err(LocationError::Unknown),
            None if text.is_empty() => return Err(LocationError::Unknown),
            None => text,
        };
        let path = PathBuf::from(path);
        if path.is_file() {
            Ok(Self::Sqlite(path))
        } else if text.contains('@') {
            // Perhaps a URL with a slip in it, and a password: it is not repeated.
            Err(LocationError::Unknown)
        } else {
            Err(LocationError::NoFile(path))
        }
    }
}

/// A connection that cannot write, in a transaction that sees one state of the whole.
pub(super) enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// One row of a table: a text a column, or nothing.
pub(super) struct Row {
    table: &'static str,
    values: BTreeMap<&'static str, Option<String>>,
}

impl Database {
    pub async fn open(location: &Location) -> Result<Self, ReadError> {
        match location {
            Location::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true);
                let mut connection = options.connect().await?;
                sqlx::query("BEGIN").execute(&mut connection).await?;
                Ok(Self::Sqlite(connection))
            }
            Location::Postgres(url) => {
                let options: PgConnectOptions = url.parse()?;
                let options = options.options([
                    ("default_transaction_read_only", "on"),
                    ("default_transaction_isolation", "repeatable read"),
                    ("timezone", "UTC"),
                    ("statement_timeout", "60s"),
                ]);
                let mut connection = options.connect().await?;
                sqlx::query("BEGIN").execute(&mut connection).await?;
                Ok(Self::Postgres(connection))
            }
        }
    }

    pub async fn close(self) {
        // What was read is read, however the connection ends.
        let _ = match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        };
    }

    /// Whether there is such a table.
    pub async fn has(&mut self, table: &'static str) -> Result<bool, ReadError> {
        Ok(!self.columns(table).await?.is_empty())
    }

    /// Whether a table has this column: what later releases have added is read where it is there.
    pub async fn has_column(
        &mut self,
        table: &'static str,
        column: &'static str,
    ) -> Result<bool, ReadError> {
        Ok(self.columns(table).await?.iter().any(|it| it == column))
    }

    /// All rows of a table, with these columns.
    pub async fn rows(
        &mut self,
        table: &'static str,
        columns: &[&'static str],
    ) -> Result<Vec<Row>, ReadError> {
        let there = self.columns(table).await?;
        if there.is_empty() {
            return Err(ReadError::NoTable(table));
        }
        if let Some(&column) = columns
            .iter()
            .find(|it| !there.contains(&(**it).to_owned()))
        {
            return Err(ReadError::NoColumn { table, column });
        }
        let selected: Vec<String> = columns.iter().map(|it| self.as_text(it)).collect();
        // The names are our own words, and quoted.
        let sql = format!("SELECT {} FROM \"{table}\"", selected.join(", "));
        let values = |texts: Vec<Option<String>>| Row {
            table,
            values: columns.iter().copied().zip(texts).collect(),
        };
        let count = columns.len();
        let rows: Vec<Vec<Option<String>>> = match self {
            Self::Sqlite(connection) => {
                let rows = sqlx::query(AssertSqlSafe(sql))
                    .fetch_all(connection)
                    .await?;
                let texts = rows
                    .iter()
                    .map(|row| (0..count).map(|at| row.try_get(at)).collect());
                texts.collect::<Result<_, sqlx::Error>>()?
            }
            Self::Postgres(connection) => {
                let rows = sqlx::query(AssertSqlSafe(sql))
                    .fetch_all(connection)
                    .await?;
                let texts = rows
                    .iter()
                    .map(|row| (0..count).map(|at| row.try_get(at)).collect());
                texts.collect::<Result<_, sqlx::Error>>()?
            }
        };
        Ok(rows.into_iter().map(values).collect())
    }

    /// How a column is read: a geometry as its bytes (SpatiaLite, in hexadecimal) or as its point
    /// (PostGIS), everything else as the text that the engine makes of it.
    fn as_text(&self, column: &str) -> String {
        match (self, column) {
            (Self::Sqlite(_), "geometry") => "hex(geometry)".to_owned(),
            (Self::Postgres(_), "geometry") => {
                "CASE WHEN geometry IS NULL THEN NULL WHEN GeometryType(geometry) = 'POINT' AND NOT \
                 ST_IsEmpty(geometry) THEN ST_X(geometry)::text || ' ' || ST_Y(geometry)::text \
                 ELSE GeometryType(geometry) END"
                    .to_owned()
            }
            _ => format!("CAST(\"{column}\" AS TEXT)"),
        }
    }

    async fn columns(&mut self, table: &'static str) -> Result<Vec<String>, ReadError> {
        Ok(match self {
            Self::Sqlite(connection) => {
                sqlx::query_scalar("SELECT name FROM pragma_table_info($1)")
                    .bind(table)
                    .fetch_all(connection)
                    .await?
            }
            Self::Postgres(connection) => {
                sqlx::query_scalar(
                    "SELECT attname::text FROM pg_attribute
                     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
                )
                .bind(table)
                .fetch_all(connection)
                .await?
            }
        })
    }
}

impl Row {
    /// The value, empty where there is none.
    pub fn text(&self, column: &'static str) -> &str {
        self.optional(column).unwrap_or_default()
    }

    /// The value, if there is one.
    pub fn optional(&self, column: &'static str) -> Option<&str> {
        self.values.get(column)?.as_deref()
    }

    pub fn uuid(&self, column: &'static str) -> Result<Uuid, ReadError> {
        self.text(column).parse().map_err(|_| self.wrong(column))
    }

    pub fn optional_uuid(&self, column: &'static str) -> Result<Option<Uuid>, ReadError> {
        match self.optional(column) {
            Some(_) => self.uuid(column).map(Some),
            None => Ok(None),
        }
    }

    pub fn flag(&self, column: &'static str) -> Result<bool, ReadError> {
        match self.text(column) {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(self.wrong(column)),
        }
    }

    /// An instant as Django keeps it in UTC: `2026-11-25 16:21:48.564937`, with or without `+00`.
    pub fn instant(&self, column: &'static str) -> Result<Timestamp, ReadError> {
        let text = self.text(column);
        let moment = text
            .strip_suffix("+00")
            .unwrap_or(text)
            .replacen(' ', "T", 1);
        format!("{moment}Z").parse().map_err(|_| self.wrong(column))
    }

    /// A value that is not what OpenWISP writes there. It is not repeated: it may be a secret.
    pub fn wrong(&self, column: &'static str) -> ReadError {
        ReadError::Value {
            table: self.table,
            column,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_by_url_or_path() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        for text in [
            path,
            &format!("sqlite://{path}"),
            &format!("spatialite://{path}"),
        ] {
            let found: Location = text.parse().unwrap();
            assert!(
                matches!(found, Location::Sqlite(it) if it == file.path()),
                "{text}"
            );
        }
        for text in [
            "postgres://u:s3cret@h/n",
            "postgresql://h/n",
            "postgis://h/n",
        ] {
            let found: Location = text.parse().unwrap();
            assert!(!format!("{found:?}").contains("s3cret"));
            assert!(matches!(found, Location::Postgres(url) if url.starts_with("postgres://")));
        }
        for text in ["mysql://u:s3cret@h/n", "mysql+gis://h/n", "mariadb://h/n"] {
            let error = text.parse::<Location>().unwrap_err();
            assert!(matches!(error, LocationError::MySql), "{text}");
        }
        for text in [
            "",
            "oracle://u:s3cret@h/n",
            "postgres:/u:s3cret@h/n",
            "sqlite://u:s3cret@h/n",
            "/no/such/file",
            "sqlite:///no/such/file",
        ] {
            let error = text.parse::<Location>().unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
