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
}
