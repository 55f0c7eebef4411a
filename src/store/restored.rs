//! Rows that a dump brought here from another PostgreSQL server.
//!
//! They are stamped with numbers of transactions of that server, and where it was older than this one, with such
//! as are yet to come here. The tail leaves these out, but when this server's transactions reach those numbers,
//! it would take the rows for changed. So a node that starts gives them a number that is long over.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use tokio::time::sleep;

use super::db::Db;
use super::{Store, StoreError};

/// Rows of one transaction: others want to write to them as well.
const AT_ONCE: i64 = 1000;

/// How often it may be that somebody else has just written to one of them, and how long to leave them alone then.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(200);

/// That a row is of a transaction that has not begun at the time of the snapshot in which the row is seen: so it is
/// of another server. The whole transaction must have one snapshot: otherwise PostgreSQL would ask this
/// again of a row that somebody updates meanwhile, and that row's number is of our own.
const FOREIGN: &str = "change >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint";

impl Store {
    /// Renumbers the rows that a dump has brought. Answers how many; on SQLite, whose numbers are in its file, none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renumber_restored(&self) -> Result<u64, StoreError> {
        let mut all = 0;
        // 0 would say of a command that it was never updated.
        for statement in [
            "UPDATE location SET change = 1 WHERE id IN
                 (SELECT id FROM location WHERE {foreign} ORDER BY change LIMIT $1 FOR UPDATE SKIP LOCKED)",
            "UPDATE command SET change = 1 WHERE id IN
                 (SELECT id FROM command WHERE {foreign} ORDER BY change LIMIT $1 FOR UPDATE SKIP LOCKED)",
            // They tell nobody anything here: a node that starts asks about everybody.
            "DELETE FROM rights_change WHERE ctid IN
                 (SELECT ctid FROM rights_change WHERE {foreign} ORDER BY change LIMIT $1 FOR UPDATE SKIP LOCKED)",
        ] {
            all += self
                .renumber(&statement.replace("{foreign}", FOREIGN))
                .await?;
        }
        Ok(all)
    }

    async fn renumber(&self, statement: &str) -> Result<u64, StoreError> {
        let (mut all, mut failures) = (0, 0);
        loop {
            match self.renumber_some(statement).await {
                Ok(0) => return Ok(all),
                Ok(rows) => {
                    all += rows;
                    failures = 0;
                }
                Err(error) if error.is_deadlock() && failures < ATTEMPTS => {
                    failures += 1;
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn renumber_some(&self, statement: &str) -> Result<u64, StoreError> {
        let Db::Postgres { pool, .. } = self.db() else {
            return Ok(0);
        };
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ";
        let mut transaction = pool.begin_with(begin).await?;
        let done = sqlx::query(AssertSqlSafe(statement.to_owned()))
            .bind(AT_ONCE)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }
}
