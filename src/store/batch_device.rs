//! What a batch did on each of its devices. The rows say as much as the commands do, without their
//! outputs, and outlive the devices.

use std::collections::HashMap;
use std::str::FromStr;

use sqlx::AssertSqlSafe;

use super::columns::columns;
use super::command::Command;
use super::db::{self, IdList, fetch_page, on_pool};
use super::transaction::{Write, on_write};
use super::{Page, Paged, Scope, Store, StoreError};
use crate::event::{BatchId, CommandId, CommandStatus, DeviceId, OrganizationId, Timestamp};

/// Characters that are kept of a line of output.
const LINE: usize = 200;

/// Where a device of a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "lowercase")]
pub enum ResultStatus {
    /// Its command waits.
    Queued,
    /// A node has claimed it.
    Running,
    /// The device did it and said so.
    Success,
    /// Anything else.
    Failed,
    /// It was given no command.
    Skipped,
}

/// A text that is none of the words for a status.
#[derive(Debug, thiserror::Error)]
#[error("there is no such status")]
pub struct UnknownStatus;

const WORDS: [(ResultStatus, &str); 5] = [
    (ResultStatus::Queued, "queued"),
    (ResultStatus::Running, "in-progress"),
    (ResultStatus::Success, "success"),
    (ResultStatus::Failed, "failed"),
    (ResultStatus::Skipped, "skipped"),
];

impl ResultStatus {
    /// The word for it in answers.
    #[must_use]
    pub fn word(self) -> &'static str {
        WORDS[self as usize].1
    }
}

impl FromStr for ResultStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        let found = WORDS.into_iter().find(|(_, word)| *word == text);
        found.map(|(status, _)| status).ok_or(UnknownStatus)
    }
}

/// A device of a batch.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BatchDevice {
    /// Which; it may be gone by now.
    #[sqlx(rename = "device_id")]
    pub device: DeviceId,
    /// What it was called.
    #[sqlx(rename = "device_name")]
    pub name: String,
    /// Whose it was.
    #[sqlx(rename = "organization_id")]
    pub organization: OrganizationId,
    /// Its command, if it was given one that is still there.
    #[sqlx(rename = "command_id")]
    pub command: Option<CommandId>,
    /// Where it stands.
    pub status: ResultStatus,
    /// How the device's program ended, if it did.
    pub exit_code: Option<i32>,
    /// The last line that says something of what was printed so far, cut off where it is long.
    pub last_line: String,
    /// Why it was skipped.
    pub reason: Option<String>,
}

/// How far a batch has come, as far as who asks may know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Devices that wait.
    pub queued: i64,
    /// Devices that a command runs on.
    pub running: i64,
    /// Devices that did it.
    pub success: i64,
    /// Devices that did not.
    pub failed: i64,
    /// Devices that were given no command.
    pub skipped: i64,
    /// When any of them changed last.
    pub modified: Option<Timestamp>,
}

impl Progress {
    /// Devices in all.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.queued + self.running + self.success + self.failed + self.skipped
    }

    pub(super) fn count(&mut self, status: ResultStatus, devices: i64, modified: Timestamp) {
        *match status {
            ResultStatus::Queued => &mut self.queued,
            ResultStatus::Running => &mut self.running,
            ResultStatus::Success => &mut self.success,
            ResultStatus::Failed => &mut self.failed,
            ResultStatus::Skipped => &mut self.skipped,
        } += devices;
        self.modified = self.modified.max(Some(modified));
    }
}

/// A change of a command, as its batch notes it.
pub(super) struct Outcome<'a> {
    pub batch: Option<BatchId>,
    pub device: DeviceId,
    pub status: CommandStatus,
    pub exit_code: Option<i32>,
    pub output: &'a str,
    pub modified: Timestamp,
}

impl<'a> Outcome<'a> {
    pub fn of(command: &'a Command) -> Self {
        Self {
            batch: command.batch,
            device: command.device,
            status: command.status,
            exit_code: command.exit_code,
            output: &command.output,
            modified: command.modified,
        }
    }
}

impl Store {
    /// A page of a batch's devices by name, of those in `scope`; all or those of one status.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn batch_devices(
        &self,
        batch: BatchId,
        scope: &Scope,
        status: Option<ResultStatus>,
        page: Page,
    ) -> Result<Paged<BatchDevice>, StoreError> {
        let in_scope = scope.condition(self.db(), "organization_id");
        let from = format!(
            "FROM batch_device
             WHERE {in_scope} AND batch_id = $2 AND ($3 IS NULL OR status = $3)"
        );
        let count = format!("SELECT count(*) {from}");
        let select = format!(
            "SELECT {} {from} ORDER BY device_name, device_id LIMIT $4 OFFSET $5",
            columns!(batch_device)
        );
        Ok(fetch_page!(self, scope, page, count, select, batch, status))
    }

    /// How far these batches have come on the devices in `scope`; one that has none there is absent.
    pub(super) async fn progress(
        &self,
        batches: &[BatchId],
        scope: &Scope,
    ) -> Result<HashMap<BatchId, Progress>, StoreError> {
        let in_scope = scope.condition(self.db(), "organization_id");
        let among = db::among(self.db(), "$2");
        let sql = format!(
            "SELECT batch_id, status, count(*), max(modified) FROM batch_device
             WHERE {in_scope} AND batch_id {among} GROUP BY batch_id, status"
        );
        let batches = batches.iter().map(|id| id.0).collect();
        let counts: Vec<(BatchId, ResultStatus, i64, Timestamp)> = on_pool!(self, pool => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(IdList(scope.ids()))
                .bind(IdList(batches))
                .fetch_all(pool)
                .await?
        });
        let mut found: HashMap<BatchId, Progress> = HashMap::new();
        for (batch, status, devices, modified) in counts {
            let progress = found.entry(batch).or_default();
            progress.count(status, devices, modified);
        }
        Ok(found)
    }
}

impl Write {
    /// Notes how a command stands now, if it is part of a batch.
    pub(super) async fn note_result(&mut self, outcome: &Outcome<'_>) -> Result<(), StoreError> {
        let Some(batch) = outcome.batch else {
            return Ok(());
        };
        on_write!(self, connection => {
            sqlx::query(
                "UPDATE batch_device SET status = $3, exit_code = $4, last_line = $5, modified = $6
                 WHERE batch_id = $1 AND device_id = $2",
            )
            .bind(batch)
            .bind(outcome.device)
            .bind(outcome.status)
            .bind(outcome.exit_code)
            .bind(last_line(outcome.output))
            .bind(outcome.modified)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        Ok(())
    }

    /// Ends what batches still expected of devices that this transaction has removed.
    pub(super) async fn end_results_of_removed(&mut self) -> Result<(), StoreError> {
        on_write!(self, connection => {
            sqlx::query(
                "UPDATE batch_device SET status = 'failed', modified = $1,
                     last_line = 'the device was removed'
                 WHERE command_id IS NULL AND status IN ('queued', 'running')",
            )
            .bind(self.store.instant())
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        Ok(())
    }
}

/// The last line of an output that says something. A line that was printed over counts as several.
fn last_line(output: &str) -> String {
    let mut lines = output.rsplit(['\n', '\r']).map(str::trim);
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().take(LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_one_that_says_something_and_is_not_long() {
        for (output, line) in [
            ("", ""),
            ("\n \r\n", ""),
            ("one\ntwo", "two"),
            ("one\r\ntwo\r\n\n  \n", "two"),
            ("10 %\r20 %\r", "20 %"),
            ("done\nexit code: 3", "exit code: 3"),
        ] {
            assert_eq!(last_line(output), line, "{output:?}");
        }
        assert_eq!(last_line(&"é".repeat(1000)), "é".repeat(LINE));
    }

    #[test]
    fn every_status_reads_back_from_its_word() {
        for (status, word) in WORDS {
            assert_eq!(status.word(), word);
            assert_eq!(word.parse::<ResultStatus>().unwrap(), status);
        }
        assert!("running".parse::<ResultStatus>().is_err());
    }
}
