//! The two engines behind one set of queries.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgConnectOptions, PgPool, PgPoolOptions, PgTypeInfo};
use sqlx::sqlite::{
    SqliteArgumentsBuffer, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous, SqliteTypeInfo,
};
use sqlx::{Connection, Postgres, Sqlite};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use uuid::Uuid;

use super::key::hexadecimal;
use super::migration::{migrate_postgres, migrate_sqlite};
use super::{Engine, StoreError};

/// The file of a SQLite database, in the data directory.
pub(super) const DATABASE: &str = "fleetwire.db";

/// How long to wait for another process that writes to the same file.
pub(super) const BUSY: Duration = Duration::from_secs(10);

/// How long to wait for a connection: what has none by then is answered as unavailable.
pub(super) const ACQUIRE: Duration = Duration::from_secs(5);

/// Connections for requests, and for what the node itself does.
const SQLITE_READERS: u32 = 4;
const SQLITE_OWN_READERS: u32 = 2;

/// Memory for the pages of a large transaction, in KiB by SQLite's negative count: what does not fit
/// is written out before its end, and again.
const WRITER_CACHE: &str = "-32768";

/// The same on PostgreSQL, where a node has one more that listens. docs/operation.md names the sum.
const POSTGRES_CONNECTIONS: u32 = 10;
const POSTGRES_OWN_CONNECTIONS: u32 = 6;

/// The pools of one engine, by whom they are for: however many requests wait for a connection, leases, claims
/// and the tail do not wait behind them.
pub struct Pools {
    /// For requests.
    pub requests: Db,
    /// For what the node itself does.
    pub own: Db,
    /// Turns to read a page of a list, which may take long: fewer than there are connections, so that other
    /// requests have some too.
    pages: Semaphore,
}

/// Pools of connections to one of the engines.
pub enum Db {
    Sqlite {
        read: SqlitePool,
        /// One connection: there is one writer.
        write: SqlitePool,
        /// One connection that only watches `PRAGMA data_version`, which compares what one and the
        /// same connection saw.
        watch: SqlitePool,
    },
    Postgres {
        pool: PgPool,
        /// How the connection that listens for hints is made.
        listen: Box<PgConnectOptions>,
    },
}

/// Runs one expression on a pool of either engine; on SQLite on the readers.
macro_rules! on_pool {
    ($store:expr, $pool:ident => $run:expr) => {
        match $store.db() {
            $crate::store::db::Db::Sqlite { read: $pool, .. } => $run,
            $crate::store::db::Db::Postgres { pool: $pool, .. } => $run,
        }
    };
}
pub(super) use on_pool;

/// One page of a list. `$1` in `$count` and `$select` is the list of the scope's organizations, the
/// next ones are the filters; two more in `$select` are the page's size and offset.
macro_rules! fetch_page {
    ($store:expr, $scope:expr, $page:expr, $count:expr, $select:expr, $($filter:expr),*) => {{
        macro_rules! on {
            ($organizations:expr, $pool:expr) => {{
                let organizations = $organizations;
                let count = sqlx::query_scalar(sqlx::AssertSqlSafe($count))
                    .bind(&organizations)
                    $(.bind($filter))*
                    .fetch_one($pool)
                    .await?;
                let rows = sqlx::query_as(sqlx::AssertSqlSafe($select))
                    .bind(&organizations)
                    $(.bind($filter))*
                    .bind(i64::from($page.size))
                    .bind($page.offset())
                    .fetch_all($pool)
                    .await?;
                $crate::store::Paged { count, rows }
            }};
        }
        let _turn = $store.page_turn().await?;
        match $store.db() {
            $crate::store::db::Db::Sqlite { read, .. } => {
                on!($crate::store::db::ids(&$scope.ids()), read)
            }
            $crate::store::db::Db::Postgres { pool, .. } => on!($scope.ids(), pool),
        }
    }};
}
pub(super) use fetch_page;

impl Pools {
    pub async fn open(engine: &Engine) -> Result<Self, StoreError> {
        match engine {
            Engine::Sqlite { directory } => Self::open_sqlite(directory).await,
            Engine::Postgres { url } => Self::open_postgres(url).await,
        }
    }

    async fn open_sqlite(directory: &Path) -> Result<Self, StoreError> {
        let file = directory.join(DATABASE);
        make_private(directory, &file)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        // No connection to a file gets stale. A new one each half hour would fill its cache anew, while the allocator
        // keeps the memory of the last one's.
        let connections = |most| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .max_lifetime(None)
                .idle_timeout(None)
                .acquire_timeout(ACQUIRE)
        };
        migrate_sqlite(&options).await?;
        let writer = options.clone().pragma("cache_size", WRITER_CACHE);
        let write = connections(1)
            // SQLite itself rolls a transaction back for which the disk has no room. To sqlx it is open still, and
            // such a connection could never begin another one.
            .before_acquire(|connection, _| {
                let is_free = !connection.is_in_transaction();
                Box::pin(async move { Ok(is_free) })
            })
            .connect_with(writer)
            .await?;
        let reader = options.read_only(true);
        let requests = connections(SQLITE_READERS);
        let read = requests.connect_with(reader.clone()).await?;
        // The command line needs none.
        let own = connections(SQLITE_OWN_READERS).connect_lazy_with(reader.clone());
        // It must stay the same connection for as long as the store is open.
        let watch = connections(1)
            .min_connections(1)
            .connect_with(reader)
            .await?;
        let pools = |read| Db::Sqlite {
            read,
            write: write.clone(),
            watch: watch.clone(),
        };
        Ok(Self::new(pools(read), pools(own), SQLITE_READERS))
    }

    async fn open_postgres(url: &str) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        migrate_postgres(&options).await?;
        // Nothing that hangs elsewhere (a lock, a vanished node) may hang us for long.
        let bounded = options.clone().options([
            ("lock_timeout", "5s"),
            ("statement_timeout", "30s"),
            ("idle_in_transaction_session_timeout", "10s"),
        ]);
        let pool = |most| {
            PgPoolOptions::new()
                .max_connections(most)
                .acquire_timeout(ACQUIRE)
        };
        let requests = pool(POSTGRES_CONNECTIONS);
        let requests = requests.connect_with(bounded.clone()).await?;
        // The command line needs none.
        let own = pool(POSTGRES_OWN_CONNECTIONS).connect_lazy_with(bounded);
        let listen = Box::new(options);
        let pools = |pool| Db::Postgres {
            pool,
            listen: listen.clone(),
        };
        Ok(Self::new(pools(requests), pools(own), POSTGRES_CONNECTIONS))
    }

    fn new(requests: Db, own: Db, connections: u32) -> Self {
        let pages = (connections * 2 / 3) as usize;
        Self {
            requests,
            own,
            pages: Semaphore::new(pages),
        }
    }

    /// A turn to read a page of a list.
    pub async fn page_turn(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        let turn = timeout(ACQUIRE, self.pages.acquire()).await;
        turn.ok()
            .and_then(Result::ok)
            .ok_or_else(|| StoreError::Database(sqlx::Error::PoolTimedOut))
    }

    /// Whether a page could be read at once.
    #[cfg(test)]
    pub fn has_page_turn(&self) -> bool {
        self.pages.available_permits() > 0
    }

    pub async fn close(&self) {
        // SQLite's writer is the last: only it can bring the log of writes back into the file.
        if let Db::Sqlite { read, .. } = &self.own {
            read.close().await;
        }
        self.requests.close().await;
        self.own.close().await;
    }
}

impl Db {
    async fn close(&self) {
        match self {
            Self::Sqlite { read, write, watch } => {
                read.close().await;
                watch.close().await;
                write.close().await;
            }
            Self::Postgres { pool, .. } => pool.close().await,
        }
    }
}

/// Whether another process is in the way: `SQLITE_BUSY` (5) in any of its extended forms.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|code| code & 0xff == 5)
}

/// Makes the data directory and the database's file, if they are not there, for their owner alone:
/// the file holds the keys of devices. What SQLite puts beside the file has the file's rights.
fn make_private(directory: &Path, file: &Path) -> Result<(), StoreError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| StoreError::Directory { path, source }
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(failed(directory))?;
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(file)
        .map_err(failed(file))?;
    Ok(())
}

/// Whether there is a SQLite database in the directory.
#[must_use]
pub fn is_database_in(directory: &Path) -> bool {
    directory.join(DATABASE).is_file()
}

/// What follows a column that is to be one of the ids in `$1`, which [`ids`] made.
pub const SQLITE_AMONG: &str = "IN (SELECT unhex(value) FROM json_each($1))";

/// What follows a column that is to be one of the ids in `$1`, an array.
pub const POSTGRES_AMONG: &str = "= ANY($1)";

/// What follows a column that is to be one of the ids in an [`IdList`], the parameter of this name.
pub fn among(db: &Db, parameter: &str) -> String {
    let text = match db {
        Db::Sqlite { .. } => SQLITE_AMONG,
        Db::Postgres { .. } => POSTGRES_AMONG,
    };
    text.replace("$1", parameter)
}

/// A list of ids as either engine takes it in one parameter.
pub struct IdList(pub Vec<Uuid>);

impl sqlx::Type<Sqlite> for IdList {
    fn type_info() -> SqliteTypeInfo {
        <String as sqlx::Type<Sqlite>>::type_info()
    }
}

impl sqlx::Encode<'_, Sqlite> for IdList {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        sqlx::Encode::<Sqlite>::encode(ids(&self.0), buffer)
    }
}

impl sqlx::Type<Postgres> for IdList {
    fn type_info() -> PgTypeInfo {
        <Vec<Uuid> as sqlx::Type<Postgres>>::type_info()
    }
}

impl sqlx::Encode<'_, Postgres> for IdList {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        sqlx::Encode::<Postgres>::encode_by_ref(&self.0, buffer)
    }
}

/// Ids as SQLite takes a list of them in one parameter: a JSON array of hexadecimal texts.
pub fn ids(ids: &[Uuid]) -> String {
    let texts: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
    serde_json::Value::from(texts).to_string()
}

/// The same of digests.
pub fn digests(digests: &[&[u8]]) -> String {
    let texts: Vec<String> = digests.iter().map(|digest| hexadecimal(digest)).collect();
    serde_json::Value::from(texts).to_string()
}
