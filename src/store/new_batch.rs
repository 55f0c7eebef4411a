//! A batch to be made: which devices it gives a command, and why not the others. All of it is
//! written in one transaction, hundreds of rows a statement.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::batch_device::{Progress, ResultStatus};
use super::command::microseconds;
use super::db::{self, IdList};
use super::runnable::{DEACTIVATED, NO_LOGIN};
use super::transaction::{Write, on_write};
use super::{
    Batch, BatchDevice, FieldErrors, QueueFull, QueueLimits, Scope, SecretInput, Selection, Store,
    StoreError,
};
use crate::event::{BatchId, CommandId, DeviceId, OrganizationId, Timestamp};

const LABEL: usize = 64;
const NOTES: usize = 10_000;

/// Rows of one statement.
const ROWS: usize = 500;

/// A batch to be made.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// The name of the command's type.
    pub kind: String,
    /// The display name of the command's type.
    pub kind_label: String,
    /// Its input, secrets masked.
    pub input: Value,
    /// Its whole input, where something in it is masked.
    pub secret_input: Option<SecretInput>,
    /// The organizations that may use the type.
    pub allowed: BTreeSet<OrganizationId>,
    /// What its maker calls it.
    pub label: String,
    /// Free text.
    pub notes: String,
    /// On which devices.
    pub selection: Selection,
    /// On how many at most.
    pub most: usize,
    /// Seconds after which it is too late to begin with a device.
    pub queue_s: u64,
    /// How many may wait with its own.
    pub limits: QueueLimits,
}

/// A batch as it would be, or is about to be written.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it is.
    pub batch: Batch,
    /// What it does on each device, by name.
    pub devices: Vec<BatchDevice>,
}

#[derive(sqlx::FromRow)]
struct Selected {
    id: DeviceId,
    name: String,
    organization_id: OrganizationId,
    is_active: bool,
    of_active: bool,
    has_login: bool,
}

impl NewBatch {
    /// Whether these can be right, whatever devices there are.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn check(label: &str, notes: &str) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::default();
        errors.check_text("label", label, LABEL);
        errors.check_text("notes", notes, NOTES);
        errors.into_result()
    }
}

impl Store {
    /// What [`Store::add_batch`] would do now; nothing is written.
    ///
    /// # Errors
    /// As [`Store::add_batch`].
    pub async fn plan_batch(&self, new: &NewBatch, scope: &Scope) -> Result<Draft, StoreError> {
        let (_, mut draft) = self.draft(new, scope).await?;
        for device in &mut draft.devices {
            device.command = None;
        }
        Ok(draft)
    }

    /// Puts a command into the queue of each of the devices in `scope` that are selected. Those that
    /// take none are skipped.
    ///
    /// # Errors
    /// When a field is not acceptable, none or too many are selected, when more would wait for an organization
    /// than may, or when there is no key to seal a secret input with.
    pub async fn add_batch(&self, new: &NewBatch, scope: &Scope) -> Result<Batch, StoreError> {
        let (mut write, draft) = self.draft(new, scope).await?;
        let Draft { batch, devices } = draft;
        write.insert_batch(&batch).await?;
        let given: Vec<&BatchDevice> = devices.iter().filter(|it| it.command.is_some()).collect();
        for given in given.chunks(ROWS) {
            write.insert_commands(&batch, new, given).await?;
        }
        for devices in devices.chunks(ROWS) {
            write.insert_devices(&batch, devices).await?;
        }
        let name = format!("{} on {} devices", batch.kind_label, given.len());
        write
            .audit("run", "BatchCommand", batch.id.0, &name)
            .await?;
        write.is_work();
        write.commit().await?;
        Ok(batch)
    }

    /// The batch as it is to be written, and the transaction in which that holds.
    async fn draft(&self, new: &NewBatch, scope: &Scope) -> Result<(Write, Draft), StoreError> {
        NewBatch::check(&new.label, &new.notes)?;
        let ids = self.selected(&new.selection, scope, new.most).await?;
        let mut write = self.write().await?;
        let mut selected = write.lock_selected(ids).await?;
        // What has changed since it was selected.
        selected.retain(|device| device.of_active && scope.contains(device.organization_id));
        if selected.is_empty() {
            return Err(FieldErrors::one("non_field_errors", "No devices are selected.").into());
        }
        let ids: Vec<DeviceId> = selected.iter().map(|device| device.id).collect();
        let organizations = selected.iter().map(|device| device.organization_id);
        let organizations: BTreeSet<OrganizationId> = organizations.collect();
        let full = write.full_devices(&ids, organizations, new.limits).await?;
        let now = Timestamp::now();
        let mut progress = Progress::default();
        let mut devices = Vec::new();
        for device in selected {
            let device = device.part(new, &full);
            progress.count(device.status, 1, now);
            devices.push(device);
        }
        let mut wanted = BTreeMap::new();
        for device in devices.iter().filter(|it| it.command.is_some()) {
            *wanted.entry(device.organization).or_insert(0) += 1;
        }
        write.check_room_of(&wanted, new.limits).await?;
        devices.sort_by(|a, b| (&a.name, a.device).cmp(&(&b.name, b.device)));
        let named = |all: &BTreeSet<DeviceId>| {
            let present = devices.iter().map(|it| it.device);
            present.filter(|id| all.contains(id)).collect()
        };
        let batch = Batch {
            id: BatchId::random(),
            kind: new.kind.clone(),
            kind_label: new.kind_label.clone(),
            input: new.input.clone(),
            label: new.label.clone(),
            notes: new.notes.clone(),
            selection: Selection {
                devices: new.selection.devices.as_ref().map(named),
                ..new.selection.clone()
            },
            created_by: write.actor().user(),
            created: now,
            progress,
        };
        Ok((write, Draft { batch, devices }))
    }
}

impl Selected {
    /// What the batch does on it.
    fn part(self, new: &NewBatch, full: &HashSet<DeviceId>) -> BatchDevice {
        // In the order in which a single command would be refused.
        let reason = if !new.allowed.contains(&self.organization_id) {
            Some(format!("\"{}\" is not a valid choice.", new.kind))
        } else if !self.is_active {
            Some(DEACTIVATED.to_owned())
        } else if !self.has_login {
            Some(NO_LOGIN.to_owned())
        } else if full.contains(&self.id) {
            Some(QueueFull::Device(new.limits.device).to_string())
        } else {
            None
        };
        let (status, command) = match reason {
            Some(_) => (ResultStatus::Skipped, None),
            None => (ResultStatus::Queued, Some(CommandId::random())),
        };
        BatchDevice {
            device: self.id,
            name: self.name,
            organization: self.organization_id,
            command,
            status,
            exit_code: None,
            last_line: String::new(),
            reason,
        }
    }
}

impl Write {
    /// These devices as they are now; they stay so until the commit.
    async fn lock_selected(&mut self, ids: Vec<DeviceId>) -> Result<Vec<Selected>, StoreError> {
        let among = db::among(self.store().db(), "$1");
        let lock = match self.row_lock() {
            "" => "",
            // Shared among batches.
            _ => "FOR SHARE OF device",
        };
        let sql = format!(
            "SELECT device.id, device.name, organization_id, device.is_active,
                 organization.is_active AS of_active, EXISTS (SELECT 1 FROM connection
                     WHERE connection.device_id = device.id AND is_enabled) AS has_login
             FROM device JOIN organization ON organization.id = device.organization_id
             WHERE device.id {among} ORDER BY device.id {lock}"
        );
        let ids = IdList(ids.iter().map(|id| id.0).collect());
        Ok(on_write!(self, connection => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(ids).fetch_all(connection).await?
        }))
    }

    async fn insert_batch(&mut self, batch: &Batch) -> Result<(), StoreError> {
        on_write!(self, connection => {
            sqlx::query(
                "INSERT INTO batch (id, type, type_label, input, label, notes, by_devices,
                     organization_id, location_id, search, created_by, created)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            )
            .bind(batch.id)
            .bind(&batch.kind)
            .bind(&batch.kind_label)
            .bind(batch.input.to_string())
            .bind(&batch.label)
            .bind(&batch.notes)
            .bind(batch.selection.devices.is_some())
            .bind(batch.selection.organization)
            .bind(batch.selection.location)
            .bind(&batch.selection.search)
            .bind(batch.created_by)
            .bind(batch.created)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        Ok(())
    }

    /// Puts a command into the queue of each of these devices.
    async fn insert_commands(
        &mut self,
        batch: &Batch,
        new: &NewBatch,
        devices: &[&BatchDevice],
    ) -> Result<(), StoreError> {
        let ids = devices.iter().filter_map(|it| it.command.map(|id| id.0));
        let ids: Vec<Uuid> = ids.collect();
        let sealed = match &new.secret_input {
            Some(SecretInput(plain)) => {
                let plain = plain.to_string();
                let sealed = self.seal_for_each(plain.as_bytes(), &ids).await?;
                sealed.into_iter().map(Some).collect()
            }
            None => vec![None; ids.len()],
        };
        let clock = self.store().now();
        let sql = format!(
            "INSERT INTO command (id, device_id, organization_id, secret_input, batch_id, type,
                 label, input, created_by, created, modified, expires, status, connection_asked,
                 is_sent, version, change, rank)
             SELECT column1, column2, column3, column4, $1, $2, $3, $4, $5, $6, $6, {clock} + $7,
                 'queued', FALSE, FALSE, 1, 0, 1
             FROM ({}) AS given",
            values(7, 4, devices.len())
        );
        on_write!(self, connection => {
            let mut query = sqlx::query(AssertSqlSafe(sql))
                .bind(batch.id)
                .bind(&batch.kind)
                .bind(&batch.kind_label)
                .bind(batch.input.to_string())
                .bind(batch.created_by)
                .bind(batch.created)
                .bind(microseconds(new.queue_s));
            for ((device, id), sealed) in devices.iter().zip(&ids).zip(sealed) {
                query = query.bind(id).bind(device.device).bind(device.organization).bind(sealed);
            }
            query.execute(connection).await.map(|_| ())?;
        });
        Ok(())
    }

    async fn insert_devices(
        &mut self,
        batch: &Batch,
        devices: &[BatchDevice],
    ) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO batch_device (batch_id, modified, device_id, device_name, organization_id,
                 command_id, status, reason, last_line)
             SELECT $1, $2, column1, column2, column3, column4, column5, column6, ''
             FROM ({}) AS given",
            values(2, 6, devices.len())
        );
        on_write!(self, connection => {
            let mut query = sqlx::query(AssertSqlSafe(sql)).bind(batch.id).bind(batch.created);
            for device in devices {
                query = query
                    .bind(device.device)
                    .bind(&device.name)
                    .bind(device.organization)
                    .bind(device.command)
                    .bind(device.status)
                    .bind(&device.reason);
            }
            query.execute(connection).await.map(|_| ())?;
        });
        Ok(())
    }
}

/// `VALUES` of so many rows of parameters, numbered on from the `taken` ones before them.
fn values(taken: usize, columns: usize, rows: usize) -> String {
    let row = |row: usize| {
        let first = taken + row * columns;
        let parameters = (1..=columns).map(|column| format!("${}", first + column));
        format!("({})", parameters.collect::<Vec<_>>().join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!("VALUES {}", rows.join(", "))
}
