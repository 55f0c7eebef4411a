//! Claims of commands: kept alive by the node that runs them, ended where it does not any more.

use std::collections::HashSet;

use sqlx::AssertSqlSafe;

use super::batch_device::Outcome;
use super::command::{Command, CommandRow};
use super::db::{IdList, among, on_pool};
use super::transaction::{Write, on_write};
use super::{Store, StoreError};
use crate::event::{CommandId, Event, NodeId, Timestamp};

/// Commands looked for at once.
const AT_ONCE: i64 = 100;

/// Which running commands are ended.
#[derive(Clone, Copy)]
enum Left {
    /// Those of this node.
    By(NodeId),
    /// Those whose leases were over at this instant.
    Over(Timestamp),
}

/// The same as a condition, of which `$1` is the node and `$2` the instant.
const LEFT: &str = "status = 'running' AND (claimed_by = $1 OR claimed_until <= $2)";

/// A command that is to be ended, and what decides which line says so.
#[derive(sqlx::FromRow)]
struct LeftRow {
    #[sqlx(flatten)]
    command: CommandRow,
    is_sent: bool,
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
        let mut kept = self.renew_some(node, running, lease_s, Rows::Free).await?;
        // A row that somebody holds for long must not keep all others waiting, whose leases end.
        let rest: Vec<CommandId> = running
            .iter()
            .copied()
            .filter(|id| !kept.contains(id))
            .collect();
        if self.is_shared() && !rest.is_empty() {
            kept.extend(self.renew_some(node, &rest, lease_s, Rows::All).await?);
        }
        Ok(kept)
    }

    async fn renew_some(
        &self,
        node: NodeId,
        running: &[CommandId],
        lease_s: i64,
        rows: Rows,
    ) -> Result<HashSet<CommandId>, StoreError> {
        let mut write = self.write().await?;
        let lock = match rows {
            Rows::Free => write.free_row_lock(),
            Rows::All => write.row_lock(),
        };
        // Locked in the order in which others end them.
        let sql = format!(
            "UPDATE command SET claimed_until = {now} + $3
             WHERE id IN (SELECT id FROM command
                 WHERE id {among} AND claimed_by = $2 AND status = 'running' ORDER BY id {lock})
             RETURNING id",
            now = self.now(),
            among = among(self.db(), "$1"),
        );
        let kept: Vec<CommandId> = on_write!(write, connection => {
            sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(IdList(running.iter().map(|id| id.0).collect()))
                .bind(node)
                .bind(lease_s.saturating_mul(1_000_000))
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
                .bind(self.instant())
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
        self.end_all(Left::By(node)).await
    }

    /// Ends what nodes have left running whose leases were over at `now`, by [`Store::clock`]: all of it. Answers
    /// how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_left_behind(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.end_all(Left::Over(now)).await
    }

    /// What the clock shows that leases last by: the database's, asked now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clock(&self) -> Result<Timestamp, StoreError> {
        let sql = format!("SELECT {}", self.now());
        Ok(on_pool!(self, pool => {
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await?
        }))
    }

    /// Ends a command that `node` has claimed.
    pub(super) async fn fail_claimed(
        &self,
        node: NodeId,
        id: CommandId,
        reason: &str,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        if let Some(left) = write.lock_left(id, Left::By(node)).await? {
            write.fail(left.command.into(), reason).await?;
            write.is_work();
        }
        write.commit().await
    }

    async fn end_all(&self, left: Left) -> Result<usize, StoreError> {
        let mut all = 0;
        loop {
            let ended = self.end_some(left).await?;
            all += ended;
            if ended == 0 {
                return Ok(all);
            }
        }
    }

    async fn end_some(&self, left: Left) -> Result<usize, StoreError> {
        let sql = format!("SELECT id FROM command WHERE {LEFT} ORDER BY id LIMIT $3");
        let found: Vec<CommandId> = on_pool!(self, pool => {
            sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(left.node())
                .bind(left.instant())
                .bind(AT_ONCE)
                .fetch_all(pool)
                .await?
        });
        let mut ended = 0;
        for id in found {
            let mut write = self.write().await?;
            // Asked again: its node, a client or another node may have been quicker.
            if let Some(row) = write.lock_left(id, left).await? {
                let reason = row.reason();
                write.fail(row.command.into(), reason).await?;
                write.is_work();
                ended += 1;
            }
            write.commit().await?;
        }
        Ok(ended)
    }
}

/// Which of the rows are renewed.
#[derive(Clone, Copy)]
enum Rows {
    /// Those that nobody has locked.
    Free,
    /// The others as well, once they are free.
    All,
}

impl Left {
    fn node(self) -> Option<NodeId> {
        match self {
            Self::By(node) => Some(node),
            Self::Over(_) => None,
        }
    }

    fn instant(self) -> Option<Timestamp> {
        match self {
            Self::By(_) => None,
            Self::Over(instant) => Some(instant),
        }
    }
}

impl LeftRow {
    fn reason(&self) -> &'static str {
        if self.is_sent {
            "the server that ran this command was stopped: it may have completed on the device"
        } else {
            "the server that was about to run this command was stopped: it was not run"
        }
    }
}

impl Write {
    /// A command that is still left so; its row stays as it is until the commit. The condition
    /// is one on the row itself: `PostgreSQL` asks only that again after it has waited for the row.
    async fn lock_left(
        &mut self,
        id: CommandId,
        left: Left,
    ) -> Result<Option<LeftRow>, StoreError> {
        let columns = self.store().command_columns();
        let lock = self.row_lock();
        let sql = format!("SELECT {columns}, is_sent FROM command WHERE id = $3 AND {LEFT} {lock}");
        Ok(on_write!(self, connection => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(left.node())
                .bind(left.instant())
                .bind(id)
                .fetch_optional(connection)
                .await?
        }))
    }
}
