//! The ends of commands that wait in the queue, many in a transaction.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::command::{Command, CommandRow};
use super::db::{self, IdList, on_pool};
use super::queue::OFF;
use super::transaction::{Write, on_write};
use super::{Store, StoreError};
use crate::event::{BatchId, Event};

/// Commands that are ended in one transaction: others want to write as well.
pub(super) const AT_ONCE: i64 = 500;

/// What the output says of a command whose time to begin was over.
pub const EXPIRED: &str = "expired: its turn did not come in time, and it was not run";

/// Of one whose device was deactivated, or its organization.
const DEACTIVATED: &str = "the device was deactivated: it was not run";

/// Of one that somebody asked to end; SQL on its row.
const CANCELLED: &str = "'cancelled by ' || cancelled_by || ' before it began'";

impl Store {
    /// Ends what waited too long in the queue or for a device that was deactivated: all of it. Answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_late(&self) -> Result<usize, StoreError> {
        let mut all = 0;
        loop {
            let ended = self.end_some_late().await?;
            all += ended;
            if ended == 0 {
                return Ok(all);
            }
        }
    }

    async fn end_some_late(&self) -> Result<usize, StoreError> {
        let now = self.now();
        let late = format!("status = 'queued' AND (expires <= {now} OR {OFF})");
        let sql = format!("SELECT id FROM command WHERE {late} ORDER BY id LIMIT $1");
        // Asked without the right to write, which others want as well.
        let found: Vec<Uuid> = on_pool!(self, pool => {
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(AT_ONCE).fetch_all(pool).await?
        });
        if found.is_empty() {
            return Ok(0);
        }
        let mut write = self.write().await?;
        // Asked again: a client or another node may have been quicker, or be at it.
        let sql = format!(
            "SELECT id, expires <= {now} FROM command WHERE id {among} AND {late} ORDER BY id {lock}",
            among = db::among(self.db(), "$1"),
            lock = write.free_row_lock(),
        );
        let locked: Vec<(Uuid, bool)> = on_write!(write, connection => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(IdList(found)).fetch_all(connection).await?
        });
        let ended = locked.len();
        let (expired, deactivated): (Vec<_>, Vec<_>) = locked.into_iter().partition(|it| it.1);
        for (which, line) in [(expired, EXPIRED), (deactivated, DEACTIVATED)] {
            let waiting: Vec<Uuid> = which.into_iter().map(|(id, _)| id).collect();
            if !waiting.is_empty() {
                write.end_waiting(waiting, &format!("'{line}'")).await?;
            }
        }
        write.is_work();
        write.commit().await?;
        Ok(ended)
    }

    /// Ends some of the commands of a batch that wait and are to end. Answers how many.
    pub(super) async fn end_cancelled(&self, batch: BatchId) -> Result<usize, StoreError> {
        let mut write = self.write().await?;
        let lock = write.row_lock();
        let sql = format!(
            "SELECT id FROM command
             WHERE batch_id = $1 AND status = 'queued' AND cancelled_by IS NOT NULL
             ORDER BY id LIMIT $2 {lock}"
        );
        let waiting: Vec<Uuid> = on_write!(write, connection => {
            sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(batch)
                .bind(AT_ONCE)
                .fetch_all(connection)
                .await?
        });
        let ended = waiting.len();
        if ended > 0 {
            write.end_waiting(waiting, CANCELLED).await?;
            write.is_work();
            write.commit().await?;
        }
        Ok(ended)
    }
}

impl Write {
    /// Ends commands that are locked in the queue. `line` is what their output says: SQL on their rows.
    async fn end_waiting(&mut self, waiting: Vec<Uuid>, line: &str) -> Result<(), StoreError> {
        let change = self.change().await?;
        let now = self.store.instant();
        let among = db::among(self.store().db(), "$1");
        let columns = self.store().command_columns();
        let output = format!(
            "INSERT INTO command_output (command_id, number, text)
             SELECT id, 1 + COALESCE((SELECT max(number) FROM command_output
                     WHERE command_id = command.id), 0), {line}
             FROM command WHERE id {among}"
        );
        let results = format!(
            "UPDATE batch_device SET status = 'failed', modified = $2, last_line =
                 (SELECT {line} FROM command WHERE command.id = command_id)
             WHERE command_id {among}"
        );
        let commands = format!(
            "UPDATE command SET status = 'failed', secret_input = NULL, version = version + 1,
                 change = $2, modified = $3
             WHERE id {among} RETURNING {columns}"
        );
        let waiting = || IdList(waiting.clone());
        let ended: Vec<CommandRow> = on_write!(self, connection => {
            sqlx::query(AssertSqlSafe(output)).bind(waiting()).execute(&mut *connection).await?;
            sqlx::query(AssertSqlSafe(results))
                .bind(waiting())
                .bind(now)
                .execute(&mut *connection)
                .await?;
            sqlx::query_as(AssertSqlSafe(commands))
                .bind(waiting())
                .bind(change)
                .bind(now)
                .fetch_all(connection)
                .await?
        });
        for row in ended {
            self.tell(Event::CommandUpdated(Command::from(row).into()));
        }
        Ok(())
    }
}
