//! What is kept for how long: ended commands and their batches, entries of the audit log, logins that
//! have ended, and whose rights have changed.

use super::transaction::on_write;
use super::{Store, StoreError};
use crate::event::Timestamp;

/// Rows that go in one transaction: others want to write as well.
const AT_ONCE: i64 = 500;

/// The same of commands, each of which takes up to a megabyte of output along.
const COMMANDS_AT_ONCE: i64 = 20;

/// The same of batches, each of which takes along a row a device.
const BATCHES_AT_ONCE: i64 = 5;

const DAY_S: i64 = 24 * 60 * 60;

/// How many days things are kept; 0 for ever.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Commands, from their end.
    pub commands_days: u64,
    /// Entries of the audit log.
    pub audit_days: u64,
}

impl Store {
    /// Removes what has been kept long enough, and says how many rows went. Sessions go when they
    /// have ended.
    ///
    /// # Errors
    /// When the database fails; what went until then is gone.
    pub async fn clear_away(&self, keep: Keep) -> Result<u64, StoreError> {
        const COMMANDS: &str = "DELETE FROM command WHERE id IN (SELECT id FROM command
             WHERE status IN ('success', 'failed') AND modified < $1 LIMIT $2)";
        const AUDIT: &str = "DELETE FROM audit WHERE id IN
             (SELECT id FROM audit WHERE moment < $1 LIMIT $2)";
        const SESSIONS: &str = "DELETE FROM session WHERE id IN
             (SELECT session.id FROM session JOIN users ON users.id = session.user_id
              WHERE session.expires <= $1 OR session.password_version <> users.password_version
              LIMIT $2)";
        // Not before their last command.
        const BATCHES: &str = "DELETE FROM batch WHERE id IN (SELECT id FROM batch
             WHERE created < $1
                 AND NOT EXISTS (SELECT 1 FROM command WHERE command.batch_id = batch.id) LIMIT $2)";
        // Nodes read it every few seconds.
        const RIGHTS: &str = "DELETE FROM rights_change WHERE change IN
             (SELECT change FROM rights_change WHERE created < $1 LIMIT $2)";
        // Who asked is gone, and so are nodes that did not take leave.
        const INQUIRIES: &str = "DELETE FROM inquiry WHERE id IN
             (SELECT id FROM inquiry WHERE asked < $1 LIMIT $2)";
        const NODES: &str = "DELETE FROM node WHERE id IN
             (SELECT id FROM node WHERE seen < $1 LIMIT $2)";
        let now = Timestamp::now();
        let mut gone = self.clear(SESSIONS, AT_ONCE, now).await?;
        for sql in [RIGHTS, INQUIRIES, NODES] {
            gone += self.clear(sql, AT_ONCE, now.plus_seconds(-DAY_S)).await?;
        }
        for (sql, at_once, days) in [
            (COMMANDS, COMMANDS_AT_ONCE, keep.commands_days),
            (BATCHES, BATCHES_AT_ONCE, keep.commands_days),
            (AUDIT, AT_ONCE, keep.audit_days),
        ] {
            if let Some(days) = i64::try_from(days).ok().filter(|days| *days > 0) {
                let before = now.plus_seconds(days.saturating_mul(-DAY_S));
                gone += self.clear(sql, at_once, before).await?;
            }
        }
        Ok(gone)
    }

    async fn clear(
        &self,
        sql: &'static str,
        at_once: i64,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut gone = 0;
        loop {
            let mut write = self.write().await?;
            let rows = on_write!(write, connection => {
                sqlx::query(sql).bind(before).bind(at_once).execute(connection).await?
                    .rows_affected()
            });
            write.commit().await?;
            gone += rows;
            if rows < at_once.unsigned_abs() {
                return Ok(gone);
            }
        }
    }
}
