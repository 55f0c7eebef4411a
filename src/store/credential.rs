//! Credentials: SSH login data. What is secret in them is sealed, and never comes back out but to
//! the runner.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::columns::{columns, select};
use super::db::{fetch_page, on_pool};
use super::transaction::{Write, on_write};
use super::{FieldErrors, Page, Paged, Scope, Store, StoreError};
use crate::event::{CredentialId, OrganizationId, Timestamp};

const NAME: usize = 64;
const USERNAME: usize = 64;
const PASSWORD: usize = 256;
const PRIVATE_KEY: usize = 20_000;

/// What a credential proves itself with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum CredentialKind {
    /// A password.
    Password,
    /// An RSA, Ed25519 or ECDSA key.
    PrivateKey,
}

/// What logs in; sealed in the database.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginSecret {
    /// A password.
    Password(String),
    /// A private key.
    PrivateKey {
        /// In OpenSSH's, PKCS#1, PKCS#8 or SEC1 form.
        pem: String,
        /// What the key itself is encrypted with.
        passphrase: Option<String>,
    },
}

impl LoginSecret {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> CredentialKind {
        match self {
            Self::Password(_) => CredentialKind::Password,
            Self::PrivateKey { .. } => CredentialKind::PrivateKey,
        }
    }
}

impl fmt::Debug for LoginSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoginSecret({:?})", self.kind())
    }
}

/// A credential's row, without what is secret in it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Credential {
    /// Identifier.
    pub id: CredentialId,
    /// Whose.
    #[sqlx(rename = "organization_id")]
    pub organization: OrganizationId,
    /// Unique in its organization.
    pub name: String,
    /// Who logs in.
    pub username: String,
    /// Where the SSH server listens, unless an address names another port.
    pub port: i32,
    /// What it proves itself with.
    pub kind: CredentialKind,
    /// Whether algorithms are allowed that only old servers need.
    pub old_algorithms: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was altered last.
    pub modified: Timestamp,
}

/// A credential to be made.
#[derive(Clone, Debug, Default)]
pub struct NewCredential {
    /// Unique in its organization.
    pub name: String,
    /// Whose; must be given.
    pub organization: Option<OrganizationId>,
    /// Who logs in.
    pub username: String,
    /// `None` for 22.
    pub port: Option<i64>,
    /// What logs in; must be given.
    pub secret: Option<LoginSecret>,
    /// Allows what only old servers need.
    pub old_algorithms: bool,
}

/// What is to be altered; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct CredentialChange {
    /// Unique in its organization.
    pub name: Option<String>,
    /// Who logs in.
    pub username: Option<String>,
    /// Where.
    pub port: Option<i64>,
    /// Another password or key.
    pub secret: Option<LoginSecret>,
    /// Allows what only old servers need, or not.
    pub old_algorithms: Option<bool>,
}

/// Which credentials a list shows.
#[derive(Clone, Debug, Default)]
pub struct CredentialFilter {
    /// Only this organization's.
    pub organization: Option<OrganizationId>,
    /// Only the organization's with this slug.
    pub organization_slug: Option<String>,
}

impl Store {
    /// Makes a credential.
    ///
    /// # Errors
    /// When a field is not acceptable, the name is taken, or there is no key to seal its secret with.
    pub async fn add_credential(&self, new: &NewCredential) -> Result<Credential, StoreError> {
        let mut errors = check(&CredentialChange {
            name: Some(new.name.clone()),
            username: Some(new.username.clone()),
            port: new.port,
            secret: new.secret.clone(),
            old_algorithms: None,
        });
        if new.organization.is_none() {
            errors.add("organization", "This field is required.");
        }
        let Some(secret) = &new.secret else {
            errors.add("params", "A password or a private key is required.");
            return Err(errors.into());
        };
        errors.into_result()?;
        let id = CredentialId::random();
        let mut write = self.write().await?;
        let organization = write.existing_organization(new.organization).await?;
        let sealed = write.seal(&plain(secret), id.0).await?;
        let added = write
            .insert_credential(id, organization, new, secret.kind(), sealed)
            .await?;
        write.audit("add", "Credentials", id.0, &new.name).await?;
        write.commit().await?;
        Ok(added)
    }

    /// One credential of those that the caller may see.
    ///
    /// # Errors
    /// When there is none.
    pub async fn credential(
        &self,
        id: CredentialId,
        scope: &Scope,
    ) -> Result<Credential, StoreError> {
        let found: Option<Credential> = on_pool!(self, pool => {
            sqlx::query_as(select!(credential, "WHERE id = $1"))
                .bind(id)
                .fetch_optional(pool)
                .await?
        });
        found
            .filter(|found| scope.contains(found.organization))
            .ok_or(StoreError::NotFound("Credentials"))
    }

    /// By id, or by a name that no other organization's credential has.
    ///
    /// # Errors
    /// When none or several fit.
    pub async fn find_credential(&self, id_or_name: &str) -> Result<Credential, StoreError> {
        let found: Vec<Credential> = on_pool!(self, pool => {
            sqlx::query_as(select!(credential, "WHERE id = $1 OR name = $2"))
                .bind(Uuid::parse_str(id_or_name).ok())
                .bind(id_or_name)
                .fetch_all(pool)
                .await?
        });
        StoreError::only("credential", id_or_name, found)
    }

    /// A page of the credentials that the caller may see, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn credentials(
        &self,
        scope: &Scope,
        filter: &CredentialFilter,
        page: Page,
    ) -> Result<Paged<Credential>, StoreError> {
        let in_scope = scope.condition(self.db(), "credential.organization_id");
        let from = format!(
            "FROM credential JOIN organization ON organization.id = credential.organization_id
             WHERE {in_scope} AND ($2 IS NULL OR credential.organization_id = $2)
                 AND ($3 IS NULL OR organization.slug = $3)"
        );
        let order = "ORDER BY credential.created DESC, credential.id LIMIT $4 OFFSET $5";
        let select = format!("SELECT {} {from} {order}", columns!(credential));
        let count = format!("SELECT count(*) {from}");
        Ok(fetch_page!(
            self,
            scope,
            page,
            count,
            select,
            filter.organization,
            &filter.organization_slug
        ))
    }

    /// Alters a credential.
    ///
    /// # Errors
    /// As [`Store::add_credential`], or when it does not exist.
    pub async fn change_credential(
        &self,
        id: CredentialId,
        change: &CredentialChange,
    ) -> Result<Credential, StoreError> {
        check(change).into_result()?;
        let mut write = self.write().await?;
        let sealed = match &change.secret {
            Some(secret) => Some(write.seal(&plain(secret), id.0).await?),
            None => None,
        };
        let changed = write.update_credential(id, change, sealed).await?;
        write
            .audit("change", "Credentials", id.0, &changed.name)
            .await?;
        write.commit().await?;
        Ok(changed)
    }

    /// Removes a credential, and with it all connections that use it.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn remove_credential(&self, id: CredentialId) -> Result<(), StoreError> {
        let sql = "DELETE FROM credential WHERE id = $1 RETURNING name";
        self.remove("Credentials", sql, id.0).await
    }
}

impl Write {
    /// Inserts a credential's row, which was checked before.
    pub(super) async fn insert_credential(
        &mut self,
        id: CredentialId,
        organization: OrganizationId,
        new: &NewCredential,
        kind: CredentialKind,
        sealed: Vec<u8>,
    ) -> Result<Credential, StoreError> {
        let added: Result<Credential, _> = on_write!(self, connection => {
            sqlx::query_as(concat!(
                "INSERT INTO credential (id, organization_id, name, username, port, kind, secret,
                     old_algorithms, created, modified)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) RETURNING ",
                columns!(credential)
            ))
            .bind(id)
            .bind(organization)
            .bind(&new.name)
            .bind(&new.username)
            .bind(port(new.port.unwrap_or(22)))
            .bind(kind)
            .bind(sealed)
            .bind(new.old_algorithms)
            .bind(self.store.instant())
            .fetch_one(connection)
            .await
        });
        added.map_err(taken)
    }

    /// Alters a credential's row; the change was checked before, and its secret is `sealed`.
    pub(super) async fn update_credential(
        &mut self,
        id: CredentialId,
        change: &CredentialChange,
        sealed: Option<Vec<u8>>,
    ) -> Result<Credential, StoreError> {
        let changed: Result<Option<Credential>, _> = on_write!(self, connection => {
            sqlx::query_as(concat!(
                "UPDATE credential SET name = COALESCE($2, name),
                     username = COALESCE($3, username), port = COALESCE($4, port),
                     kind = COALESCE($5, kind), secret = COALESCE($6, secret),
                     old_algorithms = COALESCE($7, old_algorithms), modified = $8
                 WHERE id = $1 RETURNING ",
                columns!(credential)
            ))
            .bind(id)
            .bind(&change.name)
            .bind(&change.username)
            .bind(change.port.map(port))
            .bind(change.secret.as_ref().map(LoginSecret::kind))
            .bind(sealed)
            .bind(change.old_algorithms)
            .bind(self.store.instant())
            .fetch_optional(connection)
            .await
        });
        changed
            .map_err(taken)?
            .ok_or(StoreError::NotFound("Credentials"))
    }
}

impl FromStr for CredentialKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "password" => Ok(Self::Password),
            "private_key" => Ok(Self::PrivateKey),
            _ => Err(()),
        }
    }
}

impl CredentialChange {
    /// Whether the values can be right, whatever credential they are for.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn check(&self) -> Result<(), FieldErrors> {
        check(self).into_result()
    }
}

fn check(change: &CredentialChange) -> FieldErrors {
    let mut errors = FieldErrors::default();
    if let Some(name) = &change.name {
        errors.check_name("name", name, NAME);
    }
    if let Some(username) = &change.username {
        errors.check_name("username", username, USERNAME);
    }
    if change.port.is_some_and(|port| !(1..=65535).contains(&port)) {
        errors.add("port", "A port is a number from 1 to 65535.");
    }
    match &change.secret {
        Some(LoginSecret::Password(password)) => {
            errors.check_secret("password", password, PASSWORD);
        }
        Some(LoginSecret::PrivateKey { pem, passphrase }) => {
            errors.check_secret("key", pem, PRIVATE_KEY);
            errors.check_text(
                "passphrase",
                passphrase.as_deref().unwrap_or_default(),
                PASSWORD,
            );
        }
        None => {}
    }
    errors
}

/// A port that was checked before.
fn port(port: i64) -> i32 {
    i32::try_from(port).unwrap_or_default()
}

pub(super) fn plain(secret: &LoginSecret) -> Vec<u8> {
    // Texts always become JSON.
    serde_json::to_vec(secret).unwrap_or_default()
}

fn taken(error: sqlx::Error) -> StoreError {
    let reason = "Credentials with this name exist already in this organization.";
    StoreError::from(error).unique(&[("name", "name", reason)])
}
