//! SSH login data that is imported, and which devices use it.

use serde_json::json;

use super::super::connection::{Connection, ConnectionChange, NewConnection};
use super::super::credential::{CredentialChange, LoginSecret, NewCredential, plain};
use super::super::transaction::on_write;
use super::super::{FieldErrors, StoreError};
use super::ImportKind;
use super::memory::{SECRET, digest};
use super::merge::{Fields, Merge, fields};
use super::run::{Head, Imported, Run};
use crate::event::{ConnectionId, CredentialId, DeviceId, OrganizationId, Timestamp};
use crate::store::columns::select;

/// SSH login data there.
#[derive(Clone, Debug)]
pub struct ImportedCredential {
    /// Identifier.
    pub id: CredentialId,
    /// Whose.
    pub organization: OrganizationId,
    /// Unique in its organization.
    pub name: String,
    /// Who logs in.
    pub username: String,
    /// Where the SSH server listens.
    pub port: i64,
    /// What logs in.
    pub secret: LoginSecret,
    /// When it was made.
    pub created: Timestamp,
}

/// A device's use of SSH login data there.
#[derive(Clone, Debug)]
pub struct ImportedConnection {
    /// Identifier.
    pub id: ConnectionId,
    /// What logs in where.
    pub device: DeviceId,
    /// The device's name.
    pub name: String,
    /// With what.
    pub credential: CredentialId,
    /// Whether commands may use it.
    pub is_enabled: bool,
    /// When it was made: those of a device are tried in this order.
    pub created: Timestamp,
}

impl ImportedCredential {
    fn check(&self) -> Result<(), FieldErrors> {
        let all = CredentialChange {
            name: Some(self.name.clone()),
            username: Some(self.username.clone()),
            port: Some(self.port),
            secret: Some(self.secret.clone()),
            old_algorithms: None,
        };
        all.check()
    }

    /// The secret, sealed; nothing in a trial, whose rows nobody reads.
    async fn sealed(&self, run: &mut Run) -> Result<Vec<u8>, StoreError> {
        if run.is_applied() {
            return run.write.seal(&plain(&self.secret), self.id.0).await;
        }
        Ok(Vec::new())
    }
}

impl Imported for ImportedCredential {
    const KIND: ImportKind = ImportKind::Credentials;

    fn head(&self) -> Head<'_> {
        Head {
            id: self.id.0,
            name: &self.name,
            made: Some(("credential", self.created)),
            needs: vec![(ImportKind::Organizations, self.organization.0)],
        }
    }

    fn there(&self) -> Fields {
        fields(json!({
            "organization": self.organization,
            "name": self.name,
            "username": self.username,
            "port": self.port,
            SECRET: digest(&plain(&self.secret)),
        }))
    }

    fn secret(&self) -> Option<Vec<u8>> {
        Some(plain(&self.secret))
    }

    async fn here(&self, run: &mut Run) -> Result<Option<Fields>, StoreError> {
        let found: Option<CredentialRow> = on_write!(run.write, connection => {
            sqlx::query_as(
                "SELECT organization_id, name, username, port, secret FROM credential WHERE id = $1",
            )
            .bind(self.id)
            .fetch_optional(connection)
            .await?
        });
        let Some(row) = found else {
            return Ok(None);
        };
        let secret = run.write.store().unseal(&row.secret, self.id.0)?;
        Ok(Some(fields(json!({
            "organization": row.organization_id,
            "name": row.name,
            "username": row.username,
            "port": row.port,
            SECRET: digest(&secret),
        }))))
    }

    async fn make(&self, run: &mut Run) -> Result<(), StoreError> {
        self.check()?;
        let organization = run
            .write
            .existing_organization(Some(self.organization))
            .await?;
        let new = NewCredential {
            name: self.name.clone(),
            organization: Some(organization),
            username: self.username.clone(),
            port: Some(self.port),
            secret: None,
            old_algorithms: false,
        };
        let sealed = self.sealed(run).await?;
        run.write
            .insert_credential(self.id, organization, &new, self.secret.kind(), sealed)
            .await?;
        run.note("add", self).await
    }

    async fn alter(&self, run: &mut Run, merge: &Merge<'_>) -> Result<(), StoreError> {
        if merge.take::<OrganizationId>("organization").is_some() {
            let reason = "The organization of a credential does not change: remove it here first.";
            return Err(FieldErrors::one("organization", reason).into());
        }
        let new_secret = merge.take::<String>(SECRET).map(|_| self.secret.clone());
        let change = CredentialChange {
            name: merge.take("name"),
            username: merge.take("username"),
            port: merge.take("port"),
            secret: new_secret,
            old_algorithms: None,
        };
        change.check()?;
        let sealed = match &change.secret {
            Some(_) => Some(self.sealed(run).await?),
            None => None,
        };
        run.write
            .update_credential(self.id, &change, sealed)
            .await?;
        run.note("change", self).await
    }
}

impl Imported for ImportedConnection {
    const KIND: ImportKind = ImportKind::Connections;

    fn head(&self) -> Head<'_> {
        Head {
            id: self.id.0,
            name: &self.name,
            made: Some(("connection", self.created)),
            needs: vec![
                (ImportKind::Devices, self.device.0),
                (ImportKind::Credentials, self.credential.0),
            ],
        }
    }

    fn there(&self) -> Fields {
        shown(self.device, self.credential, self.is_enabled)
    }

    async fn here(&self, run: &mut Run) -> Result<Option<Fields>, StoreError> {
        let found: Option<Connection> = on_write!(run.write, connection => {
            sqlx::query_as(select!(connection, "WHERE id = $1"))
                .bind(self.id)
                .fetch_optional(connection)
                .await?
        });
        Ok(found.map(|row| shown(row.device, row.credential, row.is_enabled)))
    }

    async fn make(&self, run: &mut Run) -> Result<(), StoreError> {
        let new = NewConnection {
            device: self.device,
            credential: self.credential,
            is_enabled: self.is_enabled,
        };
        run.write.insert_connection(self.id, new).await?;
        run.note("add", self).await
    }

    async fn alter(&self, run: &mut Run, merge: &Merge<'_>) -> Result<(), StoreError> {
        let change = ConnectionChange {
            credential: merge.take("credentials"),
            is_enabled: merge.take("enabled"),
            forget_host_key: false,
        };
        run.write.update_connection(self.id, change).await?;
        run.note("change", self).await
    }
}

fn shown(device: DeviceId, credential: CredentialId, is_enabled: bool) -> Fields {
    fields(json!({"device": device, "credentials": credential, "enabled": is_enabled}))
}

#[derive(sqlx::FromRow)]
struct CredentialRow {
    organization_id: OrganizationId,
    name: String,
    username: String,
    port: i32,
    secret: Vec<u8>,
}
