//! OpenWISP's tables, read while OpenWISP works with them, by connections that cannot write.
//!
//! Nothing is kept between two questions, so an answer is always as of the last commit, and each
//! question is one query however many ids it is about. Both engines are asked with the same words where
//! they have them: ids, instants and documents come as texts ([`Dialect`]).

mod commands;
mod dialect;
mod error;
mod locations;
mod owners;
mod people;
mod release;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Connection as _, FromRow, PgConnection, SqliteConnection};
use tokio::time::timeout;

pub use commands::CommandRow;
pub use error::TablesError;
pub use locations::{LocationRow, LocationScope};
pub use people::Account;
pub use release::{Release, Version};

use self::dialect::Dialect;
use super::settings::DatabaseAddress;
use crate::event::{Cursor, Timestamp};

/// Django's processes write to the same file, and wait for us as we for them.
const BUSY: Duration = Duration::from_secs(1);

/// How long to wait for a connection. Less than those who renew leases wait for their answer, so that
/// they are told what is wrong.
const ACQUIRE: Duration = Duration::from_millis(1500);

/// An answer that takes longer is none; PostgreSQL gives up a little earlier by itself.
const PATIENCE: Duration = Duration::from_secs(11);
const STATEMENT_TIMEOUT: &str = "10s";

const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 8;

/// A file may be replaced by another (a backup that is restored): it is opened anew this often.
const SQLITE_LIFETIME: Duration = Duration::from_mins(5);

/// Clocks differ, and a row is stamped a moment before it is committed.
const UNTIL_MARGIN_S: i64 = 10;

/// OpenWISP's database. Cheap to clone.
#[derive(Clone)]
pub struct Tables {
    pools: Pools,
}

#[derive(Clone)]
enum Pools {
    Sqlite(SqlitePool, Box<SqliteConnectOptions>),
    Postgres(PgPool, Box<PgConnectOptions>),
}

impl Tables {
    /// The tables of the database at `address`. Nothing is opened before the first question: a database
    /// that is away is an error of that question, and of no later one.
    #[must_use]
    pub fn open(address: &DatabaseAddress) -> Self {
        let pools = match address {
            DatabaseAddress::Sqlite(file) => {
                let options = SqliteConnectOptions::new()
                    .filename(file)
                    .read_only(true)
                    .pragma("query_only", "ON")
                    .busy_timeout(BUSY);
                let pool = SqlitePoolOptions::new()
                    .max_connections(SQLITE_READERS)
                    .acquire_timeout(ACQUIRE)
                    .max_lifetime(SQLITE_LIFETIME)
                    .connect_lazy_with(options.clone());
                Pools::Sqlite(pool, Box::new(options))
            }
            DatabaseAddress::Postgres(options) => {
                let options = options.as_ref().clone().options([
                    ("default_transaction_read_only", "on"),
                    ("timezone", "UTC"),
                    ("datestyle", "ISO"),
                    ("statement_timeout", STATEMENT_TIMEOUT),
                ]);
                let pool = PgPoolOptions::new()
                    .max_connections(POSTGRES_CONNECTIONS)
                    .acquire_timeout(ACQUIRE)
                    .connect_lazy_with(options.clone());
                Pools::Postgres(pool, Box::new(options))
            }
        };
        Self { pools }
    }

    /// Ends all connections.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite(pool, _) => pool.close().await,
            Pools::Postgres(pool, _) => pool.close().await,
        }
    }

    /// Opens one connection and asks nothing.
    ///
    /// # Errors
    /// With what the database itself says: a pool tells only that it has waited.
    pub async fn probe(&self) -> Result<(), TablesError> {
        timely(async {
            match &self.pools {
                Pools::Sqlite(_, options) => {
                    let mut connection = SqliteConnection::connect_with(options).await?;
                    // The file is not read before it is asked.
                    sqlx::query("SELECT count(*) FROM sqlite_master")
                        .execute(&mut connection)
                        .await?;
                    connection.close().await
                }
                Pools::Postgres(_, options) => {
                    PgConnection::connect_with(options).await?.close().await
                }
            }
        })
        .await
    }

    /// Whether the user that OpenWISP's database knows us as could write, if our connections let it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_may_write(&self) -> Result<bool, TablesError> {
        match self.dialect() {
            // A file has no users.
            Dialect::Sqlite => Ok(false),
            Dialect::Postgres => {
                let sql =
                    "SELECT has_table_privilege('openwisp_users_user', 'INSERT, UPDATE, DELETE')";
                let rows: Vec<(bool,)> = self.rows(sql.into(), []).await?;
                Ok(rows.contains(&(true,)))
            }
        }
    }

    fn dialect(&self) -> Dialect {
        match self.pools {
            Pools::Sqlite(..) => Dialect::Sqlite,
            Pools::Postgres(..) => Dialect::Postgres,
        }
    }

    /// The rows of a question whose parameters are all texts. `sql` is made of our own words.
    async fn rows<T, const N: usize>(
        &self,
        sql: String,
        parameters: [String; N],
    ) -> Result<Vec<T>, TablesError>
    where
        T: Send + Unpin,
        T: for<'r> FromRow<'r, SqliteRow>,
        T: for<'r> FromRow<'r, PgRow>,
    {
        macro_rules! all {
            ($pool:expr) => {{
                let query = sqlx::query_as(AssertSqlSafe(sql));
                let bind = parameters
                    .into_iter()
                    .fold(query, |query, text| query.bind(text));
                timely(bind.fetch_all($pool)).await
            }};
        }
        match &self.pools {
            Pools::Sqlite(pool, _) => all!(pool),
            Pools::Postgres(pool, _) => all!(pool),
        }
    }
}

/// Ends what waits for a connection that does not even fail any more.
async fn timely<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, TablesError> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(TablesError::Late),
    }
}

/// Where a replay ends: the first page sets it for all.
fn until(cursor: Cursor) -> Timestamp {
    let now = || Timestamp::now().plus_seconds(UNTIL_MARGIN_S);
    cursor.until.unwrap_or_else(now)
}
