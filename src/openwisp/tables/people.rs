//! Users with what they may, and what proves them.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use sha2::{Digest, Sha256};
use sqlx::FromRow;

use super::dialect::{id, ids, texts};
use super::{Tables, TablesError};
use crate::access::{Permission, PermissionSet, User};
use crate::event::{OrganizationId, Timestamp, UserId};

const USER: &str = "openwisp_users_user";

/// Somebody who may log in, with the secret that sessions are compared with. `Debug` does not give it
/// away.
#[derive(Clone)]
pub struct Account {
    /// As the policy sees them.
    pub user: User,
    /// The hash of their password, as Django keeps it.
    pub password: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[derive(FromRow)]
struct UserRow {
    id: String,
    username: String,
    password: String,
    is_superuser: bool,
    is_staff: bool,
    permissions: Option<String>,
    group_permissions: Option<String>,
    organizations: Option<String>,
}

impl Tables {
    /// Those of these users who count (active, and not past their last day), with the rights that they
    /// have themselves and by groups, and with their places in active organizations. Whoever is not
    /// there is absent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(
        &self,
        wanted: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, Account>, TablesError> {
        let wanted: BTreeSet<UserId> = wanted.into_iter().collect();
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let among = self.dialect().among_ids("$1");
        let sql = format!("{} AND users.id {among}", select());
        // An account counts to the end of its last day: here, that of UTC.
        let now = Timestamp::now().to_string();
        let today = now.split('T').next().unwrap_or_default().to_owned();
        let rows: Vec<UserRow> = self
            .rows(sql, [ids(wanted.into_iter().map(|it| it.0)), today])
            .await?;
        rows.into_iter()
            .map(|row| {
                let account = row.account()?;
                Ok((account.user.id, account))
            })
            .collect()
    }

    /// The users behind those of these tokens (of Django's REST framework) that there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users_of_tokens(
        &self,
        keys: &[String],
    ) -> Result<HashMap<String, UserId>, TablesError> {
        const TABLE: &str = "authtoken_token";
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let among = self.dialect().among_texts("$1");
        let sql = format!(
            "SELECT CAST(key AS TEXT), CAST(user_id AS TEXT) FROM {TABLE} WHERE key {among}"
        );
        let rows: Vec<(String, String)> = match self.rows(sql, [texts(keys.to_vec())]).await {
            // The application of tokens need not be installed.
            Err(TablesError::Shape(_)) if !self.has_table(TABLE).await? => Vec::new(),
            rows => rows?,
        };
        rows.into_iter()
            .map(|(key, user)| Ok((key, UserId(id(TABLE, "user_id", &user)?))))
            .collect()
    }

    /// The contents of those of these sessions that are there and not over, by their keys.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions(&self, keys: &[String]) -> Result<HashMap<String, String>, TablesError> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let dialect = self.dialect();
        let sql = format!(
            "SELECT CAST(session_key AS TEXT), session_data FROM django_session
             WHERE expire_date > {} AND session_key {}",
            dialect.instant("$2"),
            dialect.among_texts("$1"),
        );
        let now = dialect.instant_parameter(Timestamp::now());
        let rows: Vec<(String, String)> = self.rows(sql, [texts(keys.to_vec()), now]).await?;
        Ok(rows.into_iter().collect())
    }

    /// The contents of some sessions that are not over, those that last longest first: what can be
    /// tried out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn some_sessions(&self, most: u32) -> Result<Vec<String>, TablesError> {
        let dialect = self.dialect();
        let sql = format!(
            "SELECT session_data FROM django_session WHERE expire_date > {}
             ORDER BY expire_date DESC LIMIT {most}",
            dialect.instant("$1"),
        );
        let now = dialect.instant_parameter(Timestamp::now());
        let rows: Vec<(String,)> = self.rows(sql, [now]).await?;
        Ok(rows.into_iter().map(|(data,)| data).collect())
    }
}

/// The question for users: of their ids `$1`, on the day `$2`; more conditions can follow.
///
/// What groups give is put together once, not for each of their members. Releases before openwisp-users
/// 1.3 have no `expiration_date`. There the name means what is outside of the innermost question: nothing.
fn select() -> String {
    let known: Vec<String> = Permission::all().map(|it| format!("'{it}'")).collect();
    format!(
        "WITH known AS MATERIALIZED (
             SELECT permission.id, type.app_label || '.' || permission.codename AS name
             FROM auth_permission AS permission
             JOIN django_content_type AS type ON type.id = permission.content_type_id
             WHERE type.app_label || '.' || permission.codename IN ({})),
         granted AS MATERIALIZED (
             SELECT given.group_id, string_agg(known.name, ',') AS names
             FROM auth_group_permissions AS given JOIN known ON known.id = given.permission_id
             GROUP BY given.group_id)
         SELECT CAST(users.id AS TEXT) AS id, CAST(users.username AS TEXT) AS username,
             CAST(users.password AS TEXT) AS password, users.is_superuser, users.is_staff,
             (SELECT string_agg(known.name, ',') FROM {USER}_user_permissions AS own
                 JOIN known ON known.id = own.permission_id
                 WHERE own.user_id = users.id) AS permissions,
             (SELECT string_agg(granted.names, ',') FROM {USER}_groups AS member
                 JOIN granted ON granted.group_id = member.group_id
                 WHERE member.user_id = users.id) AS group_permissions,
             (SELECT string_agg(CASE WHEN member.is_admin OR owner.id IS NOT NULL
                         THEN '+' ELSE '-' END || CAST(member.organization_id AS TEXT), ',')
                 FROM openwisp_users_organizationuser AS member
                 JOIN openwisp_users_organization AS organization
                     ON organization.id = member.organization_id AND organization.is_active
                 LEFT JOIN openwisp_users_organizationowner AS owner
                     ON owner.organization_user_id = member.id
                 WHERE member.user_id = users.id) AS organizations
         FROM (SELECT NULL AS expiration_date) AS absent CROSS JOIN {USER} AS users
         WHERE users.is_active AND EXISTS (
             SELECT 1 FROM (SELECT CAST(expiration_date AS TEXT) AS last
                     FROM {USER} AS account WHERE account.id = users.id) AS day
             WHERE day.last IS NULL OR day.last >= $2)",
        known.join(", ")
    )
}

impl UserRow {
    fn account(self) -> Result<Account, TablesError> {
        let of = |sign: char| {
            let all = self.organizations.as_deref().unwrap_or_default().split(',');
            let texts = all.filter_map(|it| it.strip_prefix(sign));
            texts
                .map(|it| {
                    let id = id("openwisp_users_organizationuser", "organization_id", it)?;
                    Ok(OrganizationId(id))
                })
                .collect::<Result<BTreeSet<_>, TablesError>>()
        };
        let permissions = self.permissions.iter().chain(&self.group_permissions);
        let permissions = permissions.flat_map(|names| names.split(','));
        let permissions: PermissionSet = permissions.filter_map(|it| it.parse().ok()).collect();
        let id = UserId(id(USER, "id", &self.id)?);
        Ok(Account {
            user: User {
                permissions,
                manages: of('+')?,
                member_of: of('-')?,
                password_version: password_version(id, &self.password),
                id,
                username: self.username,
                is_superuser: self.is_superuser,
                is_staff: self.is_staff,
            },
            password: self.password,
        })
    }
}

/// A number that another password has not, nor another user: Django counts no changes.
fn password_version(user: UserId, password: &str) -> i64 {
    let mut digest = Sha256::new();
    digest.update(user.0.as_bytes());
    digest.update(password);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.finalize()[..8]);
    i64::from_be_bytes(bytes)
}
