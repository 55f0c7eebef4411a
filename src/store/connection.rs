//! Connections: a device's use of a credential, with the host key that the device showed.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::columns::{columns, select};
use super::db::{fetch_page, on_pool};
use super::transaction::{Write, on_write};
use super::{FieldErrors, Page, Paged, Scope, Store, StoreError};
use crate::event::{ConnectionId, CredentialId, DeviceId, OrganizationId, Timestamp};

/// A connection's row.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Connection {
    /// Identifier.
    pub id: ConnectionId,
    /// What logs in where.
    #[sqlx(rename = "device_id")]
    pub device: DeviceId,
    /// With what.
    #[sqlx(rename = "credential_id")]
    pub credential: CredentialId,
    /// Whether commands may use it.
    pub is_enabled: bool,
    /// The host key that the device must show, in OpenSSH's one line; `None` before the first use.
    pub host_key: Option<String>,
    /// Whether the last attempt got in; `None` before the first.
    pub is_working: Option<bool>,
    /// Why the last attempt did not; empty if it did.
    pub failure_reason: String,
    /// When that was.
    pub last_attempt: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was altered last; attempts do not count.
    pub modified: Timestamp,
}

/// A connection to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewConnection {
    /// Of which device.
    pub device: DeviceId,
    /// One of its own organization.
    pub credential: CredentialId,
    /// Whether commands may use it.
    pub is_enabled: bool,
}

/// What is to be altered; `None` leaves a field as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectionChange {
    /// Another credential of the same organization.
    pub credential: Option<CredentialId>,
    /// Whether commands may use it.
    pub is_enabled: Option<bool>,
    /// Forgets the host key, also where the device's other connections to the same port remember
    /// one: the next one is remembered, whatever it is.
    pub forget_host_key: bool,
}

impl Store {
    /// Lets a device use a credential.
    ///
    /// # Errors
    /// When one of them does not exist, they belong to different organizations, or the device uses it
    /// already.
    pub async fn add_connection(&self, new: NewConnection) -> Result<Connection, StoreError> {
        let mut write = self.write().await?;
        let added = write.insert_connection(ConnectionId::random(), new).await?;
        write.audit_connection("add", &added).await?;
        write.commit().await?;
        Ok(added)
    }

    /// One connection of the device.
    ///
    /// # Errors
    /// When there is none.
    pub async fn connection(
        &self,
        device: DeviceId,
        id: ConnectionId,
    ) -> Result<Connection, StoreError> {
        let found: Option<Connection> = on_pool!(self, pool => {
            sqlx::query_as(select!(connection, "WHERE id = $1 AND device_id = $2"))
                .bind(id)
                .bind(device)
                .fetch_optional(pool)
                .await?
        });
        found.ok_or(StoreError::NotFound("DeviceConnection"))
    }

    /// One connection, whatever device it is of.
    ///
    /// # Errors
    /// When there is none.
    pub async fn find_connection(&self, id: &str) -> Result<Connection, StoreError> {
        let found: Vec<Connection> = on_pool!(self, pool => {
            sqlx::query_as(select!(connection, "WHERE id = $1"))
                .bind(Uuid::parse_str(id).ok())
                .fetch_all(pool)
                .await?
        });
        StoreError::only("connection", id, found)
    }

    /// A page of a device's connections, in the order in which they are tried; `None`: of all
    /// devices.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn connections(
        &self,
        device: Option<DeviceId>,
        page: Page,
    ) -> Result<Paged<Connection>, StoreError> {
        let scope = Scope::All.condition(self.db(), "device_id");
        let from = format!("FROM connection WHERE {scope} AND ($2 IS NULL OR device_id = $2)");
        let select = format!(
            "SELECT {} {from} ORDER BY created, id LIMIT $3 OFFSET $4",
            columns!(connection)
        );
        let count = format!("SELECT count(*) {from}");
        Ok(fetch_page!(self, Scope::All, page, count, select, device))
    }

    /// Alters a connection.
    ///
    /// # Errors
    /// As [`Store::add_connection`], or when it does not exist.
    pub async fn change_connection(
        &self,
        id: ConnectionId,
        change: ConnectionChange,
    ) -> Result<Connection, StoreError> {
        let mut write = self.write().await?;
        let changed = write.update_connection(id, change).await?;
        if change.forget_host_key {
            write.forget_other_keys(id).await?;
        }
        write.audit_connection("change", &changed).await?;
        write.commit().await?;
        Ok(changed)
    }

    /// Removes a connection; its commands stay.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn remove_connection(&self, id: ConnectionId) -> Result<(), StoreError> {
        let sql = "DELETE FROM connection WHERE id = $1 RETURNING
             (SELECT name FROM device WHERE device.id = device_id)";
        self.remove("DeviceConnection", sql, id.0).await
    }

    /// Notes how an attempt to log in went, and the host key that was shown if none is remembered.
    /// A reason is a failure.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_attempt(
        &self,
        id: ConnectionId,
        host_key: Option<&str>,
        failure_reason: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        on_write!(write, connection => {
            sqlx::query(
                "UPDATE connection SET host_key = COALESCE(host_key, $2), is_working = $3,
                     failure_reason = $4, last_attempt = $5 WHERE id = $1",
            )
            .bind(id)
            .bind(host_key)
            .bind(failure_reason.is_none())
            .bind(failure_reason.unwrap_or_default())
            .bind(self.instant())
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        write.commit().await
    }
}

impl Write {
    /// Lets a device use a credential of its own organization.
    pub(super) async fn insert_connection(
        &mut self,
        id: ConnectionId,
        new: NewConnection,
    ) -> Result<Connection, StoreError> {
        let owner = self.lock_device(new.device).await?;
        let owner = owner.ok_or(StoreError::NotFound("Device"))?;
        self.check_credential(new.credential, owner).await?;
        let added: Result<Connection, _> = on_write!(self, connection => {
            sqlx::query_as(concat!(
                "INSERT INTO connection (id, device_id, credential_id, is_enabled, failure_reason,
                     created, modified)
                 VALUES ($1, $2, $3, $4, '', $5, $5) RETURNING ",
                columns!(connection)
            ))
            .bind(id)
            .bind(new.device)
            .bind(new.credential)
            .bind(new.is_enabled)
            .bind(self.store.instant())
            .fetch_one(connection)
            .await
        });
        added.map_err(taken)
    }

    /// Alters a connection's row.
    pub(super) async fn update_connection(
        &mut self,
        id: ConnectionId,
        change: ConnectionChange,
    ) -> Result<Connection, StoreError> {
        if let Some(credential) = change.credential {
            let owner: Option<OrganizationId> = on_write!(self, connection => {
                sqlx::query_scalar(
                    "SELECT device.organization_id FROM connection
                     JOIN device ON device.id = connection.device_id WHERE connection.id = $1",
                )
                .bind(id)
                .fetch_optional(connection)
                .await?
            });
            let owner = owner.ok_or(StoreError::NotFound("DeviceConnection"))?;
            self.check_credential(credential, owner).await?;
        }
        let changed: Result<Option<Connection>, _> = on_write!(self, connection => {
            sqlx::query_as(concat!(
                "UPDATE connection SET credential_id = COALESCE($2, credential_id),
                     is_enabled = COALESCE($3, is_enabled),
                     host_key = CASE WHEN $4 THEN NULL ELSE host_key END, modified = $5
                 WHERE id = $1 RETURNING ",
                columns!(connection)
            ))
            .bind(id)
            .bind(change.credential)
            .bind(change.is_enabled)
            .bind(change.forget_host_key)
            .bind(self.store.instant())
            .fetch_optional(connection)
            .await
        });
        changed
            .map_err(taken)?
            .ok_or(StoreError::NotFound("DeviceConnection"))
    }

    /// A device uses credentials of its own organization only; others do not exist for it.
    async fn check_credential(
        &mut self,
        credential: CredentialId,
        owner: OrganizationId,
    ) -> Result<(), StoreError> {
        // Kept so until the commit: it does not go meanwhile.
        let sql = format!(
            "SELECT organization_id FROM credential WHERE id = $1 {}",
            self.row_lock()
        );
        let found: Option<OrganizationId> = on_write!(self, connection => {
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(credential).fetch_optional(connection)
                .await?
        });
        if found == Some(owner) {
            return Ok(());
        }
        let reason = format!("Invalid pk \"{credential}\" - object does not exist.");
        Err(FieldErrors::one("credentials", reason).into())
    }

    /// A device that goes to another organization must have left the credentials of this one.
    pub(super) async fn check_no_connection_elsewhere(
        &mut self,
        device: DeviceId,
        organization: OrganizationId,
    ) -> Result<(), StoreError> {
        let left: i64 = on_write!(self, connection => {
            sqlx::query_scalar(
                "SELECT count(*) FROM connection
                 JOIN credential ON credential.id = connection.credential_id
                 WHERE connection.device_id = $1 AND credential.organization_id <> $2",
            )
            .bind(device)
            .bind(organization)
            .fetch_one(connection)
            .await?
        });
        if left == 0 {
            return Ok(());
        }
        let reason = "The device uses credentials of its present organization: remove its connections first.";
        Err(FieldErrors::one("organization", reason).into())
    }

    /// Forgets the keys of the device's other connections that lead to the same port: this one would
    /// be held to them.
    async fn forget_other_keys(&mut self, id: ConnectionId) -> Result<(), StoreError> {
        on_write!(self, connection => {
            sqlx::query(
                "UPDATE connection SET host_key = NULL, modified = $2
                 WHERE id IN (SELECT other.id FROM connection AS this
                     JOIN credential AS its ON its.id = this.credential_id
                     JOIN connection AS other ON other.device_id = this.device_id
                     JOIN credential ON credential.id = other.credential_id
                     WHERE this.id = $1 AND other.id <> $1 AND other.host_key IS NOT NULL
                         AND credential.port = its.port)",
            )
            .bind(id)
            .bind(self.store.instant())
            .execute(connection)
            .await
            .map(|_| ())?;
        });
        Ok(())
    }

    async fn audit_connection(
        &mut self,
        action: &str,
        connection: &Connection,
    ) -> Result<(), StoreError> {
        let name = self.device_name(connection.device).await?;
        self.audit(action, "DeviceConnection", connection.id.0, &name)
            .await
    }
}

fn taken(error: sqlx::Error) -> StoreError {
    let reason = "The device uses these credentials already.";
    StoreError::from(error).unique(&[
        ("device_id", "credentials", reason),
        ("device_id_credential_id", "credentials", reason),
    ])
}
