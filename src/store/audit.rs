//! The audit log: who did what to which thing, written in the transaction that does it.

use std::fmt;

use uuid::Uuid;

use super::columns::select;
use super::db::on_pool;
use super::transaction::{Write, on_write};
use super::{Store, StoreError};
use crate::event::{AuditId, DeviceId, Timestamp, UserId};

/// In whose hands the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// fleetwire itself.
    Node,
    /// Somebody with a shell on the machine, by the name that the system knows.
    CommandLine(String),
    /// A user who was identified.
    User {
        /// Identifier.
        id: UserId,
        /// Name at this time.
        username: String,
    },
}

impl Actor {
    /// The user, where it is one.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            Self::Node | Self::CommandLine(_) => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("fleetwire"),
            Self::CommandLine(name) => write!(f, "{name} (command line)"),
            Self::User { username, .. } => f.write_str(username),
        }
    }
}

/// One thing that was done.
#[derive(Clone, Debug, serde::Serialize, sqlx::FromRow)]
pub struct AuditEntry {
    /// Identifier.
    pub id: AuditId,
    /// When.
    pub moment: Timestamp,
    /// Who, by name.
    pub actor: String,
    /// Who, where it was a user.
    #[sqlx(rename = "user_id")]
    pub user: Option<UserId>,
    /// `add`, `change`, `delete`, `run`, `cancel` or `close`.
    pub action: String,
    /// What kind of thing, e.g. `Device`.
    pub model: String,
    /// Its identifier.
    #[sqlx(rename = "object_id")]
    pub object: Uuid,
    /// What it was called, or for a command its type and device.
    #[sqlx(rename = "object")]
    pub name: String,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only what this actor did, by name.
    pub actor: Option<String>,
    /// Only what was done from this instant on.
    pub since: Option<Timestamp>,
    /// At most so many, the newest.
    pub most: u32,
}

impl Store {
    /// What was done, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(on_pool!(self, pool => {
            sqlx::query_as(
                select!(audit, "WHERE ($1 IS NULL OR actor = $1) AND moment >= $2
                 ORDER BY moment DESC, id LIMIT $3"),
            )
            .bind(&filter.actor)
            .bind(filter.since.unwrap_or(Timestamp(0)))
            .bind(i64::from(filter.most))
            .fetch_all(pool)
            .await?
        }))
    }
}

impl Write {
    /// What the thing of this id is called; empty if it is gone.
    pub(super) async fn name_of(
        &mut self,
        sql: &'static str,
        id: Uuid,
    ) -> Result<String, StoreError> {
        let found: Option<String> = on_write!(self, connection => {
            sqlx::query_scalar(sql).bind(id).fetch_optional(connection).await?
        });
        Ok(found.unwrap_or_default())
    }

    /// What the device is called.
    pub(super) async fn device_name(&mut self, id: DeviceId) -> Result<String, StoreError> {
        self.name_of("SELECT name FROM device WHERE id = $1", id.0)
            .await
    }

    /// Notes in the log what this transaction does; `name` must hold no secret.
    pub(super) async fn audit(
        &mut self,
        action: &str,
        model: &str,
        object: Uuid,
        name: &str,
    ) -> Result<(), StoreError> {
        let actor = self.actor().clone();
        on_write!(self, connection => {
            sqlx::query(
                "INSERT INTO audit (id, moment, actor, user_id, action, model, object_id, object)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(AuditId::random())
            .bind(Timestamp::now())
            .bind(actor.to_string())
            .bind(actor.user())
            .bind(action)
            .bind(model)
            .bind(object)
            .bind(name)
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        Ok(())
    }
}
