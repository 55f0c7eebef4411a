//! The queue of commands, as a runner sees it: the row is the job.
//!
//! A node claims a queued command of a device on which none runs, until an instant of the database's
//! clock that it keeps moving on. Turns are fair: the organization with the fewest running commands
//! comes first, and within it a single command before those of batches, then the oldest. Just before
//! the command goes to the device it is marked as sent; what its node leaves behind is ended by others
//! (see [`lease`](super::lease)) and never run again.

use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::batch_device::Outcome;
use super::command::{Command, CommandRow, SecretInput};
use super::db::{Db, on_pool};
use super::job::Job;
use super::transaction::{Write, on_write};
use super::{Store, StoreError};
use crate::event::{
    BatchId, CommandId, CommandStatus, CommandUpdated, ConnectionId, Event, NodeId, Timestamp,
};

/// Commands that other nodes may claim before this one gives up until it is told to look again.
const ATTEMPTS: u32 = 8;

/// A part of a command's output.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Its place among the others, from 1. Saved again, it takes its own place: whoever does not
    /// know whether a save came through tries once more.
    pub number: i64,
    /// What was printed; may be empty.
    pub text: &'a str,
}

/// How a command ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// Success or failed.
    pub status: CommandStatus,
    /// How the device's program ended, if it did.
    pub exit_code: Option<i32>,
}

impl Store {
    /// Claims the next command for `node`, for `lease_s` seconds; `None` when none is waiting whose
    /// device is free.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_command(
        &self,
        node: NodeId,
        lease_s: i64,
    ) -> Result<Option<Job>, StoreError> {
        self.claim_next(node, lease_s, i64::MAX).await
    }

    /// The same, only of organizations that no command runs for, in all nodes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_first_command(
        &self,
        node: NodeId,
        lease_s: i64,
    ) -> Result<Option<Job>, StoreError> {
        self.claim_next(node, lease_s, 0).await
    }

    async fn claim_next(
        &self,
        node: NodeId,
        lease_s: i64,
        busiest: i64,
    ) -> Result<Option<Job>, StoreError> {
        for _ in 0..ATTEMPTS {
            // Asked without the right to write, which others want as well.
            let Some(id) = self.next_in_queue(busiest).await? else {
                return Ok(None);
            };
            if let Some(job) = self.claim(id, node, lease_s).await? {
                return Ok(Some(job));
            }
        }
        Ok(None)
    }

    /// Claims this command; `None` when it is not to be had.
    async fn claim(
        &self,
        id: CommandId,
        node: NodeId,
        lease_s: i64,
    ) -> Result<Option<Job>, StoreError> {
        let mut write = self.write().await?;
        let Some(claimed) = write.claim(id, node, lease_s).await? else {
            return Ok(None);
        };
        let rank = claimed.rank;
        let (command, sealed) = (Command::from(claimed.command), claimed.secret_input);
        let organization = command.organization;
        write.note_result(&Outcome::of(&command)).await?;
        let updated = CommandUpdated::from(command.clone());
        write.tell(Event::CommandUpdated(updated));
        let addresses = write.addresses(command.device).await?;
        let logins = write.logins(&command).await?;
        write.commit().await?;
        let plain = match sealed {
            None => Ok(command.input.clone()),
            Some(sealed) => self
                .unseal(&sealed, command.id.0)
                .map(|plain| serde_json::from_slice(&plain).unwrap_or(Value::Null)),
        };
        let input = match plain {
            Ok(input) => SecretInput(input),
            Err(error) => {
                let reason = format!("its input cannot be decrypted: {error}");
                self.fail_claimed(node, command.id, &reason).await?;
                return Ok(None);
            }
        };
        Ok(Some(Job {
            command,
            organization,
            rank,
            input,
            addresses,
            logins,
            expires: claimed.expires,
        }))
    }

    /// What is to be claimed next, of organizations that at most `busiest` commands run for.
    async fn next_in_queue(&self, busiest: i64) -> Result<Option<CommandId>, StoreError> {
        let sql = next(self.now(), self.db());
        Ok(on_pool!(self, pool => {
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(busiest).fetch_optional(pool).await?
        }))
    }

    /// Marks a command as handed to the device over `connection`: from here on nobody runs it again.
    /// `None` when that must not be done: it is not this node's any more, was handed over before, the
    /// device was deactivated, or somebody asked for its end.
    ///
    /// # Errors
    /// When the database fails; then it must not be handed over.
    pub async fn mark_sent(
        &self,
        node: NodeId,
        id: CommandId,
        connection: ConnectionId,
    ) -> Result<Option<Command>, StoreError> {
        let mut write = self.write().await?;
        let change = write.change().await?;
        let sql = format!(
            "UPDATE command SET is_sent = TRUE,
                 connection_id = (SELECT id FROM connection WHERE id = $3),
                 version = version + 1, change = $4, modified = $5
             WHERE id = $1 AND claimed_by = $2 AND status = 'running' AND NOT is_sent
                 AND cancelled_by IS NULL AND claimed_until > {now} AND expires > {now}
                 AND {on}",
            now = self.now(),
            on = on("command")
        );
        let marked = on_write!(write, database => {
            sqlx::query(AssertSqlSafe(sql))
                .bind(id)
                .bind(node)
                .bind(connection)
                .bind(change)
                .bind(self.instant())
                .execute(database)
                .await?
                .rows_affected()
        });
        if marked == 0 {
            return Ok(None);
        }
        let Some(command) = write.lock_command(id).await? else {
            return Ok(None);
        };
        write.tell(Event::CommandUpdated(command.clone().into()));
        write.commit().await?;
        Ok(Some(command))
    }

    /// Saves a new piece of a command's output; `snapshot` holds all of it with what came before.
    /// Answers the row's version, `None` when the command is not this node's any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_output(
        &self,
        node: NodeId,
        snapshot: &CommandUpdated,
        piece: Piece<'_>,
    ) -> Result<Option<i64>, StoreError> {
        self.save(node, snapshot, piece, None).await
    }

    /// Ends a command with the last piece of its output. Answers as [`Store::save_output`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_command(
        &self,
        node: NodeId,
        snapshot: &CommandUpdated,
        piece: Piece<'_>,
        ending: Ending,
    ) -> Result<Option<i64>, StoreError> {
        self.save(node, snapshot, piece, Some(ending)).await
    }

    async fn save(
        &self,
        node: NodeId,
        snapshot: &CommandUpdated,
        piece: Piece<'_>,
        ending: Option<Ending>,
    ) -> Result<Option<i64>, StoreError> {
        let mut write = self.write().await?;
        let change = write.change().await?;
        let modified = self.instant();
        let status = ending.map_or(CommandStatus::Running, |ending| ending.status);
        let saved: Option<(i64, Option<BatchId>)> = on_write!(write, connection => {
            sqlx::query_as(
                "UPDATE command SET status = $3, exit_code = $4,
                     secret_input = CASE WHEN $5 THEN NULL ELSE secret_input END,
                     claimed_by = CASE WHEN $5 THEN NULL ELSE claimed_by END,
                     claimed_until = CASE WHEN $5 THEN NULL ELSE claimed_until END,
                     version = version + 1, change = $6, modified = $7
                 WHERE id = $1 AND claimed_by = $2 AND status = 'running'
                 RETURNING version, batch_id",
            )
            .bind(snapshot.id)
            .bind(node)
            .bind(status)
            .bind(ending.and_then(|ending| ending.exit_code))
            .bind(ending.is_some())
            .bind(change)
            .bind(modified)
            .fetch_optional(connection)
            .await?
        });
        let Some((version, batch)) = saved else {
            return Ok(None);
        };
        write.save_piece(snapshot.id, piece).await?;
        let outcome = Outcome {
            batch,
            device: snapshot.device,
            status,
            exit_code: ending.and_then(|ending| ending.exit_code),
            output: &snapshot.output,
            modified,
        };
        write.note_result(&outcome).await?;
        write.tell(Event::CommandUpdated(CommandUpdated {
            status,
            modified,
            version,
            growth: 0,
            ..snapshot.clone()
        }));
        if ending.is_some() {
            // The device is free for its next one.
            write.is_work();
        }
        write.commit().await?;
        Ok(Some(version))
    }

    /// What `node` runs and somebody asked to end, and who did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancelled(&self, node: NodeId) -> Result<Vec<(CommandId, String)>, StoreError> {
        Ok(on_pool!(self, pool => {
            sqlx::query_as(
                "SELECT id, cancelled_by FROM command
                 WHERE status = 'running' AND claimed_by = $1 AND cancelled_by IS NOT NULL",
            )
            .bind(node)
            .fetch_all(pool)
            .await?
        }))
    }

    /// Commands that wait, and that run, in all nodes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_commands(&self) -> Result<(i64, i64), StoreError> {
        Ok(on_pool!(self, pool => {
            sqlx::query_as(
                "SELECT (SELECT count(*) FROM command WHERE status = 'queued'),
                        (SELECT count(*) FROM command WHERE status = 'running')",
            )
            .fetch_one(pool)
            .await?
        }))
    }

    /// The database's clock, in microseconds: nodes' own differ.
    pub(super) fn now(&self) -> &'static str {
        match self.db() {
            Db::Sqlite { .. } => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
            Db::Postgres { .. } => {
                "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
            }
        }
    }
}

/// What counts for nothing: a device that was deactivated, or whose organization was. Asked for each row of
/// `command`, as there are fewer of those that wait than there are devices; not with EXISTS, of which `PostgreSQL`
/// makes a list of all devices.
pub(super) const OFF: &str =
    "(SELECT NOT device.is_active OR NOT organization.is_active FROM device
     JOIN organization ON organization.id = device.organization_id
     WHERE device.id = command.device_id)";

/// The opposite, as a part of a longer question.
fn on(command: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM device JOIN organization ON organization.id = device.organization_id
             WHERE device.id = {command}.device_id AND device.is_active AND organization.is_active)"
    )
}

/// That a row of `command` may begin and no other open one of its device comes before it.
fn is_first(command: &str, now: &str) -> String {
    format!(
        "{command}.status = 'queued' AND {command}.expires > {now}
         AND {command}.id = (SELECT first.id FROM command AS first
             WHERE first.device_id = {command}.device_id AND first.status IN ('queued', 'running')
                 AND (first.status = 'running' OR first.expires > {now})
             ORDER BY first.created, first.id LIMIT 1)
         AND {on}",
        on = on(command)
    )
}

/// That no command runs on the device of a row of `command`.
fn is_free(command: &str) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM command AS other
             WHERE other.device_id = {command}.device_id AND other.status = 'running')"
    )
}

/// The organizations that commands wait for, found one after the other along the index: each node asks four
/// times a second, and most of many organizations have nothing that waits.
const WAITING: &str = "waiting_for (organization) AS (
         SELECT (SELECT organization_id FROM command
                 WHERE status = 'queued' AND organization_id IS NOT NULL
                 ORDER BY organization_id LIMIT 1)
         UNION ALL
         SELECT (SELECT organization_id FROM command
                 WHERE status = 'queued' AND organization_id > waiting_for.organization
                 ORDER BY organization_id LIMIT 1)
         FROM waiting_for WHERE waiting_for.organization IS NOT NULL)";

/// The command that comes next. `$1` is how many may run for its organization. What comes first in an
/// organization is found once for each. Most of a long queue waits for devices that are busy.
fn next(now: &str, db: &Db) -> String {
    let is_first = is_first("waiting", now);
    let is_free = match db {
        // Makes the list once.
        Db::Sqlite { .. } => {
            "waiting.device_id NOT IN (SELECT device_id FROM command WHERE status = 'running')"
                .into()
        }
        // Would walk through such a list for each row.
        Db::Postgres { .. } => is_free("waiting"),
    };
    format!(
        "WITH RECURSIVE {WAITING}, turn AS MATERIALIZED (
             SELECT (SELECT waiting.id FROM command AS waiting
                     WHERE waiting.organization_id = waiting_for.organization
                         AND {is_free} AND {is_first}
                     ORDER BY waiting.rank, waiting.created, waiting.id LIMIT 1) AS id,
                 (SELECT count(*) FROM command AS busy
                     WHERE busy.organization_id = waiting_for.organization
                         AND busy.status = 'running') AS running
             FROM waiting_for WHERE waiting_for.organization IS NOT NULL)
         SELECT turn.id FROM turn WHERE turn.id IS NOT NULL AND turn.running <= $1
         ORDER BY turn.running, (SELECT command.created FROM command WHERE command.id = turn.id),
             turn.id LIMIT 1"
    )
}

impl Write {
    async fn save_piece(&mut self, id: CommandId, piece: Piece<'_>) -> Result<(), StoreError> {
        if piece.text.is_empty() {
            return Ok(());
        }
        on_write!(self, connection => {
            sqlx::query(
                "INSERT INTO command_output (command_id, number, text) VALUES ($1, $2, $3)
                 ON CONFLICT (command_id, number) DO UPDATE SET text = excluded.text",
            )
            .bind(id)
            .bind(piece.number)
            .bind(piece.text)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        Ok(())
    }

    /// Takes a command from the queue if it is still first there, with its sealed input if it has
    /// one.
    async fn claim(
        &mut self,
        id: CommandId,
        node: NodeId,
        lease_s: i64,
    ) -> Result<Option<ClaimedRow>, StoreError> {
        let now = self.store().now();
        let (is_free, is_first) = (is_free("command"), is_first("command", now));
        let change = self.change().await?;
        let columns = self.store().command_columns();
        let sql = format!(
            "UPDATE command SET status = 'running', claimed_by = $2, claimed_until = {now} + $3,
                 version = version + 1, change = $4, modified = $5
             WHERE id = $1 AND {is_free} AND {is_first}
             RETURNING secret_input, expires, rank, {columns}"
        );
        let claimed: Result<Option<ClaimedRow>, _> = on_write!(self, connection => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(id)
                .bind(node)
                .bind(lease_s.saturating_mul(1_000_000))
                .bind(change)
                .bind(self.store.instant())
                .fetch_optional(connection)
                .await
        });
        match claimed {
            Ok(claimed) => Ok(claimed),
            // Another node has claimed an older one of the same device in this moment.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[derive(sqlx::FromRow)]
struct ClaimedRow {
    #[sqlx(flatten)]
    command: CommandRow,
    secret_input: Option<Vec<u8>>,
    expires: Timestamp,
    rank: i32,
}
