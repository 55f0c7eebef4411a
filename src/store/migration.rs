//! Bringing a database to this version's tables.
//!
//! Migrations expand: they add what the old version does without, so that its nodes go on beside the new
//! ones, and one of them may even be started again. What nobody needs any more goes in a later version
//! (contract), with a migration that writes into `schema_floor` which migration a program must know from
//! then on. A program that knows less refuses to start.

use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::time::{Instant, sleep};

use super::StoreError;
use super::db::{BUSY, is_busy};

/// Where sqlx notes what was applied.
const APPLIED: &str = "_sqlx_migrations";

/// Between two attempts to open a file that another process is just making.
const REOPEN: Duration = Duration::from_millis(20);

/// How long a migration waits for a lock in PostgreSQL. Whoever asks for the same table meanwhile waits
/// behind it: the nodes that serve.
const LOCK: &str = "2s";

/// The pause after it, in which those go on: from this on, to twice as long.
const LET_BY: Duration = Duration::from_millis(500);

/// How long locks are asked for before it is given up: another node that migrates may take a while.
const PATIENCE: Duration = Duration::from_mins(2);

/// `undefined_table`, `lock_not_available`, `deadlock_detected`.
const UNDEFINED_TABLE: &str = "42P01";
const GIVES_WAY: [&str; 2] = ["55P03", "40P01"];

/// Brings the file to this version's tables, in one transaction: several processes may start at once,
/// and `SQLite` has no other lock for it.
pub async fn migrate_sqlite(options: &SqliteConnectOptions) -> Result<(), StoreError> {
    let deadline = Instant::now() + BUSY;
    let mut connection = loop {
        match options.connect().await {
            // The switch of a new file to a write-ahead log does not wait for another that does it.
            Err(error) if is_busy(&error) && Instant::now() < deadline => sleep(REOPEN).await,
            opened => break opened?,
        }
    };
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let migrator = of_sqlite();
    check_floor(&migrator, sqlite_floor(&mut transaction).await?)?;
    // What `Migrator::run` does; its future can be sent to another thread.
    migrator.run_direct(None, &mut *transaction, false).await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(())
}

/// Brings the database to this version's tables, while other nodes serve, and perhaps migrate it as well.
pub async fn migrate_postgres(options: &PgConnectOptions) -> Result<(), StoreError> {
    // An index of a large table takes its time.
    let bounded = options
        .clone()
        .options([("lock_timeout", LOCK), ("statement_timeout", "0")]);
    let deadline = Instant::now() + PATIENCE;
    loop {
        // A pool tries until its time is out; asked once without one, the server says what is wrong.
        let mut connection = PgConnection::connect_with(&bounded).await?;
        let migrated = migrate(&mut connection).await;
        // What it has locked goes with it.
        connection.close().await.ok();
        match migrated {
            Err(error) if gives_way(&error) && Instant::now() < deadline => {
                tracing::info!(
                    "the database is about to be migrated: waiting for a lock ({error})"
                );
                sleep(LET_BY.mul_f64(1.0 + rand::random::<f64>())).await;
            }
            migrated => return migrated,
        }
    }
}

async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    let migrator = of_postgres();
    check_floor(&migrator, postgres_floor(connection).await?)?;
    // Most starts find nothing to do, and need not wait for a node that does.
    if !is_applied(&migrator, connection).await? {
        migrator.run_direct(None, connection, false).await?;
    }
    Ok(())
}

/// Those of SQLite.
pub(super) fn of_sqlite() -> Migrator {
    expanding(sqlx::migrate!("migrations/sqlite"))
}

/// Those of PostgreSQL: of the same numbers, for the same purpose.
pub(super) fn of_postgres() -> Migrator {
    expanding(sqlx::migrate!("migrations/postgres"))
}

/// Those of a later version do not disturb: `schema_floor` says if they do.
fn expanding(mut migrator: Migrator) -> Migrator {
    migrator.set_ignore_missing(true);
    migrator
}

fn check_floor(migrator: &Migrator, floor: i64) -> Result<(), StoreError> {
    let known = migrator.iter().map(|it| it.version).max().unwrap_or(0);
    if known < floor {
        return Err(StoreError::Outdated { floor, known });
    }
    Ok(())
}

/// The migration that a program has to know; 0 before there was a table of it.
const FLOOR: &str = "SELECT migration FROM schema_floor";

async fn sqlite_floor(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let there: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM sqlite_schema WHERE name = 'schema_floor'")
            .fetch_optional(&mut *connection)
            .await?;
    match there {
        Some(_) => Ok(sqlx::query_scalar(FLOOR).fetch_one(connection).await?),
        None => Ok(0),
    }
}

async fn postgres_floor(connection: &mut PgConnection) -> Result<i64, StoreError> {
    match sqlx::query_scalar(FLOOR).fetch_one(connection).await {
        Err(error) if code(&error).as_deref() == Some(UNDEFINED_TABLE) => Ok(0),
        floor => Ok(floor?),
    }
}

/// Whether each of our migrations has been applied, as it is.
async fn is_applied(
    migrator: &Migrator,
    connection: &mut PgConnection,
) -> Result<bool, StoreError> {
    let applied = match connection.list_applied_migrations(APPLIED).await {
        Ok(applied) => applied,
        Err(MigrateError::Execute(error)) if code(&error).as_deref() == Some(UNDEFINED_TABLE) => {
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    };
    Ok(migrator.iter().all(|ours| {
        let is_it = |it: &sqlx::migrate::AppliedMigration| {
            it.version == ours.version && it.checksum == ours.checksum
        };
        applied.iter().any(is_it)
    }))
}

/// Whether somebody else has the lock that was needed.
fn gives_way(error: &StoreError) -> bool {
    let (StoreError::Database(error)
    | StoreError::Migrate(
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _),
    )) = error
    else {
        return false;
    };
    code(error).is_some_and(|code| GIVES_WAY.contains(&code.as_str()))
}

fn code(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    Some(code.into_owned())
}
