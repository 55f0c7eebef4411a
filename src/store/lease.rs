//! Claims of commands: kept alive by the node that runs them, ended where it does not any more.

use std::collections::HashSet;

use sqlx::AssertSqlSafe;

use super::batch_device::Outcome;
use super::command::{Command, CommandRow};
use super::db::{IdList, among, on_pool};
use super::queue::OFF;
use super::transaction::{Write, on_write};
use super::{Store, StoreError};
use crate::event::{CommandId, CommandStatus, Event, NodeId, Timestamp};

/// Commands ended in one sweep; the next one goes on.
const SWEEP: i64 = 100;

/// What the output says of a command whose time to begin was over.
pub const EXPIRED: &str = "expired: its turn did not come in time, and it was not run";

/// A command that is to be ended, and what decides which line says so.
#[derive(sqlx::FromRow)]
struct LeftRow {
    #[sqlx(flatten)]
    command: CommandRow,
    is_sent: bool,
    expires: Timestamp,
}

impl Store {
    /// Keeps the claims of `node` on these commands for another `lease_s` seconds from now on, and answers
    /// with those that are its own still: one that nobody has ended is, however long the database was away.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_claims(
        &self,
        node: NodeId,
        running: &[CommandId],
        lease_s: i64,
    ) -> Result<HashSet<CommandId>, StoreError> {
        if running.is_empty() {
            return Ok(HashSet::new());
        }
        let ids = IdList(running.iter().map(|id| id.0).collect());
        let sql = format!(
            "UPDATE command SET claimed_until = {now} + $3
             WHERE id {among} AND claimed_by = $2 AND status = 'running' RETURNING id",
            now = self.now(),
            among = among(self.db(), "$1"),
        );
        let lease = lease_s.saturating_mul(1_000_000);
        let mut write = self.write().await?;
        let kept: Vec<CommandId> = on_write!(write, connection => {
            sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(ids)
                .bind(node)
                .bind(lease)
                .fetch_all(connection)
                .await?
        });
        write.commit().await?;
        Ok(kept.into_iter().collect())
    }

    /// Puts a command that `node` has claimed and not handed over back into the queue; false when
    /// there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_back(&self, node: NodeId, id: CommandId) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let change = write.change().await?;
        let columns = self.command_columns();
        let sql = format!(
            "UPDATE command SET status = 'queued', claimed_by = NULL, claimed_until = NULL,
                 version = version + 1, change = $3, modified = $4
             WHERE id = $1 AND claimed_by = $2 AND status = 'running' AND NOT is_sent
                 AND cancelled_by IS NULL
             RETURNING {columns}"
        );
        let given_back: Option<CommandRow> = on_write!(write, connection => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(id)
                .bind(node)
                .bind(change)
                .bind(Timestamp::now())
                .fetch_optional(connection)
                .await?
        });
        let Some(command) = given_back.map(Command::from) else {
            return Ok(false);
        };
        write.note_result(&Outcome::of(&command)).await?;
        write.tell(Event::CommandUpdated(command.into()));
        write.is_work();
        write.commit().await?;
        Ok(true)
    }

    /// Ends all that `node` ran before it was started anew. Answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_own(&self, node: NodeId) -> Result<usize, StoreError> {
        let own = "status = 'running' AND claimed_by = $1";
        let mut all = 0;
        loop {
            let ended = self.end_all(own, Some(node)).await?;
            all += ended;
            if ended == 0 {
                return Ok(all);
            }
        }
    }

    /// Ends what nodes have left running whose leases are over: all of it. Answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_left_behind(&self) -> Result<usize, StoreError> {
        let now = self.now();
        let left = format!("status = 'running' AND claimed_until <= {now} AND $1 IS NULL");
        let mut all = 0;
        loop {
            let ended = self.end_all(&left, None).await?;
            all += ended;
            if ended == 0 {
                return Ok(all);
            }
        }
    }

    /// Ends what waited too long in the queue or for a device that was deactivated; not more than some at a
    /// time. Answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_late(&self) -> Result<usize, StoreError> {
        let now = self.now();
        let late = format!("status = 'queued' AND (expires <= {now} OR {OFF}) AND $1 IS NULL");
        self.end_all(&late, None).await
    }

    /// Ends a command that `node` has claimed.
    pub(super) async fn fail_claimed(
        &self,
        node: NodeId,
        id: CommandId,
        reason: &str,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let own = "status = 'running' AND claimed_by = $1";
        if let Some(left) = write.lock_left(id, own, Some(node)).await? {
            write.fail(left.command.into(), reason).await?;
            write.is_work();
        }
        write.commit().await
    }

    async fn end_all(&self, condition: &str, node: Option<NodeId>) -> Result<usize, StoreError> {
        let sql = format!("SELECT id FROM command WHERE {condition} ORDER BY id LIMIT $2");
        let found: Vec<CommandId> = on_pool!(self, pool => {
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(node).bind(SWEEP).fetch_all(pool).await?
        });
        let mut ended = 0;
        for id in found {
            let mut write = self.write().await?;
            // Asked again: its node, a client or another node may have been quicker.
            if let Some(left) = write.lock_left(id, condition, node).await? {
                let reason = left.reason();
                write.fail(left.command.into(), reason).await?;
                write.is_work();
                ended += 1;
            }
            write.commit().await?;
        }
        Ok(ended)
    }
}

impl LeftRow {
    fn reason(&self) -> &'static str {
        match (self.command.status, self.is_sent) {
            (CommandStatus::Queued, _) if self.expires <= Timestamp::now() => EXPIRED,
            (CommandStatus::Queued, _) => "the device was deactivated: it was not run",
            (_, true) => {
                "the server that ran this command was stopped: it may have completed on the device"
            }
            (_, false) => {
                "the server that was about to run this command was stopped: it was not run"
            }
        }
    }
}

impl Write {
    /// A command for which `condition` still holds; its row stays so until the commit. The condition
    /// is one on the row itself: `PostgreSQL` asks only that again after it has waited for the row.
    async fn lock_left(
        &mut self,
        id: CommandId,
        condition: &str,
        node: Option<NodeId>,
    ) -> Result<Option<LeftRow>, StoreError> {
        let columns = self.store().command_columns();
        let lock = self.row_lock();
        let sql = format!(
            "SELECT {columns}, is_sent, expires FROM command WHERE id = $2 AND {condition} {lock}"
        );
        Ok(on_write!(self, connection => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(node).bind(id).fetch_optional(connection).await?
        }))
    }
}
