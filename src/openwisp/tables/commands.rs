//! Commands that changed.

use serde_json::Value;
use sqlx::FromRow;

use super::dialect::{Dialect, id, ids, instant};
use super::{Tables, TablesError, until};
use crate::event::{CommandId, ConnectionId, Cursor, DeviceId, Timestamp};

const TABLE: &str = "connection_command";

/// How many commands of a device a replay tells of: its newest.
const REPLAYED: u32 = 100;

/// OpenWISP tells nobody of a command that was just made; every later save is told, and only a save
/// makes another status.
const UPDATED: &str = "(modified <> created OR status <> 'in-progress')";

/// One command on one device, as OpenWISP keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandRow {
    /// Which.
    pub id: CommandId,
    /// What it runs on.
    pub device: DeviceId,
    /// By which connection, as far as that is known and still there.
    pub connection: Option<ConnectionId>,
    /// `custom`, `reboot`, `change_password` or a registered one.
    pub kind: String,
    /// What was given with it.
    pub input: Option<Value>,
    /// What came of it.
    pub output: String,
    /// `in-progress`, `success` or `failed`.
    pub status: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last saved.
    pub modified: Timestamp,
}

#[derive(FromRow)]
struct Row {
    id: String,
    device_id: String,
    connection_id: Option<String>,
    kind: String,
    input: Option<String>,
    output: String,
    status: String,
    created: String,
    modified: String,
}

impl Tables {
    /// A page of at most `most` commands of a device that were saved from `cursor` on, as they are now,
    /// oldest change first, and the cursor of the next page, `None` after the last: of all that
    /// changed the newest 100. What was only made, and what is saved after `cursor.until`, is left
    /// out; a first page sets that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn commands_since(
        &self,
        device: DeviceId,
        cursor: Cursor,
        most: u32,
    ) -> Result<(Vec<CommandRow>, Option<Cursor>), TablesError> {
        let newest = Some(REPLAYED);
        self.updated(&[device], newest, cursor, most).await
    }

    /// As [`Self::commands_since`], of all these devices together and without a limit on their number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn commands_of_since(
        &self,
        devices: &[DeviceId],
        cursor: Cursor,
        most: u32,
    ) -> Result<(Vec<CommandRow>, Option<Cursor>), TablesError> {
        self.updated(devices, None, cursor, most).await
    }

    async fn updated(
        &self,
        devices: &[DeviceId],
        newest: Option<u32>,
        cursor: Cursor,
        most: u32,
    ) -> Result<(Vec<CommandRow>, Option<Cursor>), TablesError> {
        if devices.is_empty() {
            return Ok((Vec::new(), None));
        }
        let dialect = self.dialect();
        let until = until(cursor);
        let condition = format!(
            "device_id {} AND {UPDATED} AND (modified, id) > ({}, {}) AND modified <= {}",
            dialect.among_ids("$1"),
            dialect.instant("$2"),
            dialect.id("$3"),
            dialect.instant("$4"),
        );
        let condition = match newest {
            None => condition,
            Some(newest) => format!(
                "id IN (SELECT id FROM {TABLE} WHERE {condition}
                     ORDER BY modified DESC, id DESC LIMIT {newest})"
            ),
        };
        let sql = format!(
            "{} WHERE {condition}
             ORDER BY connection_command.modified, connection_command.id LIMIT {most}",
            select(dialect)
        );
        let parameters = [
            ids(devices.iter().map(|it| it.0)),
            dialect.instant_parameter(cursor.changed),
            dialect.id_parameter(cursor.id),
            dialect.instant_parameter(until),
        ];
        let rows: Vec<Row> = self.rows(sql, parameters).await?;
        let is_full = rows.len() == most as usize;
        let rows = rows.into_iter().map(Row::read);
        let rows: Vec<CommandRow> = rows.collect::<Result<_, _>>()?;
        let next = rows.last().filter(|_| is_full).map(|row| Cursor {
            changed: row.modified,
            id: row.id.0,
            until: Some(until),
        });
        Ok((rows, next))
    }
}

fn select(dialect: Dialect) -> String {
    format!(
        "SELECT CAST(id AS TEXT) AS id, CAST(device_id AS TEXT) AS device_id,
             CAST(connection_id AS TEXT) AS connection_id, CAST(type AS TEXT) AS kind,
             CAST(input AS TEXT) AS input, output, CAST(status AS TEXT) AS status,
             {} AS created, {} AS modified FROM {TABLE}",
        dialect.instant_text("created"),
        dialect.instant_text("modified"),
    )
}

impl Row {
    fn read(self) -> Result<CommandRow, TablesError> {
        let connection = self.connection_id.as_deref();
        let connection = connection.map(|it| id(TABLE, "connection_id", it));
        let input = self.input.as_deref();
        Ok(CommandRow {
            id: CommandId(id(TABLE, "id", &self.id)?),
            device: DeviceId(id(TABLE, "device_id", &self.device_id)?),
            connection: connection.transpose()?.map(ConnectionId),
            kind: self.kind,
            input: input.and_then(|text| serde_json::from_str(text).ok()),
            output: self.output,
            status: self.status,
            created: instant(TABLE, "created", &self.created)?,
            modified: instant(TABLE, "modified", &self.modified)?,
        })
    }
}
