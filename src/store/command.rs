//! Commands: what was asked of a device, and what came of it. How they are run is in
//! [`queue`](super::queue).

use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::batch_device::Outcome;
use super::changes::until;
use super::db::{Db, fetch_page, on_pool};
use super::transaction::{Write, on_write};
use super::{Page, Paged, QueueLimits, Scope, Store, StoreError};
use crate::event::{
    BatchId, CommandId, CommandStatus, CommandUpdated, ConnectionId, Cursor, DeviceId, Event,
    OrganizationId, Timestamp, UserId,
};

/// A replay of a device's commands brings at most so many, the newest.
const REPLAYED: i64 = 100;

/// A command's row, with all that it has printed so far.
#[derive(Clone, Debug)]
pub struct Command {
    /// Identifier.
    pub id: CommandId,
    /// What it runs on.
    pub device: DeviceId,
    /// Whose it is; `None` where its device is gone.
    pub organization: Option<OrganizationId>,
    /// The login that it runs with, once that is known.
    pub connection: Option<ConnectionId>,
    /// The name of its type, such as `custom`.
    pub kind: String,
    /// The display name of its type, such as `Custom Command`.
    pub label: String,
    /// Its input, secrets masked.
    pub input: Value,
    /// What the device has printed so far, as far as it is saved.
    pub output: String,
    /// Where it stands.
    pub status: CommandStatus,
    /// How the device's program ended, if it did.
    pub exit_code: Option<i32>,
    /// Who asked for it, where that was a user who is still there.
    pub created_by: Option<UserId>,
    /// What it is a part of, if it was not asked for by itself.
    pub batch: Option<BatchId>,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it was updated last.
    pub modified: Timestamp,
    /// Updates of the row so far.
    pub version: i64,
}

/// A command to be run.
#[derive(Clone, Debug)]
pub struct NewCommand {
    /// On which device.
    pub device: DeviceId,
    /// With this login and no other; `None` tries all that are enabled, in order.
    pub connection: Option<ConnectionId>,
    /// The name of its type.
    pub kind: String,
    /// The display name of its type.
    pub label: String,
    /// Its input, secrets masked.
    pub input: Value,
    /// Its whole input, where something in it is masked.
    pub secret_input: Option<SecretInput>,
    /// Seconds after which it is too late to begin.
    pub queue_s: u64,
    /// How many may wait with it.
    pub limits: QueueLimits,
}

/// A plain input that holds a secret.
#[derive(Clone)]
pub struct SecretInput(pub Value);

impl std::fmt::Debug for SecretInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretInput")
    }
}

/// What came of asking for a command's end.
#[derive(Clone, Debug)]
pub enum Cancelled {
    /// It was still in the queue and has ended now, or its runner has been told to end it.
    Asked(Command),
    /// It had ended before.
    TooLate(Command),
}

#[derive(sqlx::FromRow)]
pub(super) struct CommandRow {
    pub id: CommandId,
    pub device_id: DeviceId,
    pub organization_id: Option<OrganizationId>,
    pub connection_id: Option<ConnectionId>,
    #[sqlx(rename = "type")]
    pub kind: String,
    pub label: String,
    pub input: String,
    pub output: String,
    pub status: CommandStatus,
    pub exit_code: Option<i32>,
    pub created_by: Option<UserId>,
    pub batch_id: Option<BatchId>,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub version: i64,
}

impl From<CommandRow> for Command {
    fn from(row: CommandRow) -> Self {
        Self {
            id: row.id,
            device: row.device_id,
            organization: row.organization_id,
            connection: row.connection_id,
            kind: row.kind,
            label: row.label,
            // Written by us alone, always JSON.
            input: serde_json::from_str(&row.input).unwrap_or_default(),
            output: row.output,
            status: row.status,
            exit_code: row.exit_code,
            created_by: row.created_by,
            batch: row.batch_id,
            created: row.created,
            modified: row.modified,
            version: row.version,
        }
    }
}

impl From<Command> for CommandUpdated {
    fn from(command: Command) -> Self {
        Self {
            id: command.id,
            device: command.device,
            organization: command.organization,
            connection: command.connection,
            label: command.label,
            input: command.input,
            output: command.output,
            status: command.status,
            created: command.created,
            modified: command.modified,
            version: command.version,
            growth: 0,
        }
    }
}

/// Seconds in the database's unit of time.
pub(super) fn microseconds(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX / 2)
}

/// The columns of a [`CommandRow`], the pieces of its output joined.
pub(super) fn columns(db_is_sqlite: bool) -> String {
    let joined = if db_is_sqlite {
        "group_concat(text, '' ORDER BY number)"
    } else {
        "string_agg(text, '' ORDER BY number)"
    };
    format!(
        "command.id, command.device_id, command.organization_id, command.connection_id, command.type, command.label,
         command.input, command.status, command.exit_code, command.created_by, command.batch_id,
         command.created, command.modified, command.version,
         COALESCE((SELECT {joined} FROM command_output
             WHERE command_output.command_id = command.id), '') AS output"
    )
}

impl Store {
    /// Puts a command into the queue.
    ///
    /// # Errors
    /// When the device does not exist, is deactivated or has no login, when too many wait already, or when
    /// there is no key to seal a secret input with.
    pub async fn add_command(&self, new: &NewCommand) -> Result<Command, StoreError> {
        let id = CommandId::random();
        let mut write = self.write().await?;
        let device = write.check_runnable(new.device, new.connection).await?;
        write
            .check_room(new.device, device.organization, new.limits)
            .await?;
        write.hurry(new.device).await?;
        let sealed = match &new.secret_input {
            Some(SecretInput(plain)) => {
                let plain = plain.to_string();
                Some(write.seal(plain.as_bytes(), id.0).await?)
            }
            None => None,
        };
        let now = Timestamp::now();
        let queue_us = microseconds(new.queue_s);
        let clock = self.now();
        let created_by = write.actor().user();
        on_write!(write, connection => {
            sqlx::query(AssertSqlSafe(format!(
                "INSERT INTO command (id, device_id, connection_id, connection_asked, type, label,
                     input, secret_input, status, created_by, created, modified, expires, is_sent,
                     version, change, organization_id)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, $10, $10, {clock} + $11,
                     FALSE, 1, 0, $12)"
            )))
            .bind(id)
            .bind(new.device)
            .bind(new.connection)
            .bind(new.connection.is_some())
            .bind(&new.kind)
            .bind(&new.label)
            .bind(new.input.to_string())
            .bind(sealed)
            .bind(created_by)
            .bind(now)
            .bind(queue_us)
            .bind(device.organization)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        let name = format!("{} on {}", new.label, device.name);
        write.audit("run", "Command", id.0, &name).await?;
        write.is_work();
        write.commit().await?;
        Ok(Command {
            id,
            device: new.device,
            organization: Some(device.organization),
            connection: new.connection,
            kind: new.kind.clone(),
            label: new.label.clone(),
            input: new.input.clone(),
            output: String::new(),
            status: CommandStatus::Queued,
            exit_code: None,
            created_by,
            batch: None,
            created: now,
            modified: now,
            version: 1,
        })
    }

    /// One command of the device.
    ///
    /// # Errors
    /// When there is none.
    pub async fn command(&self, device: DeviceId, id: CommandId) -> Result<Command, StoreError> {
        let columns = self.command_columns();
        let sql = format!("SELECT {columns} FROM command WHERE id = $1 AND device_id = $2");
        let found: Option<CommandRow> = on_pool!(self, pool => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(id)
                .bind(device)
                .fetch_optional(pool)
                .await?
        });
        found
            .map(Command::from)
            .ok_or(StoreError::NotFound("Command"))
    }

    /// A page of a device's commands, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn commands(
        &self,
        device: DeviceId,
        page: Page,
    ) -> Result<Paged<Command>, StoreError> {
        let columns = self.command_columns();
        let all = Scope::All.condition(self.db(), "device_id");
        let from = format!("FROM command WHERE {all} AND device_id = $2");
        let select =
            format!("SELECT {columns} {from} ORDER BY created DESC, id LIMIT $3 OFFSET $4");
        let count = format!("SELECT count(*) {from}");
        let found: Paged<CommandRow> = fetch_page!(self, Scope::All, page, count, select, device);
        Ok(Paged {
            count: found.count,
            rows: found.rows.into_iter().map(Command::from).collect(),
        })
    }

    /// Asks for a command's end: a queued one ends at once, a running one when its runner hears of
    /// it.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn cancel_command(
        &self,
        device: DeviceId,
        id: CommandId,
    ) -> Result<Cancelled, StoreError> {
        let mut write = self.write().await?;
        let found = write.lock_command(id).await?;
        let command = found
            .filter(|found| found.device == device)
            .ok_or(StoreError::NotFound("Command"))?;
        if command.status.is_final() {
            return Ok(Cancelled::TooLate(command));
        }
        let by = write.actor().to_string();
        let name = format!("{} on {}", command.label, write.device_name(device).await?);
        write.audit("cancel", "Command", id.0, &name).await?;
        let cancelled = if command.status == CommandStatus::Queued {
            let reason = format!("cancelled by {by} before it began");
            write.fail(command, &reason).await?
        } else {
            on_write!(write, connection => {
                sqlx::query(
                    "UPDATE command SET cancelled_by = COALESCE(cancelled_by, $2) WHERE id = $1",
                )
                .bind(id)
                .bind(by)
                .execute(connection)
                .await
                .map(|_| ())?;
            });
            command
        };
        write.is_work();
        write.commit().await?;
        Ok(Cancelled::Asked(cancelled))
    }

    /// The present state of these commands; those that are gone are absent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn updates_of(&self, ids: &[CommandId]) -> Result<Vec<CommandUpdated>, StoreError> {
        let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        let select = format!("SELECT {} FROM command WHERE id", self.command_columns());
        let rows: Vec<CommandRow> = self.for_ids(&select, None, &ids).await?;
        Ok(rows
            .into_iter()
            .map(|row| Command::from(row).into())
            .collect())
    }

    /// A page of at most `most` present states of the device's commands that were updated from
    /// `cursor` on, of the newest 100, oldest update first; and the cursor of the next page, `None`
    /// after the last. What is updated after `cursor.until` is left out; a first page sets it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn updates_since(
        &self,
        device: DeviceId,
        cursor: Cursor,
        most: u32,
    ) -> Result<(Vec<CommandUpdated>, Option<Cursor>), StoreError> {
        let until = until(cursor);
        let columns = self.command_columns();
        let sql = format!(
            "SELECT {columns} FROM command WHERE id IN (
                 SELECT id FROM command WHERE device_id = $1 AND change > 0
                     AND (modified, id) > ($2, $3) AND modified <= $4
                 ORDER BY modified DESC, id DESC LIMIT $5)
             ORDER BY modified, id LIMIT $6"
        );
        let rows: Vec<CommandRow> = on_pool!(self, pool => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(device)
                .bind(cursor.changed)
                .bind(cursor.id)
                .bind(until)
                .bind(REPLAYED)
                .bind(i64::from(most))
                .fetch_all(pool)
                .await?
        });
        let last = rows.last().filter(|_| rows.len() == most as usize);
        let next = last.map(|row| Cursor {
            changed: row.modified,
            id: row.id.0,
            until: Some(until),
        });
        let updates = rows.into_iter().map(|row| Command::from(row).into());
        Ok((updates.collect(), next))
    }

    pub(super) fn command_columns(&self) -> String {
        columns(matches!(self.db(), Db::Sqlite { .. }))
    }
}

impl Write {
    /// A command, whose row stays as it is until the commit.
    pub(super) async fn lock_command(
        &mut self,
        id: CommandId,
    ) -> Result<Option<Command>, StoreError> {
        let columns = self.store().command_columns();
        let lock = self.row_lock();
        let sql = format!("SELECT {columns} FROM command WHERE id = $1 {lock}");
        let found: Option<CommandRow> = on_write!(self, connection => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?
        });
        Ok(found.map(Command::from))
    }

    /// Ends a command that is locked as failed, `reason` the last line of its output.
    pub(super) async fn fail(
        &mut self,
        command: Command,
        reason: &str,
    ) -> Result<Command, StoreError> {
        let mut piece = String::new();
        if !command.output.is_empty() && !command.output.ends_with('\n') {
            piece.push('\n');
        }
        piece.push_str(reason);
        let change = self.change().await?;
        let ended = Command {
            output: command.output + &piece,
            status: CommandStatus::Failed,
            modified: Timestamp::now(),
            version: command.version + 1,
            ..command
        };
        on_write!(self, connection => {
            sqlx::query(
                "UPDATE command SET status = 'failed', secret_input = NULL, claimed_by = NULL,
                     claimed_until = NULL, version = $2, change = $3, modified = $4
                 WHERE id = $1 AND status IN ('queued', 'running')",
            )
            .bind(ended.id)
            .bind(ended.version)
            .bind(change)
            .bind(ended.modified)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        self.append_output(ended.id, &piece).await?;
        self.note_result(&Outcome::of(&ended)).await?;
        self.tell(Event::CommandUpdated(ended.clone().into()));
        Ok(ended)
    }

    /// Adds a last piece to what a command has printed.
    async fn append_output(&mut self, id: CommandId, piece: &str) -> Result<(), StoreError> {
        on_write!(self, connection => {
            sqlx::query(
                "INSERT INTO command_output (command_id, number, text)
                 SELECT $1, COALESCE(max(number), 0) + 1, $2 FROM command_output
                 WHERE command_id = $1",
            )
            .bind(id)
            .bind(piece)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        Ok(())
    }
}
