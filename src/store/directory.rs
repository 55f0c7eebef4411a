//! The store as the directory: who a credential proves, what users may, what belongs to whom.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::db::{Db, POSTGRES_AMONG, SQLITE_AMONG, ids};
use super::session::digest;
use super::{Store, StoreError};
use crate::access::{
    Credential, Directory, DirectoryError, Identity, PermissionSet, Proof, Resource, User,
};
use crate::event::{DeviceId, LocationId, OrganizationId, SessionId, Timestamp, TokenId, UserId};

/// A proof and the row of the user behind it.
#[derive(sqlx::FromRow)]
struct ProvedRow {
    proof: Uuid,
    id: UserId,
    username: String,
    is_superuser: bool,
    is_staff: bool,
    password_version: i64,
}

const USER: &str = "users.id, users.username, users.is_superuser, users.is_staff, \
                    users.password_version";

/// Who counts: `$2` is the present time.
const COUNTS: &str = "users.is_active AND (users.expires IS NULL OR users.expires > $2)";

/// A session is valid for one password.
const SESSION_COUNTS: &str =
    "session.expires > $2 AND session.password_version = users.password_version";

#[async_trait]
impl Directory for Store {
    async fn identify(&self, credential: &Credential) -> Result<Option<Identity>, DirectoryError> {
        Ok(self.identity(credential).await?)
    }

    async fn renew(&self, proofs: &[Proof]) -> Result<HashMap<Proof, User>, DirectoryError> {
        Ok(self.users_behind(proofs).await?)
    }

    async fn organizations_of(
        &self,
        resources: &[Resource],
    ) -> Result<HashMap<Resource, OrganizationId>, DirectoryError> {
        Ok(self.owners(resources).await?)
    }
}

impl From<StoreError> for DirectoryError {
    fn from(error: StoreError) -> Self {
        Self(error.into())
    }
}

impl Store {
    async fn identity(&self, credential: &Credential) -> Result<Option<Identity>, StoreError> {
        let (sql, secret) = match credential {
            Credential::Session(cookie) => (
                format!(
                    "SELECT session.id AS proof, {USER} FROM session
                     JOIN users ON users.id = session.user_id
                     WHERE session.digest = $1 AND {SESSION_COUNTS} AND {COUNTS}"
                ),
                cookie,
            ),
            Credential::Token(token) => (
                format!(
                    "SELECT token.id AS proof, {USER} FROM token
                     JOIN users ON users.id = token.user_id
                     WHERE token.digest = $1 AND {COUNTS}"
                ),
                token,
            ),
        };
        let found: Option<ProvedRow> = super::db::on_pool!(self, pool => {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(digest(secret))
                .bind(Timestamp::now())
                .fetch_optional(pool)
                .await?
        });
        let Some(proved) = found else { return Ok(None) };
        let proof = match credential {
            Credential::Session(_) => Proof::Session(SessionId(proved.proof)),
            Credential::Token(_) => Proof::Token(TokenId(proved.proof)),
        };
        let users = self.with_rights(vec![(proof, proved)]).await?;
        Ok(users
            .into_iter()
            .next()
            .map(|(proof, user)| Identity { user, proof }))
    }

    async fn users_behind(&self, proofs: &[Proof]) -> Result<HashMap<Proof, User>, StoreError> {
        let (mut sessions, mut tokens) = (Vec::new(), Vec::new());
        for proof in proofs {
            match proof {
                Proof::Session(id) => sessions.push(id.0),
                Proof::Token(id) => tokens.push(id.0),
            }
        }
        let mut proved = Vec::new();
        if !sessions.is_empty() {
            let found = self.proved("session", SESSION_COUNTS, &sessions).await?;
            let proof = |row: &ProvedRow| Proof::Session(SessionId(row.proof));
            proved.extend(found.into_iter().map(|row| (proof(&row), row)));
        }
        if !tokens.is_empty() {
            let found = self.proved("token", "TRUE", &tokens).await?;
            let proof = |row: &ProvedRow| Proof::Token(TokenId(row.proof));
            proved.extend(found.into_iter().map(|row| (proof(&row), row)));
        }
        self.with_rights(proved).await
    }

    /// The users behind those of the rows of `table` that still count.
    async fn proved(
        &self,
        table: &str,
        counts: &str,
        proofs: &[Uuid],
    ) -> Result<Vec<ProvedRow>, StoreError> {
        let select = format!(
            "SELECT {table}.id AS proof, {USER} FROM {table}
             JOIN users ON users.id = {table}.user_id WHERE {counts} AND {COUNTS} AND {table}.id"
        );
        self.for_ids(&select, Some(Timestamp::now()), proofs).await
    }

    /// Adds permissions and memberships, for all users in one query each.
    async fn with_rights(
        &self,
        proved: Vec<(Proof, ProvedRow)>,
    ) -> Result<HashMap<Proof, User>, StoreError> {
        let mut ids: Vec<Uuid> = proved.iter().map(|(_, row)| row.id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let permissions = self.permissions_of(&ids).await?;
        let memberships = self.memberships_of(&ids).await?;
        let users = proved.into_iter().map(|(proof, row)| {
            let of = |manages: bool| {
                let all = memberships.get(&row.id).into_iter().flatten();
                all.filter(|(_, manager)| *manager == manages)
                    .map(|(id, _)| *id)
                    .collect()
            };
            let user = User {
                permissions: permissions.get(&row.id).copied().unwrap_or_default(),
                manages: of(true),
                member_of: of(false),
                id: row.id,
                username: row.username,
                is_superuser: row.is_superuser,
                is_staff: row.is_staff,
                password_version: row.password_version,
            };
            (proof, user)
        });
        Ok(users.collect())
    }

    async fn permissions_of(
        &self,
        users: &[Uuid],
    ) -> Result<HashMap<UserId, PermissionSet>, StoreError> {
        let select = "SELECT user_id, permission FROM (
                 SELECT user_id, permission FROM user_permission UNION
                 SELECT user_id, permission FROM group_user
                 JOIN group_permission ON group_permission.group_id = group_user.group_id
             ) AS given WHERE user_id";
        let rows: Vec<(UserId, String)> = self.for_ids(select, None, users).await?;
        let mut sets: HashMap<UserId, PermissionSet> = HashMap::new();
        for (user, name) in rows {
            // A name that this version does not know gives nothing.
            sets.entry(user).or_default().extend(name.parse().ok());
        }
        Ok(sets)
    }

    /// Of active organizations alone: others count for nothing.
    async fn memberships_of(
        &self,
        users: &[Uuid],
    ) -> Result<HashMap<UserId, Vec<(OrganizationId, bool)>>, StoreError> {
        let select = "SELECT user_id, organization_id, manages FROM organization_user
             JOIN organization ON organization.id = organization_id
             WHERE organization.is_active AND user_id";
        let rows: Vec<(UserId, OrganizationId, bool)> = self.for_ids(select, None, users).await?;
        let mut memberships: HashMap<UserId, Vec<_>> = HashMap::new();
        for (user, organization, manages) in rows {
            memberships
                .entry(user)
                .or_default()
                .push((organization, manages));
        }
        Ok(memberships)
    }

    async fn owners(
        &self,
        resources: &[Resource],
    ) -> Result<HashMap<Resource, OrganizationId>, StoreError> {
        let (mut devices, mut locations) = (Vec::new(), Vec::new());
        for resource in resources {
            match resource {
                Resource::Device(id) => devices.push(id.0),
                Resource::Location(id) => locations.push(id.0),
            }
        }
        let mut owners = HashMap::new();
        if !devices.is_empty() {
            let select = "SELECT id, organization_id FROM device WHERE id";
            let rows: Vec<(DeviceId, OrganizationId)> =
                self.for_ids(select, None, &devices).await?;
            owners.extend(
                rows.into_iter()
                    .map(|(id, owner)| (Resource::Device(id), owner)),
            );
        }
        if !locations.is_empty() {
            let select = "SELECT id, organization_id FROM location WHERE id";
            let rows: Vec<(LocationId, OrganizationId)> =
                self.for_ids(select, None, &locations).await?;
            owners.extend(
                rows.into_iter()
                    .map(|(id, owner)| (Resource::Location(id), owner)),
            );
        }
        Ok(owners)
    }

    /// Runs `select`, which ends with the name of a column, for the rows in which that column is one
    /// of `wanted`. `now` is given if it has a `$2`.
    pub(super) async fn for_ids<T>(
        &self,
        select: &str,
        now: Option<Timestamp>,
        wanted: &[Uuid],
    ) -> Result<Vec<T>, StoreError>
    where
        T: Send + Unpin,
        T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>,
        T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        Ok(match self.db() {
            Db::Sqlite { read, .. } => {
                let sql = format!("{select} {SQLITE_AMONG}");
                let query = sqlx::query_as(AssertSqlSafe(sql)).bind(ids(wanted));
                let query = match now {
                    Some(now) => query.bind(now),
                    None => query,
                };
                query.fetch_all(read).await?
            }
            Db::Postgres { pool, .. } => {
                let sql = format!("{select} {POSTGRES_AMONG}");
                let query = sqlx::query_as(AssertSqlSafe(sql)).bind(wanted.to_vec());
                let query = match now {
                    Some(now) => query.bind(now),
                    None => query,
                };
                query.fetch_all(pool).await?
            }
        })
    }
}
