//! Batches: one command on many devices. Each device gets a command of its own, which is run like
//! every other. How one is made is in [`new_batch`](super::new_batch).

use std::collections::BTreeSet;
use std::str::FromStr;

use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::batch_device::{Progress, UnknownStatus};
use super::columns::{columns, select};
use super::db::{IdList, fetch_page, on_pool};
use super::transaction::{Write, on_write};
use super::waiting::AT_ONCE;
use super::{Page, Paged, Scope, Selection, Store, StoreError};
use crate::event::{BatchId, DeviceId, LocationId, OrganizationId, Timestamp, UserId};

/// One command on many devices, as who asks may see it.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Identifier.
    pub id: BatchId,
    /// The name of the command's type.
    pub kind: String,
    /// The display name of the command's type.
    pub kind_label: String,
    /// The command's input, secrets masked.
    pub input: Value,
    /// What its maker calls it; may be empty.
    pub label: String,
    /// Free text.
    pub notes: String,
    /// What the devices were selected by. Of those that were named it has the ones that are in the
    /// batch; in lists it has none.
    pub selection: Selection,
    /// Who asked for it, where that was a user who is still there.
    pub created_by: Option<UserId>,
    /// When.
    pub created: Timestamp,
    /// How far it has come.
    pub progress: Progress,
}

/// Where a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchStatus {
    /// Something waits or runs.
    InProgress,
    /// All commands succeeded, and there was one.
    Success,
    /// Anything else.
    Failed,
}

/// Which batches a list shows.
#[derive(Clone, Debug, Default)]
pub struct BatchFilter {
    /// Those with a device of this organization.
    pub organization: Option<OrganizationId>,
    /// Those that stand there.
    pub status: Option<BatchStatus>,
    /// Those of the type of this name.
    pub kind: Option<String>,
}

#[derive(sqlx::FromRow)]
struct BatchRow {
    id: BatchId,
    #[sqlx(rename = "type")]
    kind: String,
    type_label: String,
    input: String,
    label: String,
    notes: String,
    by_devices: bool,
    organization_id: Option<OrganizationId>,
    location_id: Option<LocationId>,
    search: Option<String>,
    created_by: Option<UserId>,
    created: Timestamp,
}

const STATUSES: [(BatchStatus, &str); 3] = [
    (BatchStatus::InProgress, "in-progress"),
    (BatchStatus::Success, "success"),
    (BatchStatus::Failed, "failed"),
];

impl BatchStatus {
    /// The word for it in answers.
    #[must_use]
    pub fn word(self) -> &'static str {
        STATUSES[self as usize].1
    }
}

impl FromStr for BatchStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        let found = STATUSES.into_iter().find(|(_, word)| *word == text);
        found.map(|(status, _)| status).ok_or(UnknownStatus)
    }
}

impl Batch {
    /// Where it stands. Where no device could be given the command, it has failed.
    #[must_use]
    pub fn status(&self) -> BatchStatus {
        let progress = &self.progress;
        if progress.queued + progress.running > 0 {
            BatchStatus::InProgress
        } else if progress.failed == 0 && progress.success > 0 {
            BatchStatus::Success
        } else {
            BatchStatus::Failed
        }
    }
}

impl BatchRow {
    fn batch(self, progress: Progress, devices: Option<BTreeSet<DeviceId>>) -> Batch {
        Batch {
            id: self.id,
            kind: self.kind,
            kind_label: self.type_label,
            // Written by us alone, always JSON.
            input: serde_json::from_str(&self.input).unwrap_or_default(),
            label: self.label,
            notes: self.notes,
            selection: Selection {
                devices,
                organization: self.organization_id,
                location: self.location_id,
                search: self.search,
            },
            created_by: self.created_by,
            created: self.created,
            progress,
        }
    }
}

impl Store {
    /// One batch of those that have a device in `scope`.
    ///
    /// # Errors
    /// When there is none.
    pub async fn batch(&self, id: BatchId, scope: &Scope) -> Result<Batch, StoreError> {
        let missing = || StoreError::NotFound("BatchCommand");
        let found: Option<BatchRow> = on_pool!(self, pool => {
            sqlx::query_as(select!(batch, "WHERE id = $1")).bind(id).fetch_optional(pool).await?
        });
        let row = found.ok_or_else(missing)?;
        let progress = self.progress(&[id], scope).await?.remove(&id);
        let progress = progress.ok_or_else(missing)?;
        let devices = if row.by_devices {
            Some(self.devices_of(id, scope).await?)
        } else {
            None
        };
        Ok(row.batch(progress, devices))
    }

    async fn devices_of(
        &self,
        batch: BatchId,
        scope: &Scope,
    ) -> Result<BTreeSet<DeviceId>, StoreError> {
        let in_scope = scope.condition(self.db(), "organization_id");
        let sql = format!("SELECT device_id FROM batch_device WHERE {in_scope} AND batch_id = $2");
        let devices: Vec<DeviceId> = on_pool!(self, pool => {
            sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(IdList(scope.ids()))
                .bind(batch)
                .fetch_all(pool)
                .await?
        });
        Ok(devices.into_iter().collect())
    }

    /// A page of the batches that have a device in `scope`, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn batches(
        &self,
        scope: &Scope,
        filter: &BatchFilter,
        page: Page,
    ) -> Result<Paged<Batch>, StoreError> {
        let in_scope = scope.condition(self.db(), "part.organization_id");
        let has = |which: &str| {
            format!(
                "EXISTS (SELECT 1 FROM batch_device AS part
                     WHERE part.batch_id = batch.id AND {in_scope} AND {which})"
            )
        };
        let from = format!(
            "FROM batch WHERE {visible} AND ($3 IS NULL OR type = $3) AND ($4 IS NULL OR $4 = CASE
                 WHEN {open} THEN 'in-progress'
                 WHEN {success} AND NOT {failed} THEN 'success'
                 ELSE 'failed' END)",
            visible = has("($2 IS NULL OR part.organization_id = $2)"),
            open = has("part.status IN ('queued', 'running')"),
            success = has("part.status = 'success'"),
            failed = has("part.status = 'failed'"),
        );
        let count = format!("SELECT count(*) {from}");
        let select = format!(
            "SELECT {} {from} ORDER BY created DESC, id LIMIT $5 OFFSET $6",
            columns!(batch)
        );
        let found: Paged<BatchRow> = fetch_page!(
            self,
            scope,
            page,
            count,
            select,
            filter.organization,
            &filter.kind,
            filter.status.map(BatchStatus::word)
        );
        let ids: Vec<BatchId> = found.rows.iter().map(|row| row.id).collect();
        let mut progress = self.progress(&ids, scope).await?;
        let rows = found.rows.into_iter().map(|row| {
            let progress = progress.remove(&row.id).unwrap_or_default();
            row.batch(progress, None)
        });
        Ok(Paged {
            count: found.count,
            rows: rows.collect(),
        })
    }

    /// Asks for the end of a batch on the devices in `scope`: what waits ends at once, what runs when
    /// its runner hears of it. False when all had ended before.
    ///
    /// # Errors
    /// When there is no such batch.
    pub async fn cancel_batch(&self, id: BatchId, scope: &Scope) -> Result<bool, StoreError> {
        let batch = self.batch(id, scope).await?;
        let (store, scope) = (self.clone(), scope.clone());
        // Begun, it is finished, also when nobody waits for it any more.
        let done = tokio::spawn(async move { store.cancel_all_of(&batch, &scope).await }).await;
        done.unwrap_or_else(|_| Err(sqlx::Error::WorkerCrashed.into()))
    }

    async fn cancel_all_of(&self, batch: &Batch, scope: &Scope) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let asked = write.open_in(batch.id, scope).await?;
        if asked == 0 {
            return Ok(false);
        }
        let name = format!("{} on {asked} devices", batch.kind_label);
        write
            .audit("cancel", "BatchCommand", batch.id.0, &name)
            .await?;
        // A part at a time: a node that renews its claims must not wait for the locks of all.
        while write.ask_some_to_end(batch.id, scope).await? > 0 {
            write.is_work();
            write.commit().await?;
            write = self.write().await?;
        }
        write.commit().await?;
        while self.end_cancelled(batch.id).await? > 0 {}
        Ok(true)
    }
}

/// What of the batch `$2` is open on devices in scope.
fn open_of(in_scope: &str) -> String {
    format!(
        "batch_id = $2 AND status IN ('queued', 'running') AND device_id IN
             (SELECT device_id FROM batch_device WHERE batch_id = $2 AND {in_scope})"
    )
}

impl Write {
    /// How many commands of a batch are open on devices in `scope`.
    async fn open_in(&mut self, batch: BatchId, scope: &Scope) -> Result<i64, StoreError> {
        let open = open_of(&scope.condition(self.store().db(), "organization_id"));
        let sql = format!("SELECT count(*) FROM command WHERE {open}");
        Ok(on_write!(self, connection => {
            sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(IdList(scope.ids()))
                .bind(batch)
                .fetch_one(connection)
                .await?
        }))
    }

    /// Asks for the end of some of them. From the commit on none of these is handed to its device, also by a
    /// node that has claimed it. Answers how many.
    async fn ask_some_to_end(&mut self, batch: BatchId, scope: &Scope) -> Result<u64, StoreError> {
        let by = self.actor().to_string();
        let open = open_of(&scope.condition(self.store().db(), "organization_id"));
        // Locked in the order in which others end them.
        let lock = self.row_lock();
        let sql = format!(
            "UPDATE command SET cancelled_by = $3
             WHERE id IN (SELECT id FROM command WHERE {open} AND cancelled_by IS NULL
                 ORDER BY id LIMIT $4 {lock})"
        );
        Ok(on_write!(self, connection => {
            sqlx::query(AssertSqlSafe(sql))
                .bind(IdList(scope.ids()))
                .bind(batch)
                .bind(by)
                .bind(AT_ONCE)
                .execute(connection)
                .await?
                .rows_affected()
        }))
    }
}
