//! The store as the directory: who a credential proves, what users may, what belongs to whom.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::db::{Db, IdList, among, on_pool};
use super::{Store, StoreError};
use crate::access::{
    Credential, Directory, DirectoryError, Identity, Mark, Proof, Resource, RightsChanged, User,
};
use crate::event::{DeviceId, LocationId, OrganizationId, SessionId, Timestamp, TokenId, UserId};

/// A proof, and the user behind it with all rights: one row, as rows are what a question costs.
#[derive(sqlx::FromRow)]
pub(super) struct ProvedRow {
    proof: Uuid,
    pub(super) digest: Vec<u8>,
    until: Option<Timestamp>,
    id: UserId,
    username: String,
    is_superuser: bool,
    is_staff: bool,
    password_version: i64,
    /// Names, with blanks between.
    permissions: Option<String>,
    /// Organizations in hexadecimal, each followed by 1 if it is managed and else by 0.
    memberships: Option<String>,
}

/// What can be shown for a user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Session,
    Token,
}

#[async_trait]
impl Directory for Store {
    async fn identify(&self, credential: &Credential) -> Result<Option<Identity>, DirectoryError> {
        self.look_up(credential).await
    }

    async fn renew(&self, proofs: &[Proof]) -> Result<HashMap<Proof, Identity>, DirectoryError> {
        Ok(self.users_behind(proofs).await?)
    }

    async fn rights_changed(&self, mark: Option<Mark>) -> Result<RightsChanged, DirectoryError> {
        Ok(self.rights_changed_since(mark).await?)
    }

    fn now(&self) -> Timestamp {
        self.instant()
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

impl Shown {
    /// The rows of this kind that prove somebody, of whom `column` is one of those asked for. `$2` is
    /// the present time.
    pub(super) fn select(self, db: &Db, column: &str) -> String {
        let (table, counts, until) = match self {
            // A session is valid for one password.
            Self::Session => (
                "session",
                "shown.expires > $2 AND shown.password_version = users.password_version",
                "CASE WHEN users.expires < shown.expires THEN users.expires ELSE shown.expires END",
            ),
            Self::Token => ("token", "TRUE", "users.expires"),
        };
        let (permissions, memberships) = match db {
            Db::Sqlite { .. } => (
                "group_concat(permission, ' ')",
                "group_concat(hex(organization_id) || manages, ' ')",
            ),
            Db::Postgres { .. } => (
                "string_agg(permission, ' ')",
                "string_agg(replace(organization_id::text, '-', '') || manages::int, ' ')",
            ),
        };
        // Of active organizations alone: others count for nothing.
        format!(
            "SELECT shown.id AS proof, shown.digest, {until} AS until, users.id, users.username,
                 users.is_superuser, users.is_staff, users.password_version,
                 (SELECT {permissions} FROM (
                     SELECT permission FROM user_permission WHERE user_id = users.id
                     UNION ALL SELECT permission FROM group_user
                     JOIN group_permission ON group_permission.group_id = group_user.group_id
                     WHERE user_id = users.id) AS given) AS permissions,
                 (SELECT {memberships} FROM organization_user
                     JOIN organization ON organization.id = organization_id
                     WHERE organization.is_active AND user_id = users.id) AS memberships
             FROM {table} AS shown JOIN users ON users.id = shown.user_id
             WHERE {counts} AND users.is_active
                 AND (users.expires IS NULL OR users.expires > $2) AND shown.{column}"
        )
    }
}

impl ProvedRow {
    pub(super) fn identity(self, shown: Shown) -> Identity {
        let proof = match shown {
            Shown::Session => Proof::Session(SessionId(self.proof)),
            Shown::Token => Proof::Token(TokenId(self.proof)),
        };
        let permissions = self.permissions.iter().flat_map(|names| names.split(' '));
        let memberships = self.memberships.iter().flat_map(|all| all.split(' '));
        let (mut manages, mut member_of) = (BTreeSet::new(), BTreeSet::new());
        for (id, manager) in memberships.filter_map(|it| it.split_at_checked(it.len() - 1)) {
            if let Ok(id) = id.parse() {
                let set = if manager == "1" {
                    &mut manages
                } else {
                    &mut member_of
                };
                set.insert(OrganizationId(id));
            }
        }
        let user = User {
            id: self.id,
            username: self.username,
            is_superuser: self.is_superuser,
            is_staff: self.is_staff,
            // A name that this version does not know gives nothing.
            permissions: permissions.filter_map(|name| name.parse().ok()).collect(),
            manages,
            member_of,
            password_version: self.password_version,
        };
        Identity {
            user,
            proof,
            until: self.until,
        }
    }
}

impl Store {
    async fn users_behind(&self, proofs: &[Proof]) -> Result<HashMap<Proof, Identity>, StoreError> {
        let (mut sessions, mut tokens) = (Vec::new(), Vec::new());
        for proof in proofs {
            match proof {
                Proof::Session(id) => sessions.push(id.0),
                Proof::Token(id) => tokens.push(id.0),
            }
        }
        let mut proved = HashMap::new();
        for (shown, wanted) in [(Shown::Session, sessions), (Shown::Token, tokens)] {
            if !wanted.is_empty() {
                let select = shown.select(self.db(), "id");
                let now = Some(self.instant());
                let rows: Vec<ProvedRow> = self.for_ids(&select, now, &wanted).await?;
                let identities = rows.into_iter().map(|row| row.identity(shown));
                proved.extend(identities.map(|identity| (identity.proof, identity)));
            }
        }
        Ok(proved)
    }

    pub(super) async fn owners(
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
        let sql = format!("{select} {}", among(self.db(), "$1"));
        Ok(on_pool!(self, pool => {
            let query = sqlx::query_as(AssertSqlSafe(sql)).bind(IdList(wanted.to_vec()));
            let query = match now {
                Some(now) => query.bind(now),
                None => query,
            };
            query.fetch_all(pool).await?
        }))
    }
}
