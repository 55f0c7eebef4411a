//! A write transaction, and the hints that follow its commit in commit order.

use sqlx::{Postgres, Sqlite};
use tokio::sync::OwnedMutexGuard;

use super::db::Db;
use super::hints::{CHANNEL, INQUIRY, WORK, payload};
use super::{Actor, Store, StoreError};
use crate::event::Event;

/// PostgreSQL's lock for those who write to what rights come from: "people" in ASCII.
const PEOPLE: i64 = 0x7065_6f70_6c65;

/// A transaction on one of the engines.
pub enum Transaction {
    Sqlite {
        transaction: sqlx::Transaction<'static, Sqlite>,
        /// Held until the hints are told, so that they keep the order of commits.
        _order: OwnedMutexGuard<()>,
    },
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// Everything that is written is written by one of these; dropped without a commit, nothing was.
pub struct Write {
    pub(super) store: Store,
    pub(super) transaction: Transaction,
    change: Option<i64>,
    events: Vec<Event>,
    /// Whether runners have something to look at.
    is_work: bool,
    /// Whether something is asked of all nodes.
    is_inquiry: bool,
}

/// Runs one expression on the connection of a write transaction of either engine.
macro_rules! on_write {
    ($write:expr, $connection:ident => $run:expr) => {
        match &mut $write.transaction {
            $crate::store::transaction::Transaction::Sqlite { transaction, .. } => {
                let $connection = &mut **transaction;
                $run
            }
            $crate::store::transaction::Transaction::Postgres(transaction) => {
                let $connection = &mut **transaction;
                $run
            }
        }
    };
}
pub(super) use on_write;

impl Store {
    /// Begins to write. On SQLite there is one writer at a time, from here on.
    pub(super) async fn write(&self) -> Result<Write, StoreError> {
        let transaction = match self.db() {
            Db::Sqlite { write, .. } => {
                let order = self.write_order().lock_owned().await;
                let transaction = write.begin_with("BEGIN IMMEDIATE").await?;
                Transaction::Sqlite {
                    transaction,
                    _order: order,
                }
            }
            Db::Postgres { pool, .. } => Transaction::Postgres(pool.begin().await?),
        };
        Ok(Write {
            store: self.clone(),
            transaction,
            change: None,
            events: Vec::new(),
            is_work: false,
            is_inquiry: false,
        })
    }

    /// Begins to write to what rights come from: users, groups, organizations and who belongs to
    /// what. There is one such writer at a time on PostgreSQL too, so that what was read to decide by
    /// is still so at the commit, whichever rows it was.
    pub(super) async fn write_people(&self) -> Result<Write, StoreError> {
        let mut write = self.write().await?;
        if let Transaction::Postgres(transaction) = &mut write.transaction {
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(PEOPLE)
                .execute(&mut **transaction)
                .await?;
        }
        Ok(write)
    }
}

impl Write {
    /// What the rows of locations and commands that this transaction updates are stamped with: on SQLite the next
    /// number of the sequence, on PostgreSQL the transaction's own id.
    pub async fn change(&mut self) -> Result<i64, StoreError> {
        if let Some(change) = self.change {
            return Ok(change);
        }
        let change = match &mut self.transaction {
            Transaction::Sqlite { transaction, .. } => {
                sqlx::query_scalar("UPDATE change_sequence SET value = value + 1 RETURNING value")
                    .fetch_one(&mut **transaction)
                    .await?
            }
            Transaction::Postgres(transaction) => {
                sqlx::query_scalar("SELECT pg_current_xact_id()::text::bigint")
                    .fetch_one(&mut **transaction)
                    .await?
            }
        };
        self.change = Some(change);
        Ok(change)
    }

    /// What a SELECT ends with whose rows are to stay as they are until the commit.
    pub fn row_lock(&self) -> &'static str {
        match self.transaction {
            // The whole database is this writer's already.
            Transaction::Sqlite { .. } => "",
            Transaction::Postgres(_) => "FOR UPDATE",
        }
    }

    /// The same, leaving out the rows that somebody else has locked.
    pub fn free_row_lock(&self) -> &'static str {
        match self.transaction {
            Transaction::Sqlite { .. } => "",
            Transaction::Postgres(_) => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// The database that is written to.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Who writes.
    pub(super) fn actor(&self) -> &Actor {
        &self.store.actor
    }

    /// Notes an event that is to be told of once it is committed.
    pub fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Notes that runners are to look at the queue once this is committed.
    pub fn is_work(&mut self) {
        self.is_work = true;
    }

    /// Notes that something is asked of all nodes once this is committed.
    pub fn is_inquiry(&mut self) {
        self.is_inquiry = true;
    }

    /// Commits, then tells of the events, in the order of commits and of their noting. Begun, it is
    /// finished, also when nobody waits for it any more: a client that hangs up takes no hint along.
    pub async fn commit(self) -> Result<(), StoreError> {
        let done = tokio::spawn(self.finish()).await;
        done.unwrap_or_else(|_| Err(sqlx::Error::WorkerCrashed.into()))
    }

    async fn finish(self) -> Result<(), StoreError> {
        match self.transaction {
            Transaction::Sqlite {
                transaction,
                _order: order,
            } => {
                transaction.commit().await?;
                for event in self.events {
                    self.store.tell(event);
                }
                drop(order);
            }
            Transaction::Postgres(mut transaction) => {
                // A commit that notifies waits for every other one that does: one lock of all of them.
                let relay = self.store.inner.relay.get();
                let mut payloads: Vec<String> = match relay {
                    Some(_) => Vec::new(),
                    None => self.events.iter().map(payload).collect(),
                };
                if self.is_work {
                    payloads.push(WORK.to_owned());
                }
                if self.is_inquiry {
                    payloads.push(INQUIRY.to_owned());
                }
                if !payloads.is_empty() {
                    // NOTIFY takes part in the transaction: nothing is told that is not committed.
                    sqlx::query(
                        "SELECT pg_notify($1, hint) FROM unnest($2::text[]) WITH ORDINALITY
                         AS hints (hint, position) ORDER BY position",
                    )
                    .bind(CHANNEL)
                    .bind(payloads)
                    .execute(&mut *transaction)
                    .await?;
                }
                transaction.commit().await?;
                if let Some(relay) = relay
                    && let Some(change) = self.change
                    && !self.events.is_empty()
                {
                    relay(self.events, change);
                }
            }
        }
        if self.is_work {
            self.store.wake_runner();
        }
        if self.is_inquiry {
            self.store.wake_for_inquiry();
        }
        Ok(())
    }
}
