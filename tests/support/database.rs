//! A server's database, past the server.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};

use super::Server;

/// A connection to the database of a server.
pub enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Runs the same on either.
macro_rules! on {
    ($database:expr, $connection:ident => $body:expr) => {
        match $database {
            Database::Sqlite($connection) => $body,
            Database::Postgres($connection) => $body,
        }
    };
}

impl Database {
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    pub async fn of(server: &Server) -> Self {
        if let Some(url) = server.database_url() {
            return Self::Postgres(PgConnection::connect(url).await.unwrap());
        }
        let file = SqliteConnectOptions::new().filename(server.database_file());
        Self::Sqlite(file.connect().await.unwrap())
    }

    pub async fn execute(&mut self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        on!(self, connection => sqlx::raw_sql(sql).execute(connection).await.map(|_| ()).unwrap());
    }

    /// Every row of every table as text, in which bytes are hexadecimal digits.
    pub async fn rows(&mut self) -> String {
        let tables = match self {
            Self::Sqlite(_) => "SELECT name FROM sqlite_schema WHERE type = 'table'",
            Self::Postgres(_) => {
                "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"
            }
        };
        let mut rows = String::new();
        for table in self.texts(tables.to_owned()).await {
            let row = match self {
                Self::Sqlite(_) => {
                    let columns = format!("SELECT name FROM pragma_table_info('{table}')");
                    let columns = self.texts(columns).await;
                    format!("quote({})", columns.join(") || ' ' || quote("))
                }
                Self::Postgres(_) => "it::text".to_owned(),
            };
            for row in self.texts(format!("SELECT {row} FROM {table} AS it")).await {
                rows += &(row + "\n");
            }
        }
        rows
    }

    /// The only column of what `sql` selects, which must be text.
    pub async fn texts(&mut self, sql: String) -> Vec<String> {
        let sql = AssertSqlSafe(sql);
        on!(self, connection => sqlx::query_scalar(sql).fetch_all(connection).await.unwrap())
    }
}
